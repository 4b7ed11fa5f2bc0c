"""Checks of this room that can be run on any brand at any time; empty lists when all is well."""

from collections.abc import Callable

from django.db import connection

_DAYS = """
SELECT coalesce(d.member_id, p.member_id), coalesce(d.on_date, p.local_date)
FROM members_memberday d
FULL JOIN (
    SELECT member_id, local_date,
        count(*) FILTER (WHERE refunded_minor < amount_minor OR amount_minor = 0) AS orders,
        sum(amount_minor) AS spend, sum(refunded_minor) AS refunded
    FROM members_purchase GROUP BY member_id, local_date
) p ON p.member_id = d.member_id AND p.local_date = d.on_date
WHERE (d.orders, d.spend_minor, d.refunded_minor) IS DISTINCT FROM (p.orders, p.spend, p.refunded)
ORDER BY 1, 2 LIMIT 100
"""
_REFUNDS = """
SELECT p.id, coalesce(r.total, 0), p.refunded_minor FROM members_purchase p
LEFT JOIN (
    SELECT purchase_id, sum(amount_minor) AS total FROM members_refund GROUP BY purchase_id
) r ON r.purchase_id = p.id
WHERE p.refunded_minor <> coalesce(r.total, 0) ORDER BY p.id LIMIT 100
"""


_REFUND_LINES = """
SELECT refund.purchase_id, part.position
FROM members_refundline AS part
JOIN members_refund AS refund ON refund.id = part.refund_id
LEFT JOIN members_purchaseline AS line
    ON line.purchase_id = refund.purchase_id AND line.position = part.position
GROUP BY refund.purchase_id, part.position, line.quantity, line.amount_minor
HAVING line.quantity IS NULL OR sum(part.quantity) > line.quantity
    OR sum(part.amount_minor) > GREATEST(line.amount_minor, 0)
ORDER BY 1, 2 LIMIT 100
"""


def check_days() -> list[str]:
    """Each member's day equals what its purchases add up to, and no purchase lacks its day."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        return [
            f"member {member} on {day}: day differs from its purchases"
            for member, day in cursor.fetchall()
        ]


def check_refunds() -> list[str]:
    """What a purchase says was given back equals the sum of its refunds."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUNDS)
        return [
            f"purchase {purchase}: refunds sum to {total}, not {stored}"
            for purchase, total, stored in cursor.fetchall()
        ]


def check_refund_lines() -> list[str]:
    """No line has given back more pieces or money than it had."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUND_LINES)
        return [
            f"purchase {purchase}, line {position}: more given back than bought"
            for purchase, position in cursor.fetchall()
        ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "activity.days": check_days,
    "activity.refunds": check_refunds,
    "activity.refund_lines": check_refund_lines,
}
