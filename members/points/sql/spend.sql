-- Take p_amount points out of an account's lots, earliest expiry first; return the changes. The
-- caller holds the account's row lock and changes its balance. Lots past their last good day are
-- never touched. p_waiting = false: from lots that are available at p_at. p_waiting = true: from
-- those that are not yet (only a clawback does that). When the lots do not suffice: as much as
-- there is if p_partly, else null and nothing has changed.
-- Lots before (p_from_on, p_from_seq) are not looked at: the caller knows that none is open.
-- A lot whose waiting is over stops counting as waiting as soon as it is touched.
CREATE OR REPLACE FUNCTION points_take(
    p_account bigint, p_amount bigint, p_at timestamptz, p_today date, p_from_on date,
    p_from_seq bigint, p_waiting boolean, p_partly boolean
) RETURNS bigint[] LANGUAGE plpgsql
-- Always in the order of the primary key: a sort would read all of an account's lots for each.
SET enable_bitmapscan = off SET enable_seqscan = off
AS $$
DECLARE
    v_place tid;
    v_expires_on date := greatest(p_today, p_from_on);
    v_seq bigint := CASE WHEN p_from_on < p_today THEN 0 ELSE p_from_seq - 1 END;
    v_remaining bigint;
    v_is_pending boolean;
    v_is_good boolean;
    v_left bigint := p_amount;
    v_quantity bigint;
    v_pending bigint := 0;
    v_lots bigint[] := '{}';
BEGIN
    -- One lot at a time, going on behind the last: most spendings need one or two, and a cursor
    -- over all of them costs more. `remaining > 0`, not `is_open`, so that a young brand without
    -- statistics does not get the nightly job's index, which leads to everybody's lots.
    WHILE v_left > 0 LOOP
        -- Two queries, as a parameter in place of the difference makes PostgreSQL plan each call.
        IF p_waiting THEN
            SELECT l.ctid, l.expires_on, l.seq, l.remaining, l.is_pending
            INTO v_place, v_expires_on, v_seq, v_remaining, v_is_pending
            FROM members_lot l
            WHERE l.account_id = p_account AND (l.expires_on, l.seq) > (v_expires_on, v_seq)
              AND l.remaining > 0 AND l.is_pending AND l.available_at > p_at
            ORDER BY l.expires_on, l.seq LIMIT 1;
        ELSE
            SELECT l.ctid, l.expires_on, l.seq, l.remaining, l.is_pending
            INTO v_place, v_expires_on, v_seq, v_remaining, v_is_pending
            FROM members_lot l
            WHERE l.account_id = p_account AND (l.expires_on, l.seq) > (v_expires_on, v_seq)
              AND l.remaining > 0 AND (NOT l.is_pending OR l.available_at <= p_at)
            ORDER BY l.expires_on, l.seq LIMIT 1;
        END IF;
        EXIT WHEN NOT FOUND;
        IF v_expires_on = DATE '9999-12-30' THEN
            -- Good while their owner is active. Who has been idle too long finds none of them,
            -- also before the night has taken them.
            v_is_good := coalesce(v_is_good, (SELECT good_until >= p_today FROM members_account
                                              WHERE id = p_account), false);
            IF NOT v_is_good THEN
                v_seq := 9223372036854775807;
                CONTINUE;
            END IF;
        END IF;
        v_quantity := least(v_left, v_remaining);
        UPDATE members_lot
        SET remaining = v_remaining - v_quantity,
            is_pending = p_waiting AND v_remaining > v_quantity
        WHERE ctid = v_place;
        IF v_is_pending THEN
            v_pending := v_pending + CASE WHEN p_waiting THEN v_quantity ELSE v_remaining END;
        END IF;
        v_lots := v_lots || ARRAY[v_expires_on - DATE '2000-01-01', v_seq, -v_quantity];
        v_left := v_left - v_quantity;
    END LOOP;
    IF v_left > 0 AND NOT p_partly THEN
        PERFORM points_change_lots(p_account, v_lots, -1);
        v_lots := NULL;
    END IF;
    IF v_pending > 0 THEN
        UPDATE members_account SET pending = pending - v_pending WHERE id = p_account;
    END IF;
    RETURN v_lots;
END
$$;

