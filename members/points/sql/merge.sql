-- Two members become one: the account of the one who goes (its `merged_into_id` names the account
-- of the one who stays, `merge_id` the merge) hands all it has over, now and whenever something
-- comes back to it later. Each hand-over is a pair of entries of kind 9, one in each account, with
-- the source ('merge', merge_id). Their cause says which `move` it is and which `entry` of the
-- other account belongs to it:
--   lots: open lots go over; debt: what is owed goes over; pull: points come back for a clawback;
--   back, debt_back: the merge is undone.
-- Holds stay where they are: what they give back goes over at once.
-- Lots keep their last good day and, while they wait, their instant. Lots of one day that can both
-- be spent become one; those that wait until different instants go over by further pairs, as an
-- entry makes one lot for each day.

-- Write one half of a pair. The caller has locked the account and changes its balance.
CREATE OR REPLACE FUNCTION points_merge_entry(
    p_account bigint, p_seq bigint, p_delta bigint, p_balance bigint, p_lots bigint[],
    p_merge bigint, p_move text, p_entry bigint, p_at timestamptz, p_more jsonb DEFAULT '{}'
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, cause, at)
    VALUES (p_account, p_seq, 9, p_delta, p_balance,
            md5('points.merge:' || p_account || ':' || p_seq)::uuid, p_lots, 'merge', p_merge,
            jsonb_build_object('merge', p_merge, 'move', p_move, 'entry', p_entry) || p_more, p_at)
$$;

