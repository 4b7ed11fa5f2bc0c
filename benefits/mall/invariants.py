"""What must always hold of the mall: stock (I6) and the points of orders (I7)."""

from collections.abc import Callable

from django.db import connection

from members.points.models import Entry

_SHOWN = 20

# Items and variants alike: each stock by item and variant, with what orders and the waiting list
# say of it. Where units are rows, the rows are counted instead of the counter.
_STOCKS = """
WITH stock AS (
    SELECT s.item_id, NULL::bigint AS variant_id, i.unit_rows, s.stock_in, s.held, s.sold
      FROM benefits_stockrow s JOIN benefits_mallitem i ON i.id = s.item_id
    UNION ALL
    SELECT v.item_id, v.id, i.unit_rows, s.stock_in, s.held, s.sold
      FROM benefits_variantstock s JOIN benefits_itemvariant v ON v.id = s.variant_id
      JOIN benefits_mallitem i ON i.id = v.item_id
), ordered AS (
    SELECT item_id, variant_id,
           COALESCE(sum(quantity) FILTER (WHERE state = 'placed'), 0) AS held,
           COALESCE(sum(quantity) FILTER (WHERE state IN ('confirmed', 'shipped', 'completed')
                                          OR (state = 'refunded' AND NOT restocked)), 0) AS sold
      FROM benefits_mallorder GROUP BY 1, 2
), kept AS (
    SELECT item_id, variant_id, count(*) AS held FROM benefits_waitingentry
     WHERE state = 'offered' GROUP BY 1, 2
), unit AS (
    SELECT item_id, variant_id, count(*) AS units,
           count(order_id) AS ordered, count(waiting_id) AS kept
      FROM benefits_stockunit GROUP BY 1, 2
), moved AS (
    SELECT item_id, variant_id, sum(quantity) AS came FROM benefits_stockmovement GROUP BY 1, 2
)
SELECT s.item_id, s.variant_id, s.stock_in, s.held, s.sold,
       COALESCE(o.held, 0) + COALESCE(k.held, 0) AS should_hold, COALESCE(o.sold, 0) AS should_sell,
       COALESCE(u.units, 0), COALESCE(u.ordered, 0), COALESCE(u.kept, 0), COALESCE(m.came, 0)
  FROM stock s
  LEFT JOIN ordered o ON o.item_id = s.item_id AND o.variant_id IS NOT DISTINCT FROM s.variant_id
  LEFT JOIN kept k ON k.item_id = s.item_id AND k.variant_id IS NOT DISTINCT FROM s.variant_id
  LEFT JOIN unit u ON u.item_id = s.item_id AND u.variant_id IS NOT DISTINCT FROM s.variant_id
  LEFT JOIN moved m ON m.item_id = s.item_id AND m.variant_id IS NOT DISTINCT FROM s.variant_id
 WHERE COALESCE(m.came, 0) <> s.stock_in
    OR CASE WHEN s.unit_rows
            THEN COALESCE(u.units, 0) <> s.stock_in
                 OR COALESCE(u.ordered, 0) <> COALESCE(o.held, 0) + COALESCE(o.sold, 0)
                 OR COALESCE(u.kept, 0) <> COALESCE(k.held, 0)
            ELSE s.held <> COALESCE(o.held, 0) + COALESCE(k.held, 0)
                 OR s.sold <> COALESCE(o.sold, 0) OR s.held + s.sold > s.stock_in
                 OR s.held < 0 OR s.sold < 0 END
 ORDER BY s.item_id, s.variant_id LIMIT %(shown)s
"""
# Each order keeps the limit it was placed under, so that lowering one accuses nobody; nor does a
# merge of two who had each ordered what one may.
_LIMITS = """
SELECT item_id, member_id, sum(quantity), max(member_limit) FROM benefits_mallorder o
 WHERE state IN ('placed', 'confirmed', 'shipped', 'completed')
   AND NOT EXISTS (SELECT FROM members_membermerge m WHERE m.survivor_id = o.member_id)
 GROUP BY 1, 2 HAVING bool_and(member_limit IS NOT NULL AND limit_days IS NULL)
                  AND sum(quantity) > max(member_limit)
UNION ALL
SELECT o.item_id, o.member_id, sum(p.quantity), o.member_limit FROM benefits_mallorder o
  JOIN benefits_mallorder p ON p.member_id = o.member_id AND p.item_id = o.item_id
   AND p.state IN ('placed', 'confirmed', 'shipped', 'completed') AND p.id <= o.id
   AND p.placed_at > o.placed_at - make_interval(days => o.limit_days)
 WHERE o.limit_days IS NOT NULL AND o.state IN ('placed', 'confirmed', 'shipped', 'completed')
   AND NOT EXISTS (SELECT FROM members_membermerge m WHERE m.survivor_id = o.member_id)
 GROUP BY o.id HAVING sum(p.quantity) > o.member_limit
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
    """I6: stock in = sold + held + free, and all are what movements, orders and queue say."""
    return [
        f"item {item} variant {variant}: in {came} (movements {moved}), held {held} (should be"
        f" {should_hold}), sold {sold} (should be {should_sell}), units {units}: {ordered}"
        f" ordered, {kept} kept"
        for (
            item,
            variant,
            came,
            held,
            sold,
            should_hold,
            should_sell,
            units,
            ordered,
            kept,
            moved,
        ) in _rows(_STOCKS)
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


_PAYMENTS = """
SELECT o.id, o.state, o.cash_minor, COALESCE(p.paid, 0), COALESCE(p.wrong, 0)
  FROM benefits_mallorder o
  LEFT JOIN (SELECT order_id, count(*) FILTER (WHERE p.state = 'paid') AS paid,
                    count(*) FILTER (WHERE p.amount_minor <> q.cash_minor) AS wrong
               FROM benefits_mallpayment p JOIN benefits_mallorder q ON q.id = p.order_id
              GROUP BY order_id) p ON p.order_id = o.id
 WHERE (o.cash_minor > 0 AND o.state IN ('confirmed', 'shipped', 'completed')
        AND COALESCE(p.paid, 0) <> 1)
    OR (o.state IN ('placed', 'cancelled', 'refunded') AND COALESCE(p.paid, 0) > 0)
    OR COALESCE(p.wrong, 0) > 0
 ORDER BY o.id LIMIT %(shown)s