-- Make points spendable whose waiting is over. The caller holds the account's row lock.
CREATE OR REPLACE FUNCTION points_mature(p_account bigint, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_points bigint;
BEGIN
    WITH matured AS (
        UPDATE members_lot SET is_pending = false
        WHERE account_id = p_account AND is_pending AND available_at <= p_at
        RETURNING remaining
    )
    SELECT coalesce(sum(remaining), 0) INTO v_points FROM matured;
    IF v_points > 0 THEN
        UPDATE members_account SET pending = pending - v_points WHERE id = p_account;
    END IF;
    RETURN v_points;
END
$$;

-- Spend (kind 2), hold (6) or correct downwards (5).
-- The first statement is lock and guard in one. What was spent on a replay, or when lots turn out
-- to have expired, is put back by hand: a sub-transaction would cost more on every call.
CREATE OR REPLACE FUNCTION points_spend(
    p_brand text, p_kind integer, p_wallet integer, p_owner bigint, p_amount bigint, p_key uuid,
    p_at timestamptz, p_today date, p_source_type text, p_source_id bigint, p_cause jsonb,
    p_until timestamptz,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_held bigint := CASE WHEN p_kind = 6 THEN p_amount ELSE 0 END;
    v_first record;
    v_lots bigint[];
    v_from_on date;
    v_from_seq bigint;
    v_good_until date;
    v_guarded boolean;
BEGIN
    UPDATE members_account
    SET balance = balance - p_amount, held = held + v_held, seq = seq + 1
    WHERE owner_id = p_owner AND wallet_id = p_wallet AND balance - pending >= p_amount
      AND p_brand = current_schema()
      AND EXISTS (SELECT FROM audit_brandidentity WHERE schema_name = p_brand)
    RETURNING id, seq, balance, first_open_on, first_open_seq, good_until
    INTO o_account, o_seq, o_balance, v_from_on, v_from_seq, v_good_until;
    v_guarded := FOUND;

    IF NOT v_guarded THEN
        IF NOT points_is_home(p_brand) THEN
            o_outcome := 'wrong_schema';
            RETURN;
        END IF;
        SELECT id INTO o_account FROM members_account
        WHERE owner_id = p_owner AND wallet_id = p_wallet FOR UPDATE;
        IF NOT FOUND THEN
            o_outcome := 'account_missing';
            RETURN;
        END IF;
    END IF;

    SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after INTO v_first
    FROM members_entry e WHERE e.key = p_key;
    IF FOUND THEN
        IF v_guarded THEN
            UPDATE members_account
            SET balance = balance + p_amount, held = held - v_held, seq = seq - 1
            WHERE id = o_account;
        END IF;
        o_outcome := CASE
            WHEN (v_first.account_id, v_first.kind, v_first.delta) = (o_account, p_kind, -p_amount)
            THEN 'replayed' ELSE 'key_reused' END;
        o_seq := v_first.seq;
        o_balance := v_first.balance_after;
        o_delta := v_first.delta;
        RETURN;
    END IF;

    IF NOT v_guarded AND points_mature(o_account, p_at) > 0 THEN
        UPDATE members_account
        SET balance = balance - p_amount, held = held + v_held, seq = seq + 1
        WHERE id = o_account AND balance - pending >= p_amount
        RETURNING seq, balance, first_open_on, first_open_seq, good_until
        INTO o_seq, o_balance, v_from_on, v_from_seq, v_good_until;
        v_guarded := FOUND;
    END IF;

    IF v_guarded AND p_kind = 5 AND NOT points_may_adjust(
        o_account, p_wallet, p_owner, -p_amount, p_key, p_at, p_cause)
    THEN
        UPDATE members_account SET balance = balance + p_amount, seq = seq - 1 WHERE id = o_account;
        o_outcome := 'consent_needed';
        RETURN;
    END IF;

    IF v_guarded THEN
        v_lots := points_take(
            o_account, p_amount, p_at, p_today, v_from_on, v_from_seq, false, false);
        IF v_lots IS NULL THEN
            UPDATE members_account
            SET balance = balance + p_amount, held = held - v_held, seq = seq - 1
            WHERE id = o_account;
        END IF;
    END IF;
    IF v_lots IS NULL THEN
        o_outcome := 'insufficient';
        o_detail := points_missing(o_account, p_amount, p_today);
        RETURN;
    END IF;

    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, cause, at)
    VALUES (o_account, o_seq, p_kind, -p_amount, o_balance, p_key, v_lots, p_source_type,
            p_source_id, p_cause, p_at);
    IF p_kind = 6 THEN
        INSERT INTO members_hold (account_id, seq, amount, until, state)
        VALUES (o_account, o_seq, p_amount, p_until, 1);
    END IF;
    o_outcome := 'posted';
    o_delta := -p_amount;
    IF v_good_until IS NOT NULL AND p_kind <> 5 THEN
        UPDATE members_account
        SET good_until = points_good_until(good_until, idle_months, p_today) WHERE id = o_account;
    END IF;

    -- Now and then, note where the open lots begin, so that a long history costs nothing.
    IF o_seq % 64 < 2 THEN
        SELECT l.expires_on, l.seq INTO v_from_on, v_from_seq
        FROM members_lot l
        WHERE l.account_id = o_account AND (l.expires_on, l.seq) >= (v_from_on, v_from_seq)
          AND l.remaining > 0
        ORDER BY l.expires_on, l.seq LIMIT 1;
        UPDATE members_account
        SET first_open_on = coalesce(v_from_on, DATE '9999-12-31'),
            first_open_seq = coalesce(v_from_seq, o_seq)
        WHERE id = o_account;
    END IF;
END
$$;
