-- Credit (kind 1) or correct upwards (5): one new lot. A debt is paid first, which the entry shows
-- as a second change of the same lot. Caps of the wallet cut a credit off or refuse it; the entry
-- tells what was asked, so that the same key finds its first answer.
CREATE OR REPLACE FUNCTION points_earn(
    p_brand text, p_kind integer, p_wallet integer, p_owner bigint, p_amount bigint, p_key uuid,
    p_at timestamptz, p_earned_on date, p_source_type text, p_source_id bigint, p_cause jsonb,
    p_available_at timestamptz, p_expires_on date,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_wallet record;
    v_first record;
    v_available_at timestamptz;
    v_expires_on date;
    v_waits boolean;
    v_given bigint := p_amount;
    v_left bigint;
    v_day bigint;
    v_idle integer;
    v_good_until date;
    v_first_open_on date;
    v_owed bigint;
    v_cause jsonb := p_cause;
BEGIN
    LOOP
        -- Identity, the wallet's rules, lock and balance in one: each statement more is felt.
        UPDATE members_account a
        SET balance = a.balance + p_amount, seq = a.seq + 1,
            pending = a.pending
                + CASE WHEN coalesce(p_available_at, p_at + make_interval(days => w.pending_days))
                            > p_at
                       THEN p_amount - least(p_amount, greatest(-a.balance, 0)) ELSE 0 END
        FROM members_wallet w
        WHERE a.owner_id = p_owner AND a.wallet_id = p_wallet AND w.id = p_wallet
          AND p_brand = current_schema()
          AND EXISTS (SELECT FROM audit_brandidentity WHERE schema_name = p_brand)
        RETURNING a.id, a.seq, a.balance, a.owed, a.good_until, a.first_open_on, w.pending_days,
                  w.expiry_policy, w.expiry_months, w.recover_percent,
                  coalesce(w.balance_cap, w.earn_cap_day, w.earn_cap_month) IS NOT NULL AS is_capped
        INTO v_wallet;
        IF NOT FOUND THEN
            o_outcome := CASE WHEN points_is_home(p_brand) THEN 'account_missing'
                              ELSE 'wrong_schema' END;
            RETURN;
        END IF;
        o_account := v_wallet.id;
        o_seq := v_wallet.seq;
        o_balance := v_wallet.balance;
        v_owed := v_wallet.owed;
        v_good_until := v_wallet.good_until;
        v_first_open_on := v_wallet.first_open_on;
        v_available_at := p_available_at;
        IF p_available_at IS NULL AND v_wallet.pending_days > 0 THEN
            v_available_at := p_at + make_interval(days => v_wallet.pending_days);
        END IF;
        v_waits := coalesce(v_available_at > p_at, false);
        v_left := p_amount - least(p_amount, greatest(p_amount - o_balance, 0));

        SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after,
               coalesce(e.shortfall, 0) AS shortfall INTO v_first
        FROM members_entry e WHERE e.key = p_key;
        IF FOUND THEN
            o_outcome := CASE
                WHEN (v_first.account_id, v_first.kind, v_first.delta + v_first.shortfall)
                   = (o_account, p_kind, p_amount)
                THEN 'replayed' ELSE 'key_reused' END;
        ELSIF p_kind = 5 AND NOT points_may_adjust(
            o_account, p_wallet, p_owner, p_amount, p_key, p_at, p_cause)
        THEN
            o_outcome := 'consent_needed';
        END IF;
        EXIT WHEN o_outcome IS NULL AND (v_good_until IS NULL OR v_good_until >= p_earned_on);
        UPDATE members_account
        SET balance = balance - p_amount, seq = seq - 1,
            pending = pending - CASE WHEN v_waits THEN v_left ELSE 0 END
        WHERE id = o_account;
        IF o_outcome IS NOT NULL THEN
            o_seq := v_first.seq;
            o_balance := v_first.balance_after;
            o_delta := v_first.delta;
            o_shortfall := v_first.shortfall;
            RETURN;
        END IF;
        -- The owner had been idle too long before this credit: what lapsed then does not come back.
        PERFORM points_expire_accounts(ARRAY[o_account], p_at, p_earned_on);
    END LOOP;

    v_expires_on := coalesce(p_expires_on, points_expires_on(
        v_wallet.expiry_policy, v_wallet.expiry_months, p_earned_on));
    IF v_expires_on = DATE '9999-12-30' THEN
        v_idle := v_wallet.expiry_months;
    END IF;
    -- What only some credits change is not in the first statement, so that the others pay nothing.
    IF v_idle IS NOT NULL OR v_good_until IS NOT NULL OR v_expires_on < v_first_open_on THEN
        UPDATE members_account
        SET first_open_on = least(first_open_on, v_expires_on),
            first_open_seq = CASE WHEN v_expires_on < first_open_on THEN o_seq
                                  ELSE first_open_seq END,
            good_until = CASE
                WHEN v_idle IS NOT NULL AND (p_kind = 1 OR good_until IS NULL)
                THEN greatest(good_until, (p_earned_on + make_interval(months => v_idle))::date)
                WHEN good_until IS NULL OR p_kind = 5 THEN good_until
                ELSE points_good_until(good_until, idle_months, p_earned_on) END,
            idle_months = coalesce(v_idle, idle_months)
        WHERE id = o_account;
    END IF;

    IF v_wallet.is_capped AND p_kind = 1 THEN
        SELECT c.o_given, coalesce(p_cause, '{}') || c.o_why INTO v_given, v_cause
        FROM points_cap(o_account, p_wallet, o_balance - p_amount, p_amount, p_earned_on) AS c;
        v_cause := coalesce(v_cause, p_cause);
        IF v_given < p_amount THEN
            o_balance := o_balance - (p_amount - v_given);
            UPDATE members_account
            SET balance = o_balance,
                pending = pending - CASE WHEN v_waits
                    THEN v_left - greatest(least(v_given, o_balance), 0) ELSE 0 END
            WHERE id = o_account;
            v_left := greatest(least(v_given, o_balance), 0);
        END IF;
    END IF;

    v_day := v_expires_on - DATE '2000-01-01';
    IF v_given > 0 THEN
        INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, available_at,
                                 is_pending)
        VALUES (o_account, v_expires_on, o_seq, v_given, v_left, v_available_at,
                v_waits AND v_left > 0);
    END IF;
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, shortfall, lots,
                               source_type, source_id, cause, at)
    VALUES (o_account, o_seq, p_kind, v_given, o_balance, p_key, nullif(p_amount - v_given, 0),
            CASE WHEN v_given = 0 THEN '{}'
                 WHEN v_left = v_given THEN ARRAY[v_day, o_seq, v_given]
                 ELSE ARRAY[v_day, o_seq, v_given, v_day, o_seq, v_left - v_given] END,
            p_source_type, p_source_id, v_cause, p_at);
    o_outcome := 'posted';
    o_delta := v_given;
    o_shortfall := p_amount - v_given;

    IF v_owed > 0 AND v_left > 0 AND p_kind = 1 AND v_wallet.recover_percent > 0 THEN
        v_owed := least(v_owed, v_left, greatest(v_given * v_wallet.recover_percent / 100, 1));
        UPDATE members_lot
        SET remaining = remaining - v_owed, is_pending = is_pending AND remaining > v_owed
        WHERE account_id = o_account AND expires_on = v_expires_on AND seq = o_seq;
        IF v_waits THEN
            UPDATE members_account SET pending = pending - v_owed WHERE id = o_account;
        END IF;
        PERFORM points_recover(o_account, ARRAY[v_day, o_seq, -v_owed], o_seq, p_at);
    END IF;
