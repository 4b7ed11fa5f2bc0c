"""The statements behind facts by tier, region, store and so on, tier moves, and fingerprints.

Parameters as in `_facts_sql`, and `first_tier`: the code of the tier where every member begins.
"""

from typing import Final

# A grant counts as active in a month when its time touches the month, it was not revoked before,
# and it was not used up before.
ACTIVE_GRANT: Final = """
       g.starts_at < %(ends)s
       AND (g.ends_at IS NULL OR g.ends_at > %(starts)s)
       AND (g.revoked_at IS NULL OR g.revoked_at > %(starts)s)
       AND (g.used < g.quantity OR g.issued_at >= %(starts)s
            OR EXISTS (SELECT 1 FROM benefits_redemption r
                        WHERE r.grant_id = g.id AND r.requested_at >= %(starts)s))
"""

# Net sales of linked categories by member: lines of the month's purchases less what came back of
# them, whenever that was; a refund that names no lines takes from each in proportion.
CATEGORY_SALES: Final = """
    SELECT b.id AS benefit_id, p.member_id, sum(l.amount_minor
            - coalesce(back.amount, 0)
            - CASE WHEN p.amount_minor > 0 AND p.refunded_minor > coalesce(named.amount, 0)
                THEN round(l.amount_minor::numeric * (p.refunded_minor - coalesce(named.amount, 0))
                    / p.amount_minor)::bigint
                ELSE 0 END) AS net
      FROM members_purchase p
      JOIN members_purchaseline l ON l.purchase_id = p.id
      JOIN benefits_benefit b ON b.linked_categories ? l.category AND b.created_at < %(ends)s
      LEFT JOIN LATERAL (
            SELECT sum(rl.amount_minor) AS amount
              FROM members_refund f JOIN members_refundline rl ON rl.refund_id = f.id
             WHERE p.refunded_minor > 0 AND f.purchase_id = p.id AND rl.position = l.position
        ) back ON true
      LEFT JOIN LATERAL (
            SELECT sum(rl.amount_minor) AS amount
              FROM members_refund f JOIN members_refundline rl ON rl.refund_id = f.id
             WHERE p.refunded_minor > 0 AND f.purchase_id = p.id
        ) named ON true
     WHERE p.local_date >= %(first)s AND p.local_date < %(after)s
     GROUP BY b.id, p.member_id
"""

# What a member was when the month ended. The tier is where the first change since came from.
_WHO: Final = """
    SELECT m.id AS member_id, m.region, coalesce(bought.store_code, m.store_code, '') AS store,
           coalesce(bought.associate, '') AS associate, coalesce(bought.channel, '') AS channel,
           coalesce(tier.code, %(first_tier)s) AS tier
      FROM (SELECT DISTINCT member_id FROM fact) ids
      JOIN members_member m ON m.id = ids.member_id
      LEFT JOIN LATERAL (
            SELECT p.store_code, p.associate, p.channel FROM members_purchase p
             WHERE p.member_id = m.id AND p.occurred_at < %(ends)s
             ORDER BY p.occurred_at DESC, p.id DESC LIMIT 1) bought ON true
      LEFT JOIN (
            SELECT DISTINCT ON (member_id) member_id, from_tier_id FROM members_tierchange
             WHERE at >= %(ends)s ORDER BY member_id, at, id) later ON later.member_id = m.id
      LEFT JOIN members_membertier held ON held.member_id = m.id
      LEFT JOIN members_tier tier ON tier.id = coalesce(later.from_tier_id, held.tier_id)
"""

