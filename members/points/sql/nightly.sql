-- Expire all due lots of the accounts, which the caller has locked in an earlier statement: one
-- statement, so one entry per account. Lots that are good while their owner is active are due when
-- the account's last good day has passed; the entry then says so.
CREATE OR REPLACE FUNCTION points_expire_accounts(
    p_accounts bigint[], p_at timestamptz, p_today date,
    OUT o_lots bigint, OUT o_points bigint, OUT o_account_ids bigint[], OUT o_account_points bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_idle bigint[];
BEGIN
    SELECT array_agg(id) INTO v_idle FROM members_account
    WHERE good_until < p_today AND id = ANY (p_accounts);
    WITH due AS (
        UPDATE members_lot l SET remaining = 0, is_pending = false
        WHERE l.is_open AND l.expires_on < p_today AND l.account_id = ANY (p_accounts)
        RETURNING l.account_id, l.expires_on, l.seq, old.remaining AS points,
                  old.is_pending AS was_pending
    ), lapsed AS (
        UPDATE members_lot l SET remaining = 0, is_pending = false
        WHERE l.is_open AND l.expires_on = DATE '9999-12-30' AND l.account_id = ANY (v_idle)
        RETURNING l.account_id, l.expires_on, l.seq, old.remaining AS points,
                  old.is_pending AS was_pending
    ), summed AS (
        SELECT account_id, count(*) AS lots, sum(points) AS points,
               coalesce(sum(points) FILTER (WHERE was_pending), 0) AS pending,
               array_agg(ARRAY[expires_on - DATE '2000-01-01', seq, -points]
                         ORDER BY expires_on, seq) AS changes
        FROM (SELECT * FROM due UNION ALL SELECT * FROM lapsed) AS gone GROUP BY account_id
    ), moved AS (
        UPDATE members_account a
        SET balance = a.balance - s.points, pending = a.pending - s.pending, seq = a.seq + 1
        FROM summed s WHERE a.id = s.account_id
        RETURNING a.id, a.seq, a.balance, a.good_until, a.idle_months
    ), posted AS (
        INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots,
                                   source_type, cause, at)
        SELECT m.id, m.seq, 3, -s.points, m.balance, uuidv7(),
               (SELECT array_agg(c ORDER BY n) FROM unnest(s.changes) WITH ORDINALITY AS u(c, n)),
               '',
               CASE WHEN m.good_until < p_today THEN jsonb_build_object(
                   'idle_until', m.good_until, 'months', m.idle_months) END,
               p_at
        FROM moved m JOIN summed s ON s.account_id = m.id
    )
    SELECT coalesce(sum(lots), 0)::bigint, coalesce(sum(points), 0)::bigint,
           coalesce(array_agg(account_id), '{}'), coalesce(array_agg(points::bigint), '{}')
    INTO o_lots, o_points, o_account_ids, o_account_points
    FROM summed;
    IF v_idle IS NOT NULL THEN
        UPDATE members_account SET good_until = NULL, idle_months = NULL WHERE id = ANY (v_idle);
    END IF;
END
$$;

-- Expire due lots of the accounts that own the first p_limit due lots. Accounts are locked before
-- lots, in the order of their keys; those locked by others are skipped unless p_wait.
CREATE OR REPLACE FUNCTION points_expire_chunk(
    p_brand text, p_at timestamptz, p_today date, p_limit integer, p_wait boolean,
    OUT o_accounts bigint, OUT o_lots bigint, OUT o_points bigint,
    OUT o_account_ids bigint[], OUT o_account_points bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_accounts bigint[];
BEGIN
    v_accounts := points_lock_accounts(p_brand, ARRAY(
        (SELECT account_id FROM members_lot WHERE is_open AND expires_on < p_today
         ORDER BY expires_on LIMIT p_limit)
        UNION ALL
        (SELECT id FROM members_account WHERE good_until < p_today
         ORDER BY good_until LIMIT p_limit)), p_wait);
    o_accounts := cardinality(v_accounts);
    SELECT * INTO o_lots, o_points, o_account_ids, o_account_points
    FROM points_expire_accounts(v_accounts, p_at, p_today);
END
$$;

-- Make lots spendable whose waiting is over; chunks as above. The balance stays, so no entry.
CREATE OR REPLACE FUNCTION points_activate_chunk(
    p_brand text, p_at timestamptz, p_limit integer, p_wait boolean,
    OUT o_accounts bigint, OUT o_lots bigint, OUT o_points bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_accounts bigint[];
BEGIN
    v_accounts := points_lock_accounts(p_brand, ARRAY(
        SELECT account_id FROM members_lot WHERE is_pending AND available_at <= p_at
        ORDER BY available_at LIMIT p_limit), p_wait);
    o_accounts := cardinality(v_accounts);
    WITH matured AS (
        UPDATE members_lot SET is_pending = false
        WHERE is_pending AND available_at <= p_at AND account_id = ANY (v_accounts)
        RETURNING account_id, remaining
    ), summed AS (
        SELECT account_id, count(*) AS lots, sum(remaining) AS points FROM matured
        GROUP BY account_id
    ), moved AS (
        UPDATE members_account a SET pending = a.pending - s.points
        FROM summed s WHERE a.id = s.account_id
    )
    SELECT coalesce(sum(lots), 0), coalesce(sum(points), 0) INTO o_lots, o_points FROM summed;
END
$$;

-- Null when the schema belongs to another brand: then nothing is done.
CREATE OR REPLACE FUNCTION points_lock_accounts(p_brand text, p_accounts bigint[], p_wait boolean)
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_locked bigint[];
BEGIN
    IF NOT points_is_home(p_brand) THEN
        RETURN NULL;
    END IF;
    IF p_wait THEN
        SELECT array_agg(id) INTO v_locked FROM (
            SELECT id FROM members_account WHERE id = ANY (p_accounts) ORDER BY id FOR UPDATE
        ) AS locked;
    ELSE
        SELECT array_agg(id) INTO v_locked FROM (
            SELECT id FROM members_account WHERE id = ANY (p_accounts) ORDER BY id
            FOR UPDATE SKIP LOCKED
        ) AS locked;
    END IF;
    RETURN coalesce(v_locked, '{}');
END
$$;
