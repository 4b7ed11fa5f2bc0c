-- Put p_amount points back into the lots that p_taken (the triples of a spending) took them from,
-- the last taken first, after leaving out the p_skip points that came back before. So what stays
-- spent is what a smaller spending would have taken. Points of lots past their last good day come
-- back as one lot of this entry (p_seq) with a grace expiry. A debt is paid out of what came back.
-- Returns the changes of lots; the caller holds the account's row lock and changes the account.
CREATE OR REPLACE FUNCTION points_give_back(
    p_account bigint, p_taken bigint[], p_skip bigint, p_amount bigint, p_debt bigint, p_seq bigint,
    p_at timestamptz, p_today date, p_grace_days integer
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_today bigint := p_today - DATE '2000-01-01';
    v_skip bigint := p_skip;
    v_left bigint := p_amount;
    v_quantity bigint;
    v_late bigint := 0;
    v_back bigint[] := '{}';
    v_changes bigint[] := '{}';
    v_first_day bigint;
    v_first_seq bigint;
    v_is_good boolean;
BEGIN
    FOR i IN REVERSE cardinality(p_taken) - 2 .. 1 BY 3 LOOP
        EXIT WHEN v_left = 0;
        v_quantity := -p_taken[i + 2];
        IF v_skip >= v_quantity THEN
            v_skip := v_skip - v_quantity;
            CONTINUE;
        END IF;
        v_quantity := least(v_quantity - v_skip, v_left);
        v_skip := 0;
        v_left := v_left - v_quantity;
        v_changes := v_changes || ARRAY[p_taken[i], p_taken[i + 1], v_quantity];
        v_is_good := p_taken[i] >= v_today;
        IF p_taken[i] = DATE '9999-12-30' - DATE '2000-01-01' THEN
            SELECT coalesce(good_until >= p_today, false) INTO v_is_good
            FROM members_account WHERE id = p_account;
        END IF;
        IF v_is_good THEN
            v_back := v_back || ARRAY[p_taken[i], p_taken[i + 1], v_quantity];
            v_first_day := least(v_first_day, p_taken[i]);
            v_first_seq := least(v_first_seq, p_taken[i + 1]);
        ELSE
            v_changes := v_changes || ARRAY[p_taken[i], p_taken[i + 1], -v_quantity];
            v_late := v_late + v_quantity;
        END IF;
    END LOOP;
    IF v_left > 0 THEN
        RAISE EXCEPTION 'account % entry %: % points more to give back than were taken',
            p_account, p_seq, v_left USING ERRCODE = 'data_corrupted';
    END IF;
    PERFORM points_change_lots(p_account, v_back, 1);
    IF v_late > 0 THEN
        INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending)
        VALUES (p_account, p_today + p_grace_days, p_seq, v_late, v_late, false);
        v_changes := v_changes || ARRAY[v_today + p_grace_days, p_seq, v_late];
        v_first_day := least(v_first_day, v_today + p_grace_days);
        v_first_seq := least(v_first_seq, p_seq);
    END IF;
    UPDATE members_account
    SET first_open_on = DATE '2000-01-01' + v_first_day::integer, first_open_seq = v_first_seq
    WHERE id = p_account
      AND (first_open_on, first_open_seq)
          > (DATE '2000-01-01' + v_first_day::integer, v_first_seq);
    IF p_debt > 0 THEN
        v_changes := v_changes
            || points_take(p_account, least(p_debt, p_amount), p_at, p_today, p_today, 0,
                           false, true);
    END IF;
    RETURN v_changes;
END
$$;