SLICES: Final = f"""
WITH pair AS MATERIALIZED (
    SELECT benefit_id, member_id, bool_or(is_target) AS is_target, bool_or(is_user) AS is_user
      FROM (
        SELECT g.benefit_id, g.member_id, true AS is_target, false AS is_user
          FROM benefits_grant g WHERE {ACTIVE_GRANT}
        UNION ALL
        SELECT benefit_id, member_id, false, true FROM benefits_redemption
         WHERE requested_at >= %(starts)s AND requested_at < %(ends)s
           AND state NOT IN ('cancelled', 'failed')) seen
     GROUP BY benefit_id, member_id
), orders AS (
    SELECT d.member_id, sum(d.orders) AS orders FROM members_memberday d
     WHERE d.on_date >= %(days90)s AND d.on_date < %(after)s
       AND d.member_id IN (SELECT member_id FROM pair WHERE is_user)
     GROUP BY d.member_id HAVING sum(d.orders) >= 1
), sales AS ({CATEGORY_SALES}
), fact AS MATERIALIZED (
    SELECT p.benefit_id, p.member_id, p.is_target::int AS target, p.is_user::int AS users,
           0 AS issued, 0 AS used, 0 AS fulfilled, 0::bigint AS unit, 0::bigint AS partner,
           0::bigint AS points, 0 AS ratings, 0 AS rating_sum, 0 AS answers, 0 AS promoters,
           0 AS detractors, (p.is_user AND o.orders IS NOT NULL)::int AS buyers,
           (p.is_user AND coalesce(o.orders, 0) >= 2)::int AS repeaters, 0::bigint AS sales,
           0::bigint AS user_sales
      FROM pair p LEFT JOIN orders o USING (member_id)
    UNION ALL
    SELECT benefit_id, member_id, 0, 0, quantity, used, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
      FROM benefits_grant WHERE issued_at >= %(starts)s AND issued_at < %(ends)s
    UNION ALL
    SELECT benefit_id, member_id, 0, 0, 0, 0, 1, coalesce(unit_cost_minor, 0),
           coalesce(partner_price_minor, 0), coalesce(points_cost_minor, 0), 0, 0, 0, 0, 0, 0, 0,
           0, 0
      FROM benefits_redemption
     WHERE fulfilled_at >= %(starts)s AND fulfilled_at < %(ends)s
       AND state IN ('fulfilled', 'reversed')
    UNION ALL
    SELECT benefit_id, member_id, 0, 0, 0, 0, 0, 0, 0, 0,
           (rating IS NOT NULL AND rated_at >= %(starts)s)::int,
           CASE WHEN rated_at >= %(starts)s THEN coalesce(rating, 0) ELSE 0 END,
           (nps IS NOT NULL)::int, (coalesce(nps, 0) >= 9)::int, (coalesce(nps, 10) <= 6)::int,
           0, 0, 0, 0
      FROM benefits_redemption WHERE rated_at >= %(nps_from)s AND rated_at < %(ends)s
    UNION ALL
    SELECT s.benefit_id, s.member_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, s.net,
           CASE WHEN p.is_user THEN s.net ELSE 0 END
      FROM sales s LEFT JOIN pair p USING (benefit_id, member_id)
), who AS MATERIALIZED ({_WHO})
INSERT INTO benefits_benefitslice (
    benefit_id, month, dimension, value, target_members, users, units_issued, units_used,
    units_fulfilled, unit_cost_minor, partner_cost_minor, points_cost_minor, ratings, rating_sum,
    nps_answers, nps_promoters, nps_detractors, user_buyers, user_repeaters,
    category_revenue_minor, user_category_revenue_minor)
SELECT f.benefit_id, %(first)s,
       CASE WHEN grouping(w.tier) = 0 THEN 'tier' WHEN grouping(w.region) = 0 THEN 'region'
            WHEN grouping(w.store) = 0 THEN 'store' WHEN grouping(w.associate) = 0 THEN 'associate'
            ELSE 'channel' END,
       coalesce(w.tier, w.region, w.store, w.associate, w.channel),
       sum(target), sum(users), sum(issued), sum(used), sum(fulfilled), sum(unit), sum(partner),
       sum(points), sum(ratings), sum(rating_sum), sum(answers), sum(promoters), sum(detractors),
       sum(buyers), sum(repeaters), sum(sales), sum(user_sales)
  FROM fact f JOIN who w USING (member_id)
 GROUP BY GROUPING SETS ((f.benefit_id, w.tier), (f.benefit_id, w.region),
       (f.benefit_id, w.store), (f.benefit_id, w.associate), (f.benefit_id, w.channel))
"""  # noqa: S608

