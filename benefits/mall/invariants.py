"""What must always hold of the mall: stock (I6) and the points of orders (I7)."""

from collections.abc import Callable

from django.db import connection

from members.points.models import Entry

_SHOWN = 20

_STOCK = """
SELECT s.item_id, s.stock_in, s.held, s.sold, COALESCE(o.held, 0), COALESCE(o.sold, 0)
  FROM benefits_stockrow s
  LEFT JOIN (
        SELECT item_id,
               COALESCE(sum(quantity) FILTER (WHERE state = 'placed'), 0) AS held,
               COALESCE(sum(quantity) FILTER (WHERE state IN ('confirmed', 'shipped', 'completed')
                                              OR (state = 'refunded' AND NOT restocked)), 0) AS sold
          FROM benefits_mallorder GROUP BY item_id) o ON o.item_id = s.item_id
 WHERE s.held <> COALESCE(o.held, 0) OR s.sold <> COALESCE(o.sold, 0)
    OR s.held + s.sold > s.stock_in OR s.held < 0 OR s.sold < 0
 ORDER BY s.item_id LIMIT %(shown)s
"""
# Each order keeps the limit it was placed under, so that lowering one accuses nobody.
_LIMITS = """
SELECT item_id, member_id, sum(quantity), max(member_limit) FROM benefits_mallorder
 WHERE state IN ('placed', 'confirmed', 'shipped', 'completed')
 GROUP BY 1, 2 HAVING bool_and(member_limit IS NOT NULL) AND sum(quantity) > max(member_limit)
 ORDER BY 1, 2 LIMIT %(shown)s
"""
# An entry names its order as its source; a capture leaves the balance, so its points are those
# of the hold that it ends.
_DEBITS = """
WITH posting AS (
    SELECT source_id AS order_id, kind, key, delta, ref_seq, account_id
      FROM members_entry WHERE source_type = 'mall_order'
), per_order AS (
    SELECT order_id,
           count(*) FILTER (WHERE kind IN (%(capture)s, %(redeem)s)) AS debits,
           COALESCE(-sum(delta) FILTER (WHERE kind = %(hold)s), 0) AS held,
           COALESCE(sum(delta) FILTER (WHERE kind = %(reverse)s), 0) AS refunded,
           COALESCE(sum(delta) FILTER (WHERE kind = %(release)s), 0) AS released
      FROM posting GROUP BY order_id
)
SELECT o.id, o.state, o.points, COALESCE(p.debits, 0), COALESCE(p.held, 0),
       COALESCE(p.refunded, 0)
  FROM benefits_mallorder o LEFT JOIN per_order p ON p.order_id = o.id
 WHERE COALESCE(p.held, 0) <> o.points
    OR COALESCE(p.debits, 0) <> (CASE WHEN o.debit_key IS NULL THEN 0 ELSE 1 END)
    OR COALESCE(p.refunded, 0) <> (CASE WHEN o.refund_key IS NULL THEN 0 ELSE o.points END)
    OR COALESCE(p.refunded, 0) > o.points
 ORDER BY o.id LIMIT %(shown)s
"""
_CODES = """
SELECT o.id FROM benefits_mallorder o JOIN benefits_mallitem i ON i.id = o.item_id
  LEFT JOIN (SELECT taken_for, count(*) AS handed FROM benefits_poolcode
              WHERE taken_for LIKE 'mall_order:%%' GROUP BY taken_for) c
    ON c.taken_for = 'mall_order:' || o.id
 WHERE i.kind = 'code' AND COALESCE(c.handed, 0) <>
       (CASE WHEN o.state IN ('completed', 'refunded') THEN o.quantity ELSE 0 END)
 ORDER BY o.id LIMIT %(shown)s
"""


def stock_adds_up() -> list[str]:
    """I6: stock in = sold + held + free, and both are what the orders say."""
    return [
        f"item {item}: in {came}, held {held} (orders {held_by}), sold {sold} (orders {sold_by})"
        for item, came, held, sold, held_by, sold_by in _rows(_STOCK)
    ]


def limits_hold() -> list[str]:
    """I14: no member has more units of an item than its limit per member."""
    return [
        f"item {item}, member {member}: {units} units, limit {limit}"
        for item, member, units, limit in _rows(_LIMITS)
    ]


def one_debit_per_order() -> list[str]:
    """I7: one points debit per order, and refunds never above it."""
    return [
        f"order {order} {state}: {points} points, {debits} debits, held {held}, back {back}"
        for order, state, points, debits, held, back in _rows(_DEBITS)
    ]


def codes_handed_out_once() -> list[str]:
    """I6: each order has as many codes as it bought, each from the pool and its own."""
    return [f"order {order}: its codes are not its quantity" for (order,) in _rows(_CODES)]


def _rows(sql: str) -> list[tuple[object, ...]]:
    parameters = {
        "shown": _SHOWN,
        "capture": Entry.Kind.CAPTURE.value,
        "redeem": Entry.Kind.REDEEM.value,
        "hold": Entry.Kind.HOLD.value,
        "reverse": Entry.Kind.REVERSE.value,
        "release": Entry.Kind.RELEASE.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I6 stock in = sold + held + free": stock_adds_up,
    "I14 limits per member hold": limits_hold,
    "I7 one debit per order": one_debit_per_order,
    "I6 codes of orders": codes_handed_out_once,
}
