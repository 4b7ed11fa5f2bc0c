-- What a member holds on a brand day, and under which scheme; all null when there is no such member.
-- With p_lock the member's row stays locked: purchases of one member wait here for each other, and
-- what is read was true after the wait.
CREATE OR REPLACE FUNCTION tiers_hold(
    p_member bigint, p_on date, p_lock boolean,
    OUT o_enrolled_at timestamptz, OUT o_tier bigint, OUT o_since timestamptz,
    OUT o_valid_until date, OUT o_grace_until date, OUT o_scheme bigint, OUT o_earned_tier bigint,
    OUT o_pins jsonb
) LANGUAGE plpgsql AS $$
BEGIN
    IF p_lock THEN
        PERFORM FROM members_member WHERE id = p_member FOR NO KEY UPDATE;
    END IF;
    SELECT member.enrolled_at, stored.tier_id, stored.since, stored.valid_until,
           stored.grace_until, stored.earned_tier_id
    INTO o_enrolled_at, o_tier, o_since, o_valid_until, o_grace_until, o_earned_tier
    FROM members_member AS member
    LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
    WHERE member.id = p_member;
    SELECT id INTO o_scheme FROM members_tierscheme
    WHERE status <> 'draft' AND starts_on <= p_on ORDER BY version DESC LIMIT 1;
    IF o_earned_tier IS NOT NULL THEN
        SELECT jsonb_agg(jsonb_build_array(id, tier_id, source, mode, ends_on) ORDER BY id)
        INTO o_pins FROM members_tierpin
        WHERE member_id = p_member AND applied_at IS NOT NULL AND ended_at IS NULL;
    END IF;
END
$$;

-- The first instant of a brand day. Where clocks go back over midnight, a day begins with the
-- first of its two midnights; the database takes the second.
CREATE OR REPLACE FUNCTION tiers_day_begins(p_on date, p_zone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT (p_on::timestamp AT TIME ZONE p_zone)
        - CASE WHEN ((p_on::timestamp AT TIME ZONE p_zone) - INTERVAL '1 hour')
                    AT TIME ZONE p_zone >= p_on
               THEN INTERVAL '1 hour' ELSE INTERVAL '0' END
$$;

-- A member's metric over two windows of brand days that end before p_to (null: since ever), and
-- the length of the journal it was read from. `_metrics.metric_sql` is the same for many members,
-- and tests hold the two equal.
CREATE OR REPLACE FUNCTION tiers_measure(
    p_metric text, p_member bigint, p_metric_from date, p_keep_from date, p_to date, p_zone text,
    OUT o_metric bigint, OUT o_keep_metric bigint, OUT o_journal_seq bigint
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_wallet integer := CASE p_metric WHEN 'points_earned' THEN 1 WHEN 'growth' THEN 2 END;
    v_owners bigint[];
    v_kinds integer[];
    v_metric_from timestamptz;
    v_keep_from timestamptz;
    v_to timestamptz;
BEGIN
    IF v_wallet IS NULL THEN
        SELECT coalesce(sum(day.amount) FILTER (
                   WHERE p_metric_from IS NULL OR day.on_date >= p_metric_from), 0),
               coalesce(sum(day.amount) FILTER (
                   WHERE p_keep_from IS NULL OR day.on_date >= p_keep_from), 0)
        INTO o_metric, o_keep_metric
        FROM (
            SELECT on_date, CASE p_metric WHEN 'spend' THEN spend_minor - refunded_minor
                                          WHEN 'orders' THEN orders END AS amount
            FROM members_memberday
            WHERE member_id = p_member AND on_date < p_to
              AND (p_metric_from IS NULL OR p_keep_from IS NULL
                   OR on_date >= least(p_metric_from, p_keep_from))
        ) AS day;
        RETURN;
    END IF;
    SELECT seq INTO o_journal_seq FROM members_account
    WHERE owner_id = p_member AND wallet_id = v_wallet;
    -- Also the journals of those who were merged into the member.
    v_owners := p_member || ARRAY(SELECT id FROM members_member WHERE merged_into_id = p_member);
    v_kinds := CASE v_wallet WHEN 1 THEN ARRAY[1, 10] ELSE ARRAY[1, 5, 10] END;
    v_metric_from := coalesce(tiers_day_begins(p_metric_from, p_zone), '-infinity');
    v_keep_from := coalesce(tiers_day_begins(p_keep_from, p_zone), '-infinity');
    v_to := tiers_day_begins(p_to, p_zone);
    -- What a refund takes back counts on the day of the entry that it takes back. Of points, all
    -- that was asked back counts, also what could not be taken.
    SELECT coalesce(sum(gain.amount) FILTER (WHERE gain.at >= v_metric_from), 0),
           coalesce(sum(gain.amount) FILTER (WHERE gain.at >= v_keep_from), 0)
    INTO o_metric, o_keep_metric
    FROM (
        SELECT CASE v_wallet WHEN 1 THEN entry.delta - coalesce(entry.shortfall, 0)
                             ELSE entry.delta END AS amount,
               CASE WHEN entry.kind = 10 THEN (
                        SELECT undone.at FROM members_entry AS undone
                        WHERE undone.account_id = entry.account_id AND undone.seq = entry.ref_seq)
                    ELSE entry.at END AS at
        FROM members_account AS account JOIN members_entry AS entry ON entry.account_id = account.id
        WHERE account.owner_id = ANY (v_owners) AND account.wallet_id = v_wallet
          AND entry.kind = ANY (v_kinds)
    ) AS gain
    WHERE gain.at < v_to;
END
$$;