-- Take p_amount out of an account's lots for a debt, waiting ones last, as a clawback does: due
-- lots expire first, so that a debt never stands beside open lots. Returns the changes; the caller
-- holds the account and changes its balance.
CREATE OR REPLACE FUNCTION points_take_for_debt(
    p_account bigint, p_amount bigint, p_at timestamptz, p_today date
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_lots bigint[] := '{}';
BEGIN
    PERFORM points_expire_accounts(ARRAY[p_account], p_at, p_today);
    v_lots := points_take(p_account, p_amount, p_at, p_today, p_today, 0, false, true);
    IF points_sum(v_lots) < p_amount THEN
        v_lots := v_lots || points_take(p_account, p_amount - points_sum(v_lots), p_at, p_today,
                                        p_today, 0, true, true);
    END IF;
    RETURN v_lots;
END
$$;

-- Hand over what the account p_from has to the account it is merged into, and on along the line.
-- Both are locked here, the caller's lock included in the order. Returns the points handed over
-- (below zero: a debt).
CREATE OR REPLACE FUNCTION points_hand_over(p_from bigint, p_at timestamptz, p_today date)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_from members_account;
    v_to members_account;
    v_round record;
    v_made record;
    v_lots bigint[];
    v_claim bigint;
    v_total bigint := 0;
BEGIN
    SELECT * INTO v_from FROM members_account WHERE id = p_from FOR UPDATE;
    IF v_from.merged_into_id IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM FROM members_account WHERE id = v_from.merged_into_id FOR UPDATE;
    PERFORM points_expire_accounts(ARRAY[p_from], p_at, p_today);
    SELECT * INTO v_from FROM members_account WHERE id = p_from;
    IF v_from.owed > 0 THEN
        UPDATE members_account
        SET owed = 0, owed_moved = owed_moved - v_from.owed, owed_gone = owed_gone + v_from.owed
        WHERE id = p_from;
        UPDATE members_account
        SET owed = owed + v_from.owed, owed_moved = owed_moved + v_from.owed
        WHERE id = v_from.merged_into_id;
    END IF;
    IF v_from.balance > 0 THEN
        PERFORM points_expire_accounts(ARRAY[v_from.merged_into_id], p_at, p_today);
    END IF;

    FOR v_round IN
        SELECT n, sum(remaining)::bigint AS points,
               coalesce(sum(remaining) FILTER (WHERE is_pending), 0)::bigint AS pending,
               array_agg(ARRAY[expires_on - DATE '2000-01-01', seq, -remaining]
                         ORDER BY expires_on, seq) AS taken
        FROM (
            SELECT l.*, dense_rank() OVER (
                       PARTITION BY l.expires_on
                       ORDER BY CASE WHEN l.is_pending THEN l.available_at END NULLS FIRST) AS n
            FROM members_lot l WHERE l.account_id = p_from AND l.remaining > 0
        ) AS numbered
        GROUP BY n ORDER BY n
    LOOP
        SELECT * INTO v_from FROM members_account WHERE id = p_from;
        SELECT * INTO v_to FROM members_account WHERE id = v_from.merged_into_id;
        WITH gone AS (
            UPDATE members_lot l SET remaining = 0, is_pending = false
            FROM unnest(v_round.taken[:][1:1], v_round.taken[:][2:2]) AS t(day, number)
            WHERE l.account_id = p_from AND l.expires_on = DATE '2000-01-01' + t.day::integer
              AND l.seq = t.number
            RETURNING l.expires_on, old.remaining AS points,
                      CASE WHEN old.is_pending THEN old.available_at END AS good_from
        ), grouped AS (
            SELECT expires_on, good_from, sum(points)::bigint AS points FROM gone GROUP BY 1, 2
        ), paid AS (
            SELECT grouped.*, least(points, greatest(greatest(-v_to.balance, 0)
                       - (sum(points) OVER (ORDER BY expires_on) - points), 0))::bigint AS pay
            FROM grouped
        ), made AS (
            INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, available_at,
                                     is_pending)
            SELECT v_to.id, expires_on, v_to.seq + 1, points, points - pay, good_from,
                   good_from IS NOT NULL AND points > pay
            FROM paid
        )
        SELECT coalesce(sum(points - pay) FILTER (WHERE good_from IS NOT NULL), 0)::bigint AS pending,
               min(expires_on) AS first_on,
               bool_or(expires_on = DATE '9999-12-30') AS is_idle,
               array_agg(ARRAY[expires_on - DATE '2000-01-01', v_to.seq + 1, points]
                         ORDER BY expires_on) AS lots,
               array_agg(ARRAY[expires_on - DATE '2000-01-01', v_to.seq + 1, -pay]
                         ORDER BY expires_on) FILTER (WHERE pay > 0) AS paid
        INTO v_made FROM paid;

        UPDATE members_account
        SET balance = balance - v_round.points, pending = pending - v_round.pending, seq = seq + 1
        WHERE id = p_from;
        UPDATE members_account
        SET balance = balance + v_round.points, pending = pending + v_made.pending, seq = seq + 1,
            first_open_on = least(first_open_on, v_made.first_on),
            first_open_seq = CASE WHEN v_made.first_on < first_open_on THEN seq + 1
                                  ELSE first_open_seq END,
            good_until = CASE WHEN v_made.is_idle THEN greatest(good_until, v_from.good_until)
                              ELSE good_until END,
            idle_months = CASE WHEN v_made.is_idle THEN coalesce(idle_months, v_from.idle_months)
                               ELSE idle_months END
        WHERE id = v_to.id;
        PERFORM points_merge_entry(
            p_from, v_from.seq + 1, -v_round.points, v_from.balance - v_round.points,
            ARRAY(SELECT unnest(v_round.taken)), v_from.merge_id, 'lots', v_to.seq + 1, p_at);
        PERFORM points_merge_entry(
            v_to.id, v_to.seq + 1, v_round.points, v_to.balance + v_round.points,
            ARRAY(SELECT unnest(v_made.lots)) || ARRAY(SELECT unnest(v_made.paid)),
            v_from.merge_id, 'lots', v_from.seq + 1, p_at,
            CASE WHEN v_made.is_idle AND v_from.good_until > v_to.good_until
                 THEN jsonb_build_object('good_until', v_to.good_until) ELSE '{}' END);
        v_total := v_total + v_round.points;
    END LOOP;

    IF v_from.balance < 0 THEN
        v_lots := points_take_for_debt(v_from.merged_into_id, -v_from.balance, p_at, p_today);
        SELECT a.* INTO v_to FROM members_account a WHERE a.id = v_from.merged_into_id;
        -- Where debts are not allowed any more, what the lots do not pay stays where it is.
        v_claim := CASE WHEN (SELECT may_go_negative FROM members_wallet WHERE id = v_to.wallet_id)
                        THEN -v_from.balance ELSE points_sum(v_lots) END;
        IF v_claim > 0 THEN
            UPDATE members_account SET balance = balance - v_claim, seq = seq + 1
            WHERE id = v_to.id;
            UPDATE members_account SET balance = balance + v_claim, seq = seq + 1
            WHERE id = p_from;
            PERFORM points_merge_entry(v_to.id, v_to.seq + 1, -v_claim, v_to.balance - v_claim,
                v_lots, v_from.merge_id, 'debt', v_from.seq + 1, p_at);
            PERFORM points_merge_entry(p_from, v_from.seq + 1, v_claim, v_from.balance + v_claim,
                '{}', v_from.merge_id, 'debt', v_to.seq + 1, p_at);
        END IF;
        v_total := v_total - v_claim;
    END IF;
    PERFORM points_hand_over(v_from.merged_into_id, p_at, p_today);
    RETURN v_total;