-- Undo an entry wholly (p_amount null: what is left of it) or in part. A spending (kinds 2, 7, and
-- 5 downwards) is given back; a credit (1, and 5 upwards) is clawed back. What a cap cut off a
-- credit goes first, so that half of a purchase leaves what half of it would have earned.
CREATE OR REPLACE FUNCTION points_reverse(
    p_brand text, p_ref_key uuid, p_ref_account bigint, p_ref_seq bigint, p_amount bigint,
    p_key uuid, p_at timestamptz, p_today date, p_source_type text, p_source_id bigint,
    p_cause jsonb,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_entry members_entry;
    v_account record;
    v_first record;
    v_total bigint;
    v_done bigint;
    v_taken bigint;
    v_cut bigint;
    v_owed bigint := 0;
    v_cause jsonb := p_cause;
    v_amount bigint;
    v_kind integer;
    v_lots bigint[];
BEGIN
    IF NOT points_is_home(p_brand) THEN
        o_outcome := 'wrong_schema';
        RETURN;
    END IF;
    v_entry := points_find_entry(p_ref_key, p_ref_account, p_ref_seq);
    IF v_entry.seq IS NULL THEN
        o_outcome := 'entry_missing';
        RETURN;
    END IF;
    SELECT a.id, a.seq, a.balance, a.owed, w.restore_grace_days, w.may_go_negative,
           w.recover_percent
    INTO v_account
    FROM members_account a JOIN members_wallet w ON w.id = a.wallet_id
    WHERE a.id = v_entry.account_id FOR UPDATE OF a;

    SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after, e.ref_seq,
           coalesce(e.shortfall, 0) AS shortfall INTO v_first
    FROM members_entry e WHERE e.key = p_key;
    IF FOUND THEN
        o_outcome := CASE
            WHEN (v_first.account_id, v_first.ref_seq) = (v_entry.account_id, v_entry.seq)
             AND v_first.kind IN (4, 5, 10)
             AND abs(v_first.delta) + v_first.shortfall
                 = coalesce(p_amount, abs(v_first.delta) + v_first.shortfall)
            THEN 'replayed' ELSE 'key_reused' END;
        o_account := v_first.account_id;
        o_seq := v_first.seq;
        o_balance := v_first.balance_after;
        o_delta := v_first.delta;
        o_shortfall := v_first.shortfall;
        RETURN;
    END IF;

    v_total := CASE
        WHEN v_entry.kind = 7 THEN points_sum(v_entry.lots)
        WHEN v_entry.kind IN (1, 2) OR v_entry.kind = 5 AND v_entry.ref_seq IS NULL
        THEN abs(v_entry.delta) + coalesce(v_entry.shortfall, 0) ELSE 0 END;
    SELECT coalesce(sum(abs(e.delta) + coalesce(e.shortfall, 0)), 0),
           coalesce(sum(abs(e.delta)), 0)
    INTO v_done, v_taken
    FROM members_entry e
    WHERE e.account_id = v_entry.account_id AND e.ref_seq = v_entry.seq AND e.kind IN (4, 5, 10);
    v_amount := coalesce(p_amount, v_total - v_done);
    IF v_amount > v_total - v_done OR v_total - v_done = 0 THEN
        o_outcome := 'not_reversible';
        o_detail := v_total - v_done;
        RETURN;
    END IF;

    o_account := v_entry.account_id;
    IF v_entry.kind = 1 OR v_entry.delta > 0 THEN
        v_kind := CASE v_entry.kind WHEN 5 THEN 5 ELSE 10 END;
        v_cut := least(v_amount, greatest(coalesce(v_entry.shortfall, 0) - v_done, 0));
        v_lots := '{}';
        o_delta := 0;
        IF v_amount > v_cut THEN
            SELECT c.o_lots, -c.o_claimed, CASE WHEN v_account.recover_percent > 0 THEN c.o_spent
                                                ELSE 0 END
            INTO v_lots, o_delta, v_owed
            FROM points_claw_back(o_account, v_entry.lots, v_amount - v_cut, v_entry.delta, v_taken,
                                  p_at, p_today, v_account.may_go_negative) AS c;
        END IF;
        IF v_owed > 0 THEN
            v_cause := coalesce(p_cause, '{}') || jsonb_build_object('owed', v_owed);
        END IF;
        o_shortfall := v_amount + o_delta;
    ELSE
        v_kind := CASE v_entry.kind WHEN 5 THEN 5 ELSE 4 END;
        v_lots := points_give_back(o_account, v_entry.lots, v_done, v_amount,
            greatest(-v_account.balance, 0), v_account.seq + 1, p_at, p_today,
            v_account.restore_grace_days);
        o_delta := v_amount;
        o_shortfall := 0;
    END IF;
    UPDATE members_account
    SET balance = balance + o_delta, seq = seq + 1, owed = owed + v_owed
    WHERE id = o_account RETURNING seq, balance INTO o_seq, o_balance;
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, ref_seq, shortfall,
                               lots, source_type, source_id, cause, at)
    VALUES (o_account, o_seq, v_kind, o_delta, o_balance, p_key, v_entry.seq,
            nullif(o_shortfall, 0), v_lots, p_source_type, p_source_id, v_cause, p_at);
    IF o_delta > 0 AND v_account.owed > 0 THEN
        PERFORM points_recover(o_account, points_take(o_account, least(v_account.owed, o_delta),
            p_at, p_today, p_today, 0, false, true), o_seq, p_at);
    END IF;
    o_outcome := 'posted';