"""


def cash_is_paid_once() -> list[str]:
    """I7: goods with a cash part go out paid, once; money of an order that is over goes back."""
    return [
        f"order {order} {state}: {cash} to pay, {paid} payments count, {wrong} of another amount"
        for order, state, cash, paid, wrong in _rows(_PAYMENTS)
    ]


_PRIZES = """
SELECT p.draw_id, p.position, p.stock, p.awarded, COALESCE(t.given, 0), COALESCE(t.codes, 0)
  FROM benefits_drawprize p
  LEFT JOIN (SELECT t.prize_id, count(*) AS given, count(c.id) AS codes
               FROM benefits_drawticket t
               LEFT JOIN benefits_poolcode c ON c.taken_for = 'lucky_draw:' || t.key
                                            AND c.code = t.code
              GROUP BY t.prize_id) t ON t.prize_id = p.id
 WHERE (p.stock IS NOT NULL AND (p.awarded <> COALESCE(t.given, 0) OR p.awarded > p.stock))
    OR (p.kind = 'code' AND COALESCE(t.codes, 0) <> COALESCE(t.given, 0))
 ORDER BY p.draw_id, p.position LIMIT %(shown)s
"""
_DRAW_LIMITS = """
SELECT t.draw_id, t.member_id, count(*), d.per_member_limit FROM benefits_drawticket t
  JOIN benefits_luckydraw d ON d.id = t.draw_id
 GROUP BY 1, 2, 4 HAVING count(*) <> max(t.number) ORDER BY 1, 2 LIMIT %(shown)s
"""


def prizes_are_given_once() -> list[str]:
    """I6: prizes given never pass their stock, and each code won is its winner's own."""
    return [
        f"draw {draw} prize {prize}: stock {stock}, counted {counted}, given {given}, codes {codes}"
        for draw, prize, stock, counted, given, codes in _rows(_PRIZES)
    ]


def draws_are_counted() -> list[str]:
    """I14: each member's draws are numbered without a gap."""
    return [
        f"draw {draw}, member {member}: {made} draws, their numbers say otherwise"
        for draw, member, made, _limit in _rows(_DRAW_LIMITS)
    ]


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
    "I7 cash parts": cash_is_paid_once,
    "I6 prizes of draws": prizes_are_given_once,
    "I14 draws are counted": draws_are_counted,
}