END
$$;

-- Bring p_amount back into an account from the one it is merged into, for a clawback: first what is
-- left of the lot (p_day, p_seq) there, which fills that lot again, then other lots by earliest
-- expiry, as a new lot of this day. Less when there is less. Returns how much.
CREATE OR REPLACE FUNCTION points_pull(
    p_account bigint, p_day bigint, p_seq bigint, p_amount bigint, p_at timestamptz, p_today date
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_account members_account;
    v_to members_account;
    v_lot record;
    v_own bigint := 0;
    v_quantity bigint;
    v_pending bigint := 0;
    v_taken bigint[] := '{}';
    v_other bigint[] := '{}';
    v_back bigint[] := '{}';
    v_away bigint;
    v_rest bigint;
BEGIN
    SELECT * INTO v_account FROM members_account WHERE id = p_account FOR UPDATE;
    IF v_account.merged_into_id IS NULL OR p_amount <= 0 THEN
        RETURN 0;
    END IF;
    SELECT * INTO v_to FROM members_account WHERE id = v_account.merged_into_id FOR UPDATE;
    IF v_to.merged_into_id IS NOT NULL THEN
        PERFORM points_pull(v_to.id, 0, 0, p_amount, p_at, p_today);
    END IF;
    -- Never more comes back to the lot than went away from it.
    SELECT least(coalesce(-sum(e.lots[i + 2]), 0), p_amount) INTO v_away
    FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
    WHERE e.account_id = p_account AND e.source_type = 'merge' AND e.kind = 9
      AND e.source_id = v_account.merge_id AND e.lots[i] = p_day AND e.lots[i + 1] = p_seq;
    FOR v_lot IN
        SELECT l.ctid AS place, l.expires_on - DATE '2000-01-01' AS day, l.seq, l.remaining,
               l.is_pending
        FROM members_entry e
        JOIN members_lot l ON l.account_id = v_to.id AND l.seq = (e.cause->>'entry')::bigint
            AND l.expires_on = DATE '2000-01-01' + p_day::integer AND l.remaining > 0
        WHERE e.account_id = p_account AND e.source_type = 'merge' AND e.kind = 9
          AND e.cause->>'move' = 'lots' AND e.source_id = v_account.merge_id
          AND EXISTS (SELECT FROM generate_series(1, cardinality(e.lots), 3) AS i
                      WHERE e.lots[i] = p_day AND e.lots[i + 1] = p_seq)
        ORDER BY l.seq
    LOOP
        v_quantity := least(v_lot.remaining, v_away - v_own);
        EXIT WHEN v_quantity <= 0;
        UPDATE members_lot
        SET remaining = remaining - v_quantity, is_pending = is_pending AND remaining > v_quantity
        WHERE ctid = v_lot.place;
        v_taken := v_taken || ARRAY[v_lot.day, v_lot.seq, -v_quantity];
        v_own := v_own + v_quantity;
        IF v_lot.is_pending THEN
            v_pending := v_pending + v_quantity;
        END IF;
    END LOOP;
    UPDATE members_account SET pending = pending - v_pending WHERE id = v_to.id;
    IF v_own < p_amount THEN
        v_other := points_take_for_debt(v_to.id, p_amount - v_own, p_at, p_today);
    END IF;
    v_rest := points_sum(v_other);
    IF v_own + v_rest = 0 THEN
        RETURN 0;
    END IF;
    -- Expiry may have written entries of its own.
    SELECT * INTO v_to FROM members_account WHERE id = v_to.id;
    IF v_own > 0 THEN
        UPDATE members_lot SET remaining = remaining + v_own
        WHERE account_id = p_account AND expires_on = DATE '2000-01-01' + p_day::integer
          AND seq = p_seq;
        v_back := ARRAY[p_day, p_seq, v_own];
    END IF;
    IF v_rest > 0 THEN
        INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending)
        VALUES (p_account, p_today, v_account.seq + 1, v_rest, v_rest, false);
        v_back := v_back || ARRAY[p_today - DATE '2000-01-01', v_account.seq + 1, v_rest];
    END IF;
    UPDATE members_account SET balance = balance - v_own - v_rest, seq = seq + 1
    WHERE id = v_to.id;
    UPDATE members_account
    SET balance = balance + v_own + v_rest, seq = seq + 1, first_open_on = DATE '2000-01-01',
        first_open_seq = 0
    WHERE id = p_account;
    PERFORM points_merge_entry(
        v_to.id, v_to.seq + 1, -v_own - v_rest, v_to.balance - v_own - v_rest, v_taken || v_other,
        v_account.merge_id, 'pull', v_account.seq + 1, p_at);
    PERFORM points_merge_entry(
        p_account, v_account.seq + 1, v_own + v_rest, v_account.balance + v_own + v_rest, v_back,
        v_account.merge_id, 'pull', v_to.seq + 1, p_at);
    RETURN v_own + v_rest;
