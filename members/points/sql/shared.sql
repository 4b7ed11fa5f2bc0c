-- Whether this schema belongs to the brand that the caller works for.
CREATE OR REPLACE FUNCTION points_is_home(p_brand text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_brand = current_schema()::text
       AND EXISTS (SELECT FROM audit_brandidentity WHERE schema_name = p_brand)
$$;

-- The last good day of points earned on a day; `members.points.expiry` is the same in Python, and
-- a test holds them equal.
CREATE OR REPLACE FUNCTION points_expires_on(p_policy text, p_months integer, p_earned_on date) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_policy
        WHEN 'months' THEN (p_earned_on + make_interval(months => p_months))::date
        WHEN 'end_of_month' THEN (date_trunc('month', p_earned_on + make_interval(months => p_months))
            + INTERVAL '1 month - 1 day')::date
        WHEN 'end_of_quarter' THEN (date_trunc('quarter',
            p_earned_on + make_interval(months => p_months)) + INTERVAL '3 months - 1 day')::date
        WHEN 'end_of_year' THEN (date_trunc('year', p_earned_on + make_interval(months => p_months))
            + INTERVAL '1 year - 1 day')::date
        WHEN 'inactivity' THEN DATE '9999-12-30'
        ELSE DATE '9999-12-31'
    END
$$;

-- Add p_sign times the changes in p_lots (triples of day, number, change) to an account's lots.
CREATE OR REPLACE FUNCTION points_change_lots(p_account bigint, p_lots bigint[], p_sign integer) RETURNS void
LANGUAGE sql AS $$
    UPDATE members_lot l
    SET remaining = l.remaining + p_sign * p_lots[i + 2]
    FROM generate_series(1, cardinality(p_lots), 3) AS i
    WHERE l.account_id = p_account
      AND l.expires_on = DATE '2000-01-01' + p_lots[i]::integer AND l.seq = p_lots[i + 1]
$$;

-- Find an entry by its key, or by account and number. Entries never change, so this needs no lock.
-- Two queries: as one, it would be planned anew for each call.
CREATE OR REPLACE FUNCTION points_find_entry(p_key uuid, p_account bigint, p_seq bigint)
RETURNS members_entry LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_entry members_entry;
BEGIN
    IF p_key IS NOT NULL THEN
        SELECT * INTO v_entry FROM members_entry WHERE key = p_key;
    ELSE
        SELECT * INTO v_entry FROM members_entry WHERE account_id = p_account AND seq = p_seq;
    END IF;
    RETURN v_entry;
END
$$;

-- The number of points in an entry's changes of lots, without a sign.
CREATE OR REPLACE FUNCTION points_sum(p_lots bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(abs(p_lots[i])), 0)::bigint
    FROM generate_series(3, cardinality(p_lots), 3) AS i
$$;

-- How many points more than an account can spend now.
CREATE OR REPLACE FUNCTION points_missing(p_account bigint, p_amount bigint, p_today date)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_missing bigint;
BEGIN
    SELECT p_amount - greatest(least(a.balance, 0) + coalesce(sum(l.remaining), 0), 0)
    INTO v_missing
    FROM members_account a
    LEFT JOIN members_lot l ON l.account_id = a.id AND l.remaining > 0 AND NOT l.is_pending
        AND l.expires_on >= p_today
        AND (l.expires_on <> DATE '9999-12-30' OR a.good_until >= p_today)
    WHERE a.id = p_account GROUP BY a.balance;
    RETURN v_missing;
END
$$;

-- Until when lots that are good while their owner is active are good after an activity on p_day;
-- what has lapsed by then stays so.
CREATE OR REPLACE FUNCTION points_good_until(p_good_until date, p_months integer, p_day date)
RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_good_until >= p_day
                THEN greatest(p_good_until, (p_day + make_interval(months => p_months))::date)
                ELSE p_good_until END
$$;

-- Whether an adjustment by hand may be posted: within the limit of its person, member and 24
-- hours, or with the consent of somebody else. The caller holds the account's row lock.
CREATE OR REPLACE FUNCTION points_may_adjust(
    p_account bigint, p_wallet integer, p_owner bigint, p_change bigint, p_key uuid,
    p_at timestamptz, p_cause jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_limit bigint;
BEGIN
    SELECT adjust_limit INTO v_limit FROM members_wallet WHERE id = p_wallet;
    RETURN v_limit IS NULL
        OR p_cause ->> 'by' = 'system'
        OR abs(p_change) <= v_limit - points_adjusted_by(p_account, p_cause ->> 'person', p_at)
        OR EXISTS (
            SELECT FROM members_adjustmentrequest r
            WHERE r.key = p_key AND r.state = 'approved' AND r.owner_id = p_owner
              AND r.wallet_id = p_wallet AND r.amount = p_change);
END
$$;

-- What a person has added or taken by hand on an account in the 24 hours before, without what
-- somebody else has consented to.
CREATE OR REPLACE FUNCTION points_adjusted_by(p_account bigint, p_person text, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_points bigint;
BEGIN
    SELECT coalesce(sum(abs(e.delta)), 0) INTO v_points
    FROM members_entry e
    WHERE e.account_id = p_account AND e.kind = 5 AND e.ref_seq IS NULL
      AND e.at > p_at - INTERVAL '24 hours' AND e.cause ->> 'person' = p_person
      AND e.cause -> 'request' IS NULL;
    RETURN v_points;
END
$$;

-- Write down that lots which the caller has taken (their changes in p_lots) pay for points that
-- an earlier clawback could not take. The caller holds the account's row lock.
CREATE OR REPLACE FUNCTION points_recover(
    p_account bigint, p_lots bigint[], p_credit bigint, p_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_points bigint := points_sum(p_lots);
    v_seq bigint;
    v_balance bigint;
BEGIN
    IF v_points = 0 THEN
        RETURN;
    END IF;
    UPDATE members_account
    SET balance = balance - v_points, owed = owed - v_points, seq = seq + 1
    WHERE id = p_account RETURNING seq, balance INTO v_seq, v_balance;
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, at)
    VALUES (p_account, v_seq, 11, -v_points, v_balance, uuidv7(), p_lots, 'entry', p_credit, p_at);
END
$$;