# `{source}` gives (redemption_id, value): who fulfilled it.
PARTNER_SLICES: Final = """
INSERT INTO benefits_benefitslice (
    benefit_id, month, dimension, value, target_members, units_issued, units_used, user_buyers,
    user_repeaters, category_revenue_minor, user_category_revenue_minor, users, units_fulfilled,
    unit_cost_minor, partner_cost_minor, points_cost_minor, ratings, rating_sum, nps_answers,
    nps_promoters, nps_detractors)
SELECT r.benefit_id, %(first)s, 'partner', source.value, 0, 0, 0, 0, 0, 0, 0,
       count(DISTINCT r.member_id) FILTER (WHERE r.requested_at >= %(starts)s
           AND r.requested_at < %(ends)s AND r.state NOT IN ('cancelled', 'failed')),
       count(*) FILTER (WHERE done), coalesce(sum(r.unit_cost_minor) FILTER (WHERE done), 0),
       coalesce(sum(r.partner_price_minor) FILTER (WHERE done), 0),
       coalesce(sum(r.points_cost_minor) FILTER (WHERE done), 0),
       count(r.rating) FILTER (WHERE r.rated_at >= %(starts)s AND r.rated_at < %(ends)s),
       coalesce(sum(r.rating) FILTER (WHERE r.rated_at >= %(starts)s
           AND r.rated_at < %(ends)s), 0),
       count(r.nps) FILTER (WHERE heard), count(*) FILTER (WHERE heard AND r.nps >= 9),
       count(*) FILTER (WHERE heard AND r.nps <= 6)
  FROM benefits_redemption r
  JOIN ({source}) AS source ON source.redemption_id = r.id
  CROSS JOIN LATERAL (
        SELECT r.fulfilled_at >= %(starts)s AND r.fulfilled_at < %(ends)s
                AND r.state IN ('fulfilled', 'reversed') AS done,
               r.rated_at >= %(nps_from)s AND r.rated_at < %(ends)s AS heard) AS was
 WHERE done OR heard OR (r.requested_at >= %(starts)s AND r.requested_at < %(ends)s)
 GROUP BY r.benefit_id, source.value
"""

TIER_MOVES: Final = """
WITH since AS (
    SELECT DISTINCT ON (member_id) member_id, from_tier_id FROM members_tierchange
     WHERE at >= %(starts)s ORDER BY member_id, at, id
), later AS (
    SELECT DISTINCT ON (member_id) member_id, from_tier_id FROM members_tierchange
     WHERE at >= %(ends)s ORDER BY member_id, at, id
)
INSERT INTO benefits_tiermonth (month, from_code, to_code, members)
SELECT %(first)s,
       CASE WHEN m.enrolled_at >= %(starts)s THEN '' ELSE coalesce(was.code, %(first_tier)s) END,
       coalesce(became.code, %(first_tier)s), count(*)
  FROM members_member m
  LEFT JOIN members_membertier held ON held.member_id = m.id
  LEFT JOIN since ON since.member_id = m.id
  LEFT JOIN later ON later.member_id = m.id
  LEFT JOIN members_tier was ON was.id = coalesce(since.from_tier_id, held.tier_id)
  LEFT JOIN members_tier became ON became.id = coalesce(later.from_tier_id, held.tier_id)
 WHERE m.enrolled_at < %(ends)s AND m.merged_into_id IS NULL
 GROUP BY 2, 3
"""