END
$$;

-- Undo a merge for one account: what is left of the lots that went over comes back to the lots they
-- came from, and debts go back to whose they were. What was spent, held or has expired in between
-- stays where that happened. What the lots paid of a debt there is owed there again.
-- Returns the points that came back (below zero: a debt).
CREATE OR REPLACE FUNCTION points_hand_back(p_account bigint, p_at timestamptz, p_today date)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_account members_account;
    v_to members_account;
    v_merge bigint;
    v_lot record;
    v_home record;
    v_entry members_entry;
    v_may_owe boolean;
    v_back bigint[] := '{}';
    v_taken bigint[] := '{}';
    v_debt_lots bigint[] := '{}';
    v_back_debt bigint := 0;
    v_pending bigint := 0;
    v_home_pending bigint := 0;
    v_can bigint;
    v_quantity bigint;
    v_from_lot bigint;
    v_points bigint;
    v_cut bigint;
    v_claim bigint;
    v_given bigint;
    v_rest bigint;
    v_new_on date;
    v_total bigint := 0;
BEGIN
    PERFORM FROM members_account
    WHERE id = p_account OR id = (SELECT merged_into_id FROM members_account WHERE id = p_account)
    ORDER BY id FOR UPDATE;
    SELECT * INTO v_account FROM members_account WHERE id = p_account;
    IF v_account.merged_into_id IS NULL THEN
        RETURN 0;
    END IF;
    -- Nothing may lie here: it would be told apart from what comes back no more.
    PERFORM points_hand_over(p_account, p_at, p_today);
    v_merge := v_account.merge_id;
    SELECT w.may_go_negative INTO v_may_owe FROM members_wallet w WHERE w.id = v_account.wallet_id;

    FOR v_lot IN
        SELECT e.seq, (e.cause->>'entry')::bigint AS pair, e.lots[i] AS day, l.remaining,
               l.is_pending,
               coalesce((SELECT -sum(e.lots[j + 2])
                         FROM generate_series(1, cardinality(e.lots), 3) AS j
                         WHERE e.lots[j] = e.lots[i] AND e.lots[j + 2] < 0), 0)::bigint AS paid
        FROM members_entry e
        CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
        JOIN members_lot l ON l.account_id = e.account_id AND l.seq = e.seq
            AND l.expires_on = DATE '2000-01-01' + e.lots[i]::integer
        WHERE e.account_id = v_account.merged_into_id AND e.source_type = 'merge'
          AND e.source_id = v_merge AND e.kind = 9 AND e.cause->>'move' = 'lots'
          AND e.delta > 0 AND e.lots[i + 2] > 0
        ORDER BY e.seq DESC, e.lots[i] DESC
    LOOP
        v_can := v_lot.remaining + v_lot.paid;
        v_points := 0;
        -- The lots it was made of, those spent last first, with what of them is still away.
        FOR v_home IN
            SELECT o.lots[i + 1] AS seq, -o.lots[i + 2] AS sent, (
                SELECT coalesce(-sum(e.lots[j + 2]), 0)
                FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS j
                WHERE e.account_id = p_account AND e.source_type = 'merge' AND e.kind = 9
                  AND e.source_id = v_merge AND e.lots[j] = v_lot.day
                  AND e.lots[j + 1] = o.lots[i + 1]
            ) - (
                SELECT coalesce(sum(v_back[k + 2]), 0)
                FROM generate_series(1, cardinality(v_back), 3) AS k
                WHERE v_back[k] = v_lot.day AND v_back[k + 1] = o.lots[i + 1]
            ) AS away
            FROM members_entry o CROSS JOIN generate_series(1, cardinality(o.lots), 3) AS i
            WHERE o.account_id = p_account AND o.seq = v_lot.pair AND o.lots[i] = v_lot.day
            ORDER BY o.lots[i + 1] DESC
        LOOP
            v_quantity := least(v_home.sent, v_home.away, v_can - v_points);
            IF v_quantity > 0 THEN
                v_back := v_back || ARRAY[v_lot.day, v_home.seq, v_quantity];
                v_points := v_points + v_quantity;
            END IF;
        END LOOP;
        v_from_lot := least(v_points, v_lot.remaining);
        IF v_from_lot > 0 THEN
            v_taken := v_taken || ARRAY[v_lot.day, v_lot.seq, -v_from_lot];
            UPDATE members_lot
            SET remaining = remaining - v_from_lot,
                is_pending = is_pending AND remaining > v_from_lot
            WHERE account_id = v_account.merged_into_id AND seq = v_lot.seq
              AND expires_on = DATE '2000-01-01' + v_lot.day::integer;
            IF v_lot.is_pending THEN
                v_pending := v_pending + v_from_lot;
            END IF;
        END IF;
        v_back_debt := v_back_debt + v_points - v_from_lot;
    END LOOP;
    UPDATE members_account SET pending = pending - v_pending WHERE id = v_account.merged_into_id;

    -- What had paid a debt comes out of other lots, or is owed again.
    IF v_back_debt > 0 THEN
        v_debt_lots := points_take_for_debt(v_account.merged_into_id, v_back_debt, p_at, p_today);
        v_cut := CASE WHEN v_may_owe THEN 0 ELSE v_back_debt - points_sum(v_debt_lots) END;
        v_back_debt := v_back_debt - v_cut;
        -- Less comes back, where debts are not allowed any more.
        FOR k IN REVERSE cardinality(v_back) - 2 .. 1 BY 3 LOOP
            EXIT WHEN v_cut = 0;
            v_quantity := least(v_cut, v_back[k + 2]);
            v_back[k + 2] := v_back[k + 2] - v_quantity;
            v_cut := v_cut - v_quantity;
        END LOOP;
    END IF;
    v_points := points_sum(v_taken) + v_back_debt;
    IF v_points > 0 THEN
        -- One change for each lot.
        SELECT coalesce(array_agg(x ORDER BY day, seq, n), '{}') INTO v_back FROM (
            SELECT v_back[k] AS day, v_back[k + 1] AS seq, sum(v_back[k + 2])::bigint AS points
            FROM generate_series(1, cardinality(v_back), 3) AS k
            GROUP BY 1, 2 HAVING sum(v_back[k + 2]) > 0
        ) AS summed CROSS JOIN LATERAL (VALUES (1, day), (2, seq), (3, points)) AS flat(n, x);
        PERFORM points_change_lots(p_account, v_back, 1);
        WITH waiting AS (
            UPDATE members_lot l SET is_pending = true
            FROM generate_series(1, cardinality(v_back), 3) AS k
            WHERE l.account_id = p_account
              AND l.expires_on = DATE '2000-01-01' + v_back[k]::integer AND l.seq = v_back[k + 1]
              AND l.available_at > p_at
            RETURNING v_back[k + 2] AS points
        )
        SELECT coalesce(sum(points), 0) INTO v_home_pending FROM waiting;
        SELECT * INTO v_to FROM members_account WHERE id = v_account.merged_into_id;
        SELECT * INTO v_account FROM members_account WHERE id = p_account;
        UPDATE members_account SET balance = balance - v_points, seq = seq + 1 WHERE id = v_to.id;
        UPDATE members_account
        SET balance = balance + v_points, pending = pending + v_home_pending, seq = seq + 1,
            first_open_on = DATE '2000-01-01', first_open_seq = 0
        WHERE id = p_account;
        PERFORM points_merge_entry(v_to.id, v_to.seq + 1, -v_points, v_to.balance - v_points,
            v_taken || v_debt_lots, v_merge, 'back', v_account.seq + 1, p_at);
        PERFORM points_merge_entry(p_account, v_account.seq + 1, v_points,
            v_account.balance + v_points, v_back, v_merge, 'back', v_to.seq + 1, p_at);
        v_total := v_points;
    END IF;

    -- Debts that went over go back: to the lots that paid them, what is left to a debt there.
    FOR v_entry IN
        SELECT * FROM members_entry
        WHERE account_id = v_account.merged_into_id AND source_type = 'merge'
          AND source_id = v_merge AND kind = 9 AND cause->>'move' = 'debt'
        ORDER BY seq DESC
    LOOP
        v_claim := -v_entry.delta;
        v_taken := points_take_for_debt(p_account, v_claim, p_at, p_today);
        IF NOT v_may_owe THEN
            v_claim := points_sum(v_taken);
        END IF;
        CONTINUE WHEN v_claim = 0;
        SELECT * INTO v_to FROM members_account WHERE id = v_account.merged_into_id;
        SELECT * INTO v_account FROM members_account WHERE id = p_account;
        v_given := least(v_claim, points_sum(v_entry.lots));
        v_cut := greatest(-v_to.balance, 0);
        v_rest := v_claim - v_given;
        v_back := '{}';
        IF v_given > 0 THEN
            v_back := points_give_back(v_to.id, v_entry.lots, 0, v_given,
                greatest(v_cut - v_rest, 0), v_to.seq + 1, p_at, p_today,
                (SELECT restore_grace_days FROM members_wallet WHERE id = v_to.wallet_id));
        END IF;
        IF v_rest > v_cut THEN
            -- The debt has been paid since, by other points: these are a new lot.
            SELECT points_expires_on(expiry_policy, expiry_months, p_today) INTO v_new_on
            FROM members_wallet WHERE id = v_to.wallet_id;
            INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending)
            VALUES (v_to.id, v_new_on, v_to.seq + 1, v_rest - v_cut, v_rest - v_cut, false)
            ON CONFLICT (account_id, expires_on, seq) DO UPDATE
            SET earned = members_lot.earned + EXCLUDED.earned,
                remaining = members_lot.remaining + EXCLUDED.remaining;
            v_back := v_back
                || ARRAY[v_new_on - DATE '2000-01-01', v_to.seq + 1, v_rest - v_cut];
            UPDATE members_account SET first_open_on = DATE '2000-01-01', first_open_seq = 0
            WHERE id = v_to.id;
        END IF;
        UPDATE members_account SET balance = balance + v_claim, seq = seq + 1 WHERE id = v_to.id;
        UPDATE members_account SET balance = balance - v_claim, seq = seq + 1 WHERE id = p_account;
        PERFORM points_merge_entry(v_to.id, v_to.seq + 1, v_claim, v_to.balance + v_claim, v_back,
            v_merge, 'debt_back', v_account.seq + 1, p_at);
        PERFORM points_merge_entry(p_account, v_account.seq + 1, -v_claim,
            v_account.balance - v_claim, v_taken, v_merge, 'debt_back', v_to.seq + 1, p_at);
        v_total := v_total - v_claim;
    END LOOP;
    SELECT * INTO v_account FROM members_account WHERE id = p_account;
    SELECT * INTO v_to FROM members_account WHERE id = v_account.merged_into_id;
    v_cut := least(v_to.owed, v_account.owed_gone);
    -- Lots that are good while their owner is active: without an activity since, each has its own
    -- day again; with one, it was an activity of both.
    SELECT (e.cause->>'good_until')::date INTO v_new_on FROM members_entry e
    WHERE e.account_id = v_to.id AND e.source_type = 'merge' AND e.source_id = v_merge
      AND e.kind = 9 AND e.cause ? 'good_until' ORDER BY e.seq LIMIT 1;
    UPDATE members_account
    SET owed = owed - v_cut, owed_moved = owed_moved - v_cut,
        good_until = CASE WHEN good_until = v_account.good_until
                          THEN coalesce(v_new_on, good_until) ELSE good_until END
    WHERE id = v_to.id;
    UPDATE members_account
    SET owed = owed + v_cut, owed_moved = owed_moved + v_cut, owed_gone = 0,
        good_until = CASE WHEN v_to.good_until > good_until AND v_to.idle_months IS NOT NULL
                               AND v_to.good_until <> coalesce(v_new_on, v_to.good_until)
                          THEN v_to.good_until ELSE good_until END,
        merged_into_id = NULL, merge_id = NULL
    WHERE id = p_account;
    RETURN v_total;
