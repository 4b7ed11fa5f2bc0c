"""Checks that can be run on a brand at any time; each returns what is wrong, or nothing."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from tenants.brands.context import current_brand

# I10: an order closed before the end of its partner's last settled month is on one statement, of
# that partner and at its price. (That it is not on two is held by a unique index.)
_ORDERS = """
SELECT o.number, o.price_minor, l.amount_minor, s.number
  FROM (SELECT partner_id, max(month) + interval '1 month' AS until
          FROM partners_statement GROUP BY partner_id) p
  JOIN partners_fulfilmentorder o ON o.partner_id = p.partner_id AND o.state = 'fulfilled'
  LEFT JOIN partners_statementline l ON l.order_id = o.id AND l.kind = 'service'
  LEFT JOIN partners_statement s ON s.id = l.statement_id
 WHERE (o.closed_at < p.until AT TIME ZONE %(zone)s OR l.id IS NOT NULL)
   AND (l.id IS NULL OR l.amount_minor <> o.price_minor OR s.partner_id <> o.partner_id)
"""
_TOTALS = """
SELECT s.number, s.total_minor, l.total, s.orders, l.orders
  FROM partners_statement s
  LEFT JOIN (SELECT statement_id, sum(amount_minor) AS total,
                    count(*) FILTER (WHERE kind = 'service') AS orders
               FROM partners_statementline GROUP BY statement_id) l ON l.statement_id = s.id
 WHERE l.total IS DISTINCT FROM s.total_minor OR l.orders IS DISTINCT FROM s.orders
"""
_NOT_DELIVERED = """
SELECT s.number, l.id, o.number, o.state
  FROM partners_statementline l
  JOIN partners_statement s ON s.id = l.statement_id
  LEFT JOIN partners_fulfilmentorder o ON o.id = l.order_id
 WHERE l.kind = 'service' AND coalesce(o.state, '') NOT IN ('fulfilled', 'disputed', 'failed')
"""
_PREPAID = """
SELECT p.partner_id, p.paid, p.drawn, coalesce(s.covered, 0)
  FROM (SELECT partner_id,
               sum(CASE kind WHEN 'pack' THEN amount_minor ELSE -amount_minor END) AS paid,
               sum(CASE kind WHEN 'draw' THEN amount_minor ELSE 0 END) AS drawn
          FROM partners_prepaidentry GROUP BY partner_id) p
  LEFT JOIN (SELECT partner_id, sum(prepaid_minor) AS covered
               FROM partners_statement GROUP BY partner_id) s ON s.partner_id = p.partner_id
 WHERE p.paid < 0 OR p.drawn <> coalesce(s.covered, 0)
"""
# What fulfilment spent is what the statements say it did: nothing is booked twice.
_BOOKED = """
SELECT s.number, s.booked_minor, l.spent, s.extra_booked_minor, coalesce(e.extra, 0)
  FROM partners_statement s
  JOIN LATERAL (SELECT coalesce(sum(r.partner_price_minor), 0) AS spent
                  FROM partners_statementline l
                  JOIN partners_fulfilmentorder o ON o.id = l.order_id
                  JOIN benefits_redemption r ON r.id = o.redemption_id
                 WHERE l.statement_id = s.id AND l.kind = 'service') l ON true
  LEFT JOIN (SELECT source_id, sum(amount_minor) AS extra FROM benefits_budgetentry
              WHERE source_type = 'statement' AND kind = 'spend' GROUP BY source_id) e
    ON e.source_id = s.id
 WHERE s.booked_minor <> l.spent OR s.extra_booked_minor <> coalesce(e.extra, 0)
"""


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def orders_settled_once() -> list[str]:
    """Each fulfilled order of a settled month is on exactly one statement, at its price (I10)."""
    return [
        f"order {number} at {price}: {amount} on {statement}"
        for number, price, amount, statement in _rows(_ORDERS, zone=current_brand().timezone)
    ]


def totals_match_lines() -> list[str]:
    """A statement's total and number of orders are those of its lines (I10)."""
    return [
        f"statement {number}: {total} of {orders} orders, lines {sums} of {counted}"
        for number, total, sums, orders, counted in _rows(_TOTALS)
    ]


def only_delivered_is_paid() -> list[str]:
    """A service line is of an order that was fulfilled."""
    return [
        f"statement {number} line {line}: order {order} is {state}"
        for number, line, order, state in _rows(_NOT_DELIVERED)
    ]


def prepaid_matches_statements() -> list[str]:
    """Nobody has drawn more than was paid ahead, and what was drawn covers statements."""
    return [
        f"partner {partner}: {paid} left, {drawn} drawn, {covered} covered"
        for partner, paid, drawn, covered in _rows(_PREPAID)
    ]


def booked_once() -> list[str]:
    """What statements call booked is what fulfilment spent; extras are booked once."""
    return [
        f"statement {number}: booked {booked}, spent {spent}; extra {extra}, entries {entries}"
        for number, booked, spent, extra, entries in _rows(_BOOKED)
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "settlements: orders settled once": orders_settled_once,
    "settlements: totals match lines": totals_match_lines,
    "settlements: only delivered is paid": only_delivered_is_paid,
    "settlements: prepaid matches statements": prepaid_matches_statements,
    "settlements: booked once": booked_once,
}