# One fingerprint per kind of row and month: it changes when a row comes, goes or changes in what
# facts are made of, or becomes another member's. `from_day`, `to_day`, `from_at`, `to_at` bound it.
FINGERPRINTS: Final = """
SELECT kind, month, n || ':' || mark FROM (
    SELECT 'purchases' AS kind, date_trunc('month', on_date)::date AS month, count(*) AS n,
           sum(hashint8((member_id << 28) # (spend_minor - refunded_minor)
               # (orders::bigint << 56))::bigint) AS mark
      FROM members_memberday WHERE on_date >= %(from_day)s AND on_date < %(to_day)s GROUP BY 2
    UNION ALL
    SELECT 'requests', date_trunc('month', requested_at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((member_id << 24) # id
               # CASE WHEN state IN ('cancelled', 'failed') THEN 1::bigint << 60
                      ELSE 0 END)::bigint)
      FROM benefits_redemption
     WHERE requested_at >= %(from_at)s AND requested_at < %(to_at)s GROUP BY 2
    UNION ALL
    SELECT 'fulfilments', date_trunc('month', fulfilled_at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((member_id << 24) # id # (coalesce(cost_minor, 0) << 32))::bigint)
      FROM benefits_redemption
     WHERE fulfilled_at >= %(from_at)s AND fulfilled_at < %(to_at)s
       AND state IN ('fulfilled', 'reversed') GROUP BY 2
    UNION ALL
    SELECT 'answers', date_trunc('month', rated_at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((id << 8) # (coalesce(rating, 0) << 4) # coalesce(nps, 15))::bigint)
      FROM benefits_redemption WHERE rated_at >= %(from_at)s AND rated_at < %(to_at)s GROUP BY 2
    UNION ALL
    SELECT 'grants', date_trunc('month', issued_at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((member_id << 24) # id # (quantity::bigint << 48))::bigint)
      FROM benefits_grant WHERE issued_at >= %(from_at)s AND issued_at < %(to_at)s GROUP BY 2
    UNION ALL
    SELECT 'members', date_trunc('month', enrolled_at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((id << 1) # (merged_into_id IS NOT NULL)::int)::bigint)
      FROM members_member WHERE enrolled_at >= %(from_at)s AND enrolled_at < %(to_at)s GROUP BY 2
    UNION ALL
    SELECT 'tiers', date_trunc('month', at AT TIME ZONE %(zone)s)::date, count(*),
           sum(hashint8((member_id << 24) # id)::bigint)
      FROM members_tierchange WHERE at >= %(from_at)s AND at < %(to_at)s GROUP BY 2
    UNION ALL
    SELECT 'service', month, count(*), sum(amount) FROM (
        SELECT date_trunc('month', paid_at AT TIME ZONE %(zone)s)::date AS month,
               price_minor AS amount FROM members_paidterm
         WHERE paid_at >= %(from_at)s AND paid_at < %(to_at)s
        UNION ALL
        SELECT date_trunc('month', refunded_at AT TIME ZONE %(zone)s)::date, -refunded_minor
          FROM members_paidterm WHERE refunded_at >= %(from_at)s AND refunded_at < %(to_at)s
        UNION ALL
        SELECT date_trunc('month', paid_at AT TIME ZONE %(zone)s)::date, amount_minor
          FROM benefits_mallpayment WHERE paid_at >= %(from_at)s AND paid_at < %(to_at)s
        UNION ALL
        SELECT date_trunc('month', refunded_at AT TIME ZONE %(zone)s)::date, -amount_minor
          FROM benefits_mallpayment
         WHERE refunded_at >= %(from_at)s AND refunded_at < %(to_at)s) AS paid
     GROUP BY month
) AS found
"""

# Units used out of a month's grants move for as long as those grants are good.
REFRESH_USED: Final = """
UPDATE benefits_benefitmonth f SET units_used = now.used FROM (
    SELECT benefit_id, date_trunc('month', issued_at AT TIME ZONE %(zone)s)::date AS month,
           sum(used) AS used
      FROM benefits_grant WHERE issued_at >= %(from_at)s AND issued_at < %(to_at)s GROUP BY 1, 2
) AS now
 WHERE f.benefit_id = now.benefit_id AND f.month = now.month AND f.units_used <> now.used
"""
REFRESH_USED_PROGRAMME: Final = """
UPDATE benefits_programmemonth p SET units_used = now.used FROM (
    SELECT month, sum(units_used) AS used FROM benefits_benefitmonth GROUP BY month) AS now
 WHERE p.month = now.month AND p.units_used <> now.used
"""