END
$$;

-- Around the functions that work on the account of an entry that is named: an account that was
-- merged fetches what is to be taken back, and hands over what comes back.
CREATE OR REPLACE FUNCTION points_end_merged_hold(
    p_brand text, p_kind integer, p_hold_key uuid, p_hold_account bigint, p_hold_seq bigint,
    p_key uuid, p_at timestamptz, p_today date, p_source_type text, p_source_id bigint,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO o_outcome, o_account, o_seq, o_balance, o_delta, o_shortfall, o_detail
    FROM points_end_hold(p_brand, p_kind, p_hold_key, p_hold_account, p_hold_seq, p_key, p_at,
                         p_today, p_source_type, p_source_id);
    IF p_kind = 8 AND o_outcome = 'posted' THEN
        PERFORM points_hand_over(o_account, p_at, p_today);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION points_reverse_merged(
    p_brand text, p_ref_key uuid, p_ref_account bigint, p_ref_seq bigint, p_amount bigint,
    p_key uuid, p_at timestamptz, p_today date, p_source_type text, p_source_id bigint,
    p_cause jsonb,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_entry members_entry;
    v_into bigint;
    v_claim bigint;
    v_left bigint;
    v_cut bigint;
    v_remaining bigint;
BEGIN
    v_entry := points_find_entry(p_ref_key, p_ref_account, p_ref_seq);
    -- Without a lock: what makes a reversal (a refund, a redemption) holds a row that a merge moves,
    -- so that it has come either wholly before the merge or wholly after.
    SELECT merged_into_id INTO v_into FROM members_account WHERE id = v_entry.account_id;
    IF v_into IS NOT NULL AND v_entry.delta > 0 AND v_entry.kind IN (1, 5)
       AND points_is_home(p_brand)
       AND NOT EXISTS (SELECT FROM members_entry WHERE key = p_key) THEN
        SELECT v_entry.delta + coalesce(v_entry.shortfall, 0)
                   - coalesce(sum(abs(e.delta) + coalesce(e.shortfall, 0)), 0),
               v_entry.delta - coalesce(sum(abs(e.delta)), 0)
        INTO v_left, v_claim
        FROM members_entry e
        WHERE e.account_id = v_entry.account_id AND e.ref_seq = v_entry.seq
          AND e.kind IN (4, 5, 10);
        SELECT v_claim - coalesce(sum(-e.lots[i + 2]), 0) INTO v_claim
        FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
        WHERE e.account_id = v_entry.account_id AND e.seq > v_entry.seq AND e.kind = 3
          AND e.lots[i] = v_entry.lots[1] AND e.lots[i + 1] = v_entry.lots[2];
        SELECT l.remaining INTO v_remaining FROM members_lot l
        WHERE l.account_id = v_entry.account_id AND l.seq = v_entry.lots[2]
          AND l.expires_on = DATE '2000-01-01' + v_entry.lots[1]::integer;
        -- What a cap cut off the credit goes first.
        v_cut := greatest(v_left - v_entry.delta, 0);
        v_claim := least(least(coalesce(p_amount, v_left), v_left) - v_cut, v_claim) - v_remaining;
        PERFORM points_pull(v_entry.account_id, v_entry.lots[1], v_entry.lots[2], v_claim, p_at,
                            p_today);
    END IF;
    SELECT * INTO o_outcome, o_account, o_seq, o_balance, o_delta, o_shortfall, o_detail
    FROM points_reverse(p_brand, p_ref_key, p_ref_account, p_ref_seq, p_amount, p_key, p_at,
                        p_today, p_source_type, p_source_id, p_cause);
    IF v_into IS NOT NULL THEN
        PERFORM points_hand_over(v_entry.account_id, p_at, p_today);
    END IF;
END
$$;
