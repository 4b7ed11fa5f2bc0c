-- Pass points on from one owner to another. Both accounts are locked in the order of their keys.
-- The receiver's lots keep the last good days of the sender's; all of it or nothing.
CREATE OR REPLACE FUNCTION points_transfer(
    p_brand text, p_wallet integer, p_from bigint, p_to bigint, p_amount bigint, p_key uuid,
    p_at timestamptz, p_today date,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_wallet record;
    v_from record;
    v_to record;
    v_first record;
    v_day record;
    v_id bigint;
    v_lots bigint[];
    v_credits bigint[];
    v_idle_day bigint := DATE '9999-12-30' - DATE '2000-01-01';
BEGIN
    IF NOT points_is_home(p_brand) THEN
        o_outcome := 'wrong_schema';
        RETURN;
    END IF;
    PERFORM id FROM members_account
    WHERE wallet_id = p_wallet AND owner_id IN (p_from, p_to) ORDER BY id FOR UPDATE;
    SELECT id, balance, held, pending, owed, seq, first_open_on, first_open_seq INTO v_from
    FROM members_account WHERE wallet_id = p_wallet AND owner_id = p_from;
    SELECT id, balance, held, seq, good_until INTO v_to
    FROM members_account WHERE wallet_id = p_wallet AND owner_id = p_to;
    IF v_from.id IS NULL THEN
        o_outcome := 'account_missing';
        RETURN;
    ELSIF v_to.id IS NULL OR v_to.id = v_from.id THEN
        o_outcome := 'receiver_missing';
        RETURN;
    END IF;
    o_account := v_from.id;

    SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after, t.to_account_id INTO v_first
    FROM members_entry e LEFT JOIN members_transfer t ON t.key = e.key WHERE e.key = p_key;
    IF FOUND THEN
        o_outcome := CASE
            WHEN (v_first.account_id, v_first.kind, v_first.delta, v_first.to_account_id)
               = (v_from.id, 9, -p_amount, v_to.id)
            THEN 'replayed' ELSE 'key_reused' END;
        o_seq := v_first.seq;
        o_balance := v_first.balance_after;
        o_delta := v_first.delta;
        RETURN;
    END IF;

    SELECT transfers_on, transfer_min, transfer_day_points, transfer_day_count, balance_cap
    INTO v_wallet FROM members_wallet WHERE id = p_wallet;
    SELECT coalesce(sum(points), 0) AS points, count(*) AS times INTO v_day
    FROM members_transfer WHERE from_account_id = v_from.id AND on_date = p_today;
    IF v_to.good_until < p_today THEN
        -- What the receiver has left to lapse makes room, and must not come back to life.
        SELECT v_to.balance - coalesce(sum(remaining), 0) INTO v_to.balance FROM members_lot
        WHERE account_id = v_to.id AND is_open AND expires_on = DATE '9999-12-30';
    END IF;
    o_outcome := CASE
        WHEN NOT v_wallet.transfers_on THEN 'transfers_off'
        WHEN p_amount < v_wallet.transfer_min THEN 'transfer_too_small'
        WHEN v_day.times >= v_wallet.transfer_day_count THEN 'transfer_count'
        WHEN v_day.points + p_amount > v_wallet.transfer_day_points THEN 'transfer_points'
        WHEN v_from.owed > 0 THEN 'sender_owes'
        WHEN v_to.balance < 0 THEN 'receiver_owes'
        WHEN v_to.balance + v_to.held + p_amount > v_wallet.balance_cap THEN 'receiver_full'
    END;
    IF o_outcome IS NOT NULL THEN
        o_detail := CASE o_outcome
            WHEN 'transfer_too_small' THEN v_wallet.transfer_min
            WHEN 'transfer_count' THEN v_wallet.transfer_day_count
            WHEN 'transfer_points' THEN greatest(v_wallet.transfer_day_points - v_day.points, 0)
            WHEN 'receiver_full' THEN
                greatest(v_wallet.balance_cap - v_to.balance - v_to.held, 0) END;
        RETURN;
    END IF;
    PERFORM points_mature(v_from.id, p_at);
    IF v_from.balance >= p_amount THEN
        v_lots := points_take(v_from.id, p_amount, p_at, p_today, v_from.first_open_on,
                              v_from.first_open_seq, false, false);
    END IF;
    IF v_lots IS NULL THEN
        o_outcome := 'insufficient';
        o_detail := points_missing(v_from.id, p_amount, p_today);
        RETURN;
    END IF;
    IF v_to.good_until < p_today THEN
        PERFORM points_expire_accounts(ARRAY[v_to.id], p_at, p_today);
    END IF;

    UPDATE members_account
    SET balance = balance - p_amount, seq = seq + 1,
        good_until = points_good_until(good_until, idle_months, p_today)
    WHERE id = v_from.id RETURNING seq, balance INTO o_seq, o_balance;
    UPDATE members_account t
    SET balance = t.balance + p_amount, seq = t.seq + 1,
        first_open_on = least(t.first_open_on, DATE '2000-01-01' + v_lots[1]::integer),
        first_open_seq = CASE WHEN DATE '2000-01-01' + v_lots[1]::integer < t.first_open_on
                              THEN t.seq + 1 ELSE t.first_open_seq END,
        good_until = CASE WHEN f.is_idle THEN greatest(t.good_until, f.good_until)
                          ELSE t.good_until END,
        idle_months = CASE WHEN f.is_idle THEN coalesce(t.idle_months, f.idle_months)
                           ELSE t.idle_months END
    FROM (SELECT good_until, idle_months,
                 EXISTS (SELECT FROM generate_series(1, cardinality(v_lots), 3) AS i
                         WHERE v_lots[i] = v_idle_day) AS is_idle
          FROM members_account WHERE id = v_from.id) AS f
    WHERE t.id = v_to.id RETURNING t.seq, t.balance INTO v_to.seq, v_to.balance;
    WITH passed AS (
        SELECT v_lots[i] AS day, -sum(v_lots[i + 2])::bigint AS points
        FROM generate_series(1, cardinality(v_lots), 3) AS i GROUP BY 1
    ), lots AS (
        INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending)
        SELECT v_to.id, DATE '2000-01-01' + day::integer, v_to.seq, points, points, false
        FROM passed
    )
    SELECT array_agg(n ORDER BY day, place) INTO v_credits
    FROM passed CROSS JOIN LATERAL (
        VALUES (1, day), (2, v_to.seq), (3, points)) AS triple (place, n);
    INSERT INTO members_transfer (key, from_account_id, from_seq, to_account_id, to_seq, points, at,
                                  on_date)
    VALUES (p_key, v_from.id, o_seq, v_to.id, v_to.seq, p_amount, p_at, p_today)
    RETURNING id INTO v_id;
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, cause, at)
    VALUES (v_from.id, o_seq, 9, -p_amount, o_balance, p_key, v_lots, 'transfer', v_id,
            jsonb_build_object('to', p_to), p_at),
           (v_to.id, v_to.seq, 9, p_amount, v_to.balance,
            md5('points.transfer:' || p_key)::uuid, v_credits, 'transfer', v_id,
            jsonb_build_object('from', p_from), p_at);
    o_outcome := 'posted';
    o_delta := -p_amount;
END
$$;
