"""The set-based statements behind the facts; each is safe to run again for any month.

Parameters by name: `first`, `after` (days of the month), `starts`, `ends` (its instants),
`days90` (first of the 90 days), `at`.
"""

from typing import Final

from benefits.insights._slices_sql import ACTIVE_GRANT, CATEGORY_SALES

BENEFIT_MONTHS: Final = f"""
WITH target AS (
    SELECT g.benefit_id, count(DISTINCT g.member_id) AS n
      FROM benefits_grant g WHERE {ACTIVE_GRANT}
     GROUP BY g.benefit_id
), sales AS ({CATEGORY_SALES}
), issued AS (
    SELECT benefit_id, sum(quantity) AS issued, sum(used) AS used
      FROM benefits_grant
     WHERE issued_at >= %(starts)s AND issued_at < %(ends)s
     GROUP BY benefit_id
), usage AS (
    SELECT DISTINCT benefit_id, member_id
      FROM benefits_redemption
     WHERE requested_at >= %(starts)s AND requested_at < %(ends)s
       AND state NOT IN ('cancelled', 'failed')
), orders AS (
    SELECT d.member_id, sum(d.orders) AS orders
      FROM members_memberday d
     WHERE d.on_date >= %(days90)s AND d.on_date < %(after)s
       AND d.member_id IN (SELECT member_id FROM usage)
     GROUP BY d.member_id
    HAVING sum(d.orders) >= 1
), users AS (
    SELECT u.benefit_id, count(*) AS n, count(o.member_id) AS buyers,
           count(*) FILTER (WHERE o.orders >= 2) AS repeaters
      FROM usage u LEFT JOIN orders o USING (member_id)
     GROUP BY u.benefit_id
), cost AS (
    SELECT benefit_id, count(*) AS n,
           coalesce(sum(unit_cost_minor), 0) AS unit,
           coalesce(sum(partner_price_minor), 0) AS partner,
           coalesce(sum(points_cost_minor), 0) AS points
      FROM benefits_redemption
     WHERE fulfilled_at >= %(starts)s AND fulfilled_at < %(ends)s
       AND state IN ('fulfilled', 'reversed')
     GROUP BY benefit_id
), rated AS (
    SELECT benefit_id,
           count(rating) FILTER (WHERE rated_at >= %(starts)s) AS ratings,
           coalesce(sum(rating) FILTER (WHERE rated_at >= %(starts)s), 0) AS rating_sum,
           count(nps) AS answers,
           count(*) FILTER (WHERE nps >= 9) AS promoters,
           count(*) FILTER (WHERE nps <= 6) AS detractors
      FROM benefits_redemption
     WHERE rated_at >= %(nps_from)s AND rated_at < %(ends)s
     GROUP BY benefit_id
), heard AS (
    SELECT member_id, count(nps) AS answers, count(*) FILTER (WHERE nps >= 9) AS promoters,
           count(*) FILTER (WHERE nps <= 6) AS detractors
      FROM benefits_redemption
     WHERE rated_at >= %(nps_from)s AND rated_at < %(ends)s AND nps IS NOT NULL
     GROUP BY member_id
), heard_all AS (
    SELECT coalesce(sum(answers), 0) AS answers, coalesce(sum(promoters), 0) AS promoters,
           coalesce(sum(detractors), 0) AS detractors FROM heard
), heard_users AS (
    SELECT u.benefit_id, sum(h.answers) AS answers, sum(h.promoters) AS promoters,
           sum(h.detractors) AS detractors
      FROM usage u JOIN heard h USING (member_id) GROUP BY u.benefit_id
), sold AS (
    SELECT s.benefit_id, sum(s.net) AS net, sum(s.net) FILTER (WHERE u.member_id IS NOT NULL) AS users
      FROM sales s LEFT JOIN usage u USING (benefit_id, member_id)
     GROUP BY s.benefit_id
)
INSERT INTO benefits_benefitmonth AS f (
    benefit_id, month, target_members, users, units_issued, units_used, units_fulfilled,
    unit_cost_minor, partner_cost_minor, points_cost_minor, ratings, rating_sum,
    nps_answers, nps_promoters, nps_detractors, user_buyers, user_repeaters,
    category_revenue_minor, user_category_revenue_minor, others_answers, others_promoters,
    others_detractors, computed_at)
SELECT b.id, %(first)s,
       coalesce(target.n, 0), coalesce(users.n, 0),
       coalesce(issued.issued, 0), coalesce(issued.used, 0),
       coalesce(cost.n, 0), coalesce(cost.unit, 0), coalesce(cost.partner, 0),
       coalesce(cost.points, 0),
       coalesce(rated.ratings, 0), coalesce(rated.rating_sum, 0),
       coalesce(rated.answers, 0), coalesce(rated.promoters, 0), coalesce(rated.detractors, 0),
       coalesce(users.buyers, 0), coalesce(users.repeaters, 0),
       coalesce(sold.net, 0), coalesce(sold.users, 0),
       heard_all.answers - coalesce(heard_users.answers, 0),
       heard_all.promoters - coalesce(heard_users.promoters, 0),
       heard_all.detractors - coalesce(heard_users.detractors, 0), %(at)s
  FROM benefits_benefit b
  CROSS JOIN heard_all
  LEFT JOIN heard_users ON heard_users.benefit_id = b.id
  LEFT JOIN target ON target.benefit_id = b.id
  LEFT JOIN issued ON issued.benefit_id = b.id
  LEFT JOIN users ON users.benefit_id = b.id
  LEFT JOIN cost ON cost.benefit_id = b.id
  LEFT JOIN rated ON rated.benefit_id = b.id
  LEFT JOIN sold ON sold.benefit_id = b.id
 -- A benefit made later has no facts of a month before it, then or whenever it is counted again.
 WHERE b.created_at < %(ends)s
    OR num_nonnulls(target.n, issued.issued, users.n, cost.n, rated.ratings) > 0
ON CONFLICT (benefit_id, month) DO UPDATE SET
    target_members = EXCLUDED.target_members, users = EXCLUDED.users,
    units_issued = EXCLUDED.units_issued, units_used = EXCLUDED.units_used,
    units_fulfilled = EXCLUDED.units_fulfilled,
    unit_cost_minor = EXCLUDED.unit_cost_minor,
    partner_cost_minor = EXCLUDED.partner_cost_minor,
    points_cost_minor = EXCLUDED.points_cost_minor,
    ratings = EXCLUDED.ratings, rating_sum = EXCLUDED.rating_sum,
    nps_answers = EXCLUDED.nps_answers, nps_promoters = EXCLUDED.nps_promoters,
    nps_detractors = EXCLUDED.nps_detractors,
    user_buyers = EXCLUDED.user_buyers, user_repeaters = EXCLUDED.user_repeaters,
    category_revenue_minor = EXCLUDED.category_revenue_minor,
    user_category_revenue_minor = EXCLUDED.user_category_revenue_minor,
    others_answers = EXCLUDED.others_answers, others_promoters = EXCLUDED.others_promoters,
    others_detractors = EXCLUDED.others_detractors,
    computed_at = EXCLUDED.computed_at
"""  # noqa: S608

