"""Checks that can be run on a brand at any time; each returns what is wrong, or nothing."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from partners.orders.states import HOLDING

_CAPACITY = """
SELECT coalesce(d.offering_id, o.offering_id), coalesce(d.on_date, o.service_on),
       coalesce(d.reserved, 0), coalesce(o.held, 0)
  FROM partners_capacityday d
  FULL JOIN (SELECT offering_id, service_on, count(*) AS held
               FROM partners_fulfilmentorder WHERE state = ANY(%s)
              GROUP BY offering_id, service_on) o
    ON o.offering_id = d.offering_id AND o.service_on = d.on_date
 WHERE coalesce(d.reserved, 0) <> coalesce(o.held, 0)
"""
_TIMELINE = """
SELECT o.number, o.version, t.steps, t.last, o.state, t.final
  FROM partners_fulfilmentorder o
  LEFT JOIN (SELECT order_id, count(*) AS steps, max(number) AS last,
                    (array_agg(to_state ORDER BY number DESC))[1] AS final
               FROM partners_ordertransition GROUP BY order_id) t ON t.order_id = o.id
 WHERE t.steps IS DISTINCT FROM o.version OR t.last IS DISTINCT FROM o.version
    OR t.final IS DISTINCT FROM o.state
"""
_OFFERS = """
SELECT o.number, o.state, o.partner_id, f.partner_id, f.state
  FROM partners_fulfilmentorder o
  LEFT JOIN partners_orderoffer f
    ON f.order_id = o.id AND f.state IN ('offered', 'accepted')
 WHERE CASE o.state
       WHEN 'unassigned' THEN f.id IS NOT NULL
       WHEN 'cancelled' THEN coalesce(f.state, 'accepted') <> 'accepted'
       WHEN 'failed' THEN o.partner_id IS NOT NULL AND f.partner_id IS DISTINCT FROM o.partner_id
       WHEN 'offered' THEN f.state IS DISTINCT FROM 'offered'
                        OR f.partner_id IS DISTINCT FROM o.partner_id
       ELSE f.state IS DISTINCT FROM 'accepted' OR f.partner_id IS DISTINCT FROM o.partner_id
       END
"""
_REDEMPTIONS = """
SELECT o.number, o.state, o.price_minor, r.state, r.partner_price_minor
  FROM partners_fulfilmentorder o
  JOIN benefits_redemption r ON r.id = o.redemption_id
 WHERE (o.state = 'fulfilled' AND (r.state NOT IN ('fulfilled', 'reversed')
                               OR r.partner_price_minor IS DISTINCT FROM o.price_minor))
    OR (o.state = 'failed'
        AND r.state <> CASE WHEN o.fulfilled_at IS NULL THEN 'failed' ELSE 'reversed' END)
    OR (r.state = 'fulfilled' AND o.state NOT IN ('fulfilled', 'disputed'))
"""


def _rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor.fetchall())


def capacity_matches_orders() -> list[str]:
    """What a day has reserved = the orders that hold a unit of it."""
    states = sorted(str(state) for state in HOLDING)
    return [
        f"offering {offering} on {day}: {reserved} reserved, {held} orders"
        for offering, day, reserved, held in _rows(_CAPACITY, states)
    ]


def timelines_are_whole() -> list[str]:
    """An order's version = its steps, numbered without a gap; the last one led to its state."""
    return [
        f"order {number}: version {version}, {steps} steps to {last}; {state} after {final}"
        for number, version, steps, last, state, final in _rows(_TIMELINE)
    ]


def one_partner_at_a_time() -> list[str]:
    """An order that is with a partner has exactly that partner's offer open, and no other."""
    return [
        f"order {number} {state} with {partner}: offer of {asked} is {offer}"
        for number, state, partner, asked, offer in _rows(_OFFERS)
    ]


def redemptions_agree() -> list[str]:
    """A fulfilled order's redemption is fulfilled at its price; a failed one's has failed."""
    return [
        f"order {number} {state} at {price}: redemption {other} at {booked}"
        for number, state, price, other, booked in _rows(_REDEMPTIONS)
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "orders: capacity matches orders": capacity_matches_orders,
    "orders: timelines are whole": timelines_are_whole,
    "orders: one partner at a time": one_partner_at_a_time,
    "orders: redemptions agree": redemptions_agree,
}
