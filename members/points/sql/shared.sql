-- Whether this schema belongs to the brand that the caller works for.
CREATE FUNCTION points_is_home(p_brand text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_brand = current_schema()::text
       AND EXISTS (SELECT FROM audit_brandidentity WHERE schema_name = p_brand)
$$;

-- The last good day of points earned on a day; `members.points.expiry` is the same in Python, and
-- a test holds them equal.
CREATE FUNCTION points_expires_on(p_policy text, p_months integer, p_earned_on date) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_policy
        WHEN 'months' THEN (p_earned_on + make_interval(months => p_months))::date
        WHEN 'end_of_month' THEN (date_trunc('month', p_earned_on + make_interval(months => p_months))
            + INTERVAL '1 month - 1 day')::date
        WHEN 'end_of_quarter' THEN (date_trunc('quarter',
            p_earned_on + make_interval(months => p_months)) + INTERVAL '3 months - 1 day')::date
        WHEN 'end_of_year' THEN (date_trunc('year', p_earned_on + make_interval(months => p_months))
            + INTERVAL '1 year - 1 day')::date
        ELSE DATE '9999-12-31'
    END
$$;

-- Add p_sign times the changes in p_lots (triples of day, number, change) to an account's lots.
CREATE FUNCTION points_change_lots(p_account bigint, p_lots bigint[], p_sign integer) RETURNS void
LANGUAGE sql AS $$
    UPDATE members_lot l
    SET remaining = l.remaining + p_sign * p_lots[i + 2]
    FROM generate_series(1, cardinality(p_lots), 3) AS i
    WHERE l.account_id = p_account
      AND l.expires_on = DATE '2000-01-01' + p_lots[i]::integer AND l.seq = p_lots[i + 1]
$$;

-- Find an entry by its key, or by account and number. Entries never change, so this needs no lock.
-- Two queries: as one, it would be planned anew for each call.
CREATE FUNCTION points_find_entry(p_key uuid, p_account bigint, p_seq bigint)
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
CREATE FUNCTION points_sum(p_lots bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(abs(p_lots[i])), 0)::bigint
    FROM generate_series(3, cardinality(p_lots), 3) AS i
$$;