PROGRAMME_MONTH: Final = """
WITH days AS (
    SELECT coalesce(sum(spend_minor - refunded_minor), 0) AS revenue,
           coalesce(sum(orders), 0) AS orders
      FROM members_memberday
     WHERE on_date >= %(first)s AND on_date < %(after)s
), active AS (
    SELECT count(*) AS n FROM (
        SELECT member_id FROM members_memberday
         WHERE on_date >= %(first)s AND on_date < %(after)s AND orders > 0
        UNION
        SELECT member_id FROM benefits_redemption
         WHERE requested_at >= %(starts)s AND requested_at < %(ends)s
           AND state NOT IN ('cancelled', 'failed')) seen
), joined AS (
    SELECT count(*) FILTER (WHERE enrolled_at >= %(starts)s) AS new, count(*) AS all_members
      FROM members_member
     WHERE enrolled_at < %(ends)s AND merged_into_id IS NULL
), buyers AS (
    SELECT count(*) AS one, count(*) FILTER (WHERE orders >= 2) AS two FROM (
        SELECT sum(orders) AS orders FROM members_memberday
         WHERE on_date >= %(days90)s AND on_date < %(after)s
         GROUP BY member_id HAVING sum(orders) >= 1) bought
), benefit AS (
    SELECT coalesce(sum(units_issued), 0) AS issued, coalesce(sum(units_used), 0) AS used,
           coalesce(sum(unit_cost_minor + partner_cost_minor + points_cost_minor), 0) AS cost
      FROM benefits_benefitmonth WHERE month = %(first)s
), service AS (
    SELECT coalesce(sum(amount), 0) AS revenue FROM (
        SELECT price_minor AS amount FROM members_paidterm
         WHERE paid_at >= %(starts)s AND paid_at < %(ends)s
        UNION ALL
        SELECT -refunded_minor FROM members_paidterm
         WHERE refunded_at >= %(starts)s AND refunded_at < %(ends)s
        UNION ALL
        SELECT CASE WHEN p.paid_at >= %(starts)s AND p.paid_at < %(ends)s THEN p.amount_minor
                    ELSE 0 END
             - CASE WHEN p.refunded_at >= %(starts)s AND p.refunded_at < %(ends)s
                    THEN p.amount_minor ELSE 0 END
          FROM benefits_mallpayment p
          JOIN benefits_mallorder o ON o.id = p.order_id
          JOIN benefits_mallitem i ON i.id = o.item_id
         WHERE i.kind IN ('benefit', 'partner', 'package')
           AND p.paid_at < %(ends)s
           AND (p.paid_at >= %(starts)s OR p.refunded_at >= %(starts)s)) AS paid
)
INSERT INTO benefits_programmemonth AS f (
    month, revenue_minor, orders, active_members, new_members, members, buyers_90d,
    repeaters_90d, units_issued, units_used, cost_minor, points_issued, points_spent,
    points_expired, liability_points, liability_minor, service_revenue_minor, breakage_points,
    computed_at)
SELECT %(first)s, days.revenue, days.orders, active.n, joined.new, joined.all_members,
       buyers.one, buyers.two, benefit.issued, benefit.used, benefit.cost,
       %(points_issued)s, %(points_spent)s, %(points_expired)s,
       %(liability_points)s, %(liability_minor)s, service.revenue, %(breakage_points)s, %(at)s
  FROM days, active, joined, buyers, benefit, service
ON CONFLICT (month) DO UPDATE SET
    revenue_minor = EXCLUDED.revenue_minor, orders = EXCLUDED.orders,
    active_members = EXCLUDED.active_members, new_members = EXCLUDED.new_members,
    members = EXCLUDED.members, buyers_90d = EXCLUDED.buyers_90d,
    repeaters_90d = EXCLUDED.repeaters_90d, units_issued = EXCLUDED.units_issued,
    units_used = EXCLUDED.units_used, cost_minor = EXCLUDED.cost_minor,
    points_issued = EXCLUDED.points_issued, points_spent = EXCLUDED.points_spent,
    points_expired = EXCLUDED.points_expired, liability_points = EXCLUDED.liability_points,
    liability_minor = EXCLUDED.liability_minor,
    service_revenue_minor = EXCLUDED.service_revenue_minor,
    breakage_points = EXCLUDED.breakage_points, computed_at = EXCLUDED.computed_at
"""

# Members by the month in which they joined, brand time: how many bought in the month, how much.
COHORTS: Final = """
WITH cohort AS (
    SELECT id AS member_id,
           date_trunc('month', enrolled_at AT TIME ZONE %(zone)s)::date AS cohort
      FROM members_member
     WHERE enrolled_at >= %(oldest)s AND enrolled_at < %(ends)s AND merged_into_id IS NULL
), bought AS (
    SELECT member_id, sum(orders) AS orders, sum(spend_minor - refunded_minor) AS net
      FROM members_memberday
     WHERE on_date >= %(first)s AND on_date < %(after)s
     GROUP BY member_id
)
INSERT INTO benefits_cohortmonth AS f (cohort, month, members, buyers, net_minor)
SELECT cohort, %(first)s, count(*), count(*) FILTER (WHERE bought.orders > 0),
       coalesce(sum(bought.net), 0)
  FROM cohort LEFT JOIN bought USING (member_id)
 GROUP BY cohort
ON CONFLICT (cohort, month) DO UPDATE SET
    members = EXCLUDED.members, buyers = EXCLUDED.buyers, net_minor = EXCLUDED.net_minor
"""