END
$$;

-- Take back p_amount of a credit whose lot stands first in p_credit: from that lot, whatever its
-- state, then from others. What has expired out of the lot is not owed again; p_before is what
-- earlier clawbacks took. o_spent is what could not be found. Before other lots are touched the account's due lots expire, so that a
-- debt never stands beside open lots.
CREATE OR REPLACE FUNCTION points_claw_back(
    p_account bigint, p_credit bigint[], p_amount bigint, p_total bigint, p_before bigint,
    p_at timestamptz, p_today date, p_may_go_negative boolean,
    OUT o_lots bigint[], OUT o_claimed bigint, OUT o_spent bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_own record;
    v_lots bigint[];
    v_waiting boolean;
    v_expired bigint;
    v_claim bigint;
    v_left bigint;
BEGIN
    o_lots := '{}';
    o_spent := 0;
    SELECT l.expires_on, l.seq, l.remaining, l.is_pending INTO v_own
    FROM members_lot l
    WHERE l.account_id = p_account AND l.expires_on = DATE '2000-01-01' + p_credit[1]::integer
      AND l.seq = p_credit[2];
    v_claim := p_amount;
    IF v_own.remaining < p_amount THEN
        SELECT coalesce(sum(-e.lots[i + 2]), 0) INTO v_expired
        FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
        WHERE e.account_id = p_account AND e.seq > p_credit[2] AND e.kind = 3
          AND e.lots[i] = p_credit[1] AND e.lots[i + 1] = p_credit[2];
        v_claim := least(p_amount, greatest(p_total - v_expired - p_before, 0));
    END IF;
    v_left := v_claim - least(v_claim, v_own.remaining);
    IF v_claim > v_left THEN
        UPDATE members_lot
        SET remaining = remaining - (v_claim - v_left),
            is_pending = is_pending AND remaining > v_claim - v_left
        WHERE account_id = p_account AND expires_on = v_own.expires_on AND seq = v_own.seq;
        o_lots := ARRAY[p_credit[1], p_credit[2], v_left - v_claim];
        IF v_own.is_pending THEN
            UPDATE members_account SET pending = pending - (v_claim - v_left)
            WHERE id = p_account;
        END IF;
    END IF;
    IF v_left > 0 THEN
        PERFORM points_expire_accounts(ARRAY[p_account], p_at, p_today);
        FOREACH v_waiting IN ARRAY ARRAY[false, true] LOOP
            EXIT WHEN v_left = 0;
            v_lots := points_take(
                p_account, v_left, p_at, p_today, p_today, 0, v_waiting, true);
            o_lots := o_lots || v_lots;
            v_left := v_left - points_sum(v_lots);
        END LOOP;
        IF NOT p_may_go_negative THEN
            v_claim := v_claim - v_left;
            o_spent := v_left;
        END IF;
    END IF;
    o_claimed := v_claim;
END
$$;
