"""How many units of an item one member may have, for good or within some days."""

from datetime import timedelta

from django.db.models import Sum

from benefits.mall.errors import LimitUsedError
from benefits.mall.models import MallOrder
from benefits.mall.states import COUNTED


def check_limit(order: MallOrder) -> None:
    """Count the member's orders of the item, this one included, under the account's lock.

    :raises LimitUsedError: with `limit`, `left` and, where the limit is one of days, `next_at`.
    """
    limit, days = order.member_limit, order.limit_days
    if limit is None:
        return
    others = MallOrder.objects.filter(
        member_id=order.member_id, item_id=order.item_id, state__in=sorted(COUNTED)
    ).exclude(pk=order.pk)
    if days is not None:
        others = others.filter(placed_at__gt=order.placed_at - timedelta(days=days))
    used = others.aggregate(units=Sum("quantity", default=0))["units"]
    if used + order.quantity <= limit:
        return
    next_at = None
    if days is not None and order.quantity <= limit:
        # When enough of the earliest units have left the window.
        too_many = used + order.quantity - limit
        for placed_at, quantity in others.order_by("placed_at").values_list(
            "placed_at", "quantity"
        ):
            too_many -= quantity
            if too_many <= 0:
                next_at = (placed_at + timedelta(days=days)).isoformat()
                break
    data = {"next_at": next_at} if next_at is not None else {}
    raise LimitUsedError(limit=limit, left=max(limit - used, 0), **data)