END
$$;

-- How many of p_amount points may be credited under the caps of the wallet, and why not all. What
-- an account earned on a day is counted here, under the lock of its row.
CREATE OR REPLACE FUNCTION points_cap(
    p_account bigint, p_wallet integer, p_balance bigint, p_amount bigint, p_day date,
    OUT o_given bigint, OUT o_why jsonb
) LANGUAGE plpgsql AS $$
DECLARE
    v_wallet record;
    v_month date := date_trunc('month', p_day)::date;
    v_on_day bigint;
    v_in_month bigint;
    v_room bigint;
    v_cap text;
    v_limit bigint;
    v_again date;
BEGIN
    SELECT w.balance_cap, w.earn_cap_day, w.earn_cap_month, w.cap_policy, a.held
    INTO v_wallet
    FROM members_wallet w JOIN members_account a ON a.id = p_account
    WHERE w.id = p_wallet;
    o_given := p_amount;
    IF coalesce(v_wallet.earn_cap_day, v_wallet.earn_cap_month) IS NOT NULL THEN
        SELECT coalesce(sum(points) FILTER (WHERE on_date = p_day), 0), coalesce(sum(points), 0)
        INTO v_on_day, v_in_month
        FROM members_earnedday
        WHERE account_id = p_account AND on_date >= v_month
          AND on_date < v_month + INTERVAL '1 month';
    END IF;
    FOR v_cap, v_limit, v_room, v_again IN
        VALUES ('balance', v_wallet.balance_cap,
                v_wallet.balance_cap - p_balance - v_wallet.held, NULL::date),
               ('month', v_wallet.earn_cap_month, v_wallet.earn_cap_month - v_in_month,
                (v_month + INTERVAL '1 month')::date),
               ('day', v_wallet.earn_cap_day, v_wallet.earn_cap_day - v_on_day, p_day + 1)
    LOOP
        IF v_room < o_given THEN
            o_given := greatest(v_room, 0);
            o_why := jsonb_build_object('cut', jsonb_build_object(
                'cap', v_cap, 'limit', v_limit, 'asked', p_amount, 'again_on', v_again));
        END IF;
    END LOOP;
    IF o_given < p_amount AND v_wallet.cap_policy = 'refuse' THEN
        o_given := 0;
    END IF;
    IF o_given > 0 AND v_in_month IS NOT NULL THEN
        INSERT INTO members_earnedday (account_id, on_date, points)
        VALUES (p_account, p_day, o_given)
        ON CONFLICT (account_id, on_date)
        DO UPDATE SET points = members_earnedday.points + EXCLUDED.points;
    END IF;
END
$$;
