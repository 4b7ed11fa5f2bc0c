"""Reads of the mall: what a member can order, and orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from benefits.catalogue.models import PoolCode
from benefits.catalogue.texts import localized
from benefits.grants.usability import Reason
from benefits.mall.errors import UnknownItemError, UnknownOrderError
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.states import COUNTED
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import member_facts

__all__ = [
    "MallOffer",
    "count_free",
    "count_under_way",
    "get_item",
    "get_order",
    "list_items",
    "list_orders",
    "list_shelf",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MallOffer:
    """One item as one member sees it: orderable now, or the reasons why not.

    `stock_left` and `limit_left` are empty where there is no limit.
    """

    item: MallItem
    name: str
    summary: str
    available: bool
    reasons: list[Reason]
    stock_left: int | None
    limit_left: int | None


def get_item(*, code: str) -> MallItem:
    """Return an item. :raises UnknownItemError: if there is none of this code."""
    items = MallItem.objects.select_related("benefit", "code_pool", "budget_line", "stock")
    item = items.filter(code=code).first()
    if item is None:
        raise UnknownItemError(item=code)
    return item


def list_shelf(*, status: str | None = None) -> list[MallItem]:
    """Return items with their stock for staff, by category and code."""
    items = MallItem.objects.select_related("stock", "benefit").order_by("category", "code")
    return list(items if status is None else items.filter(status=status))


def list_items(*, member: Member, at: datetime, lang: str) -> list[MallOffer]:
    """Return what a member sees in the mall, cheapest first: five queries at most.

    Items for other members are left out; those that begin later are shown with the date.
    """
    items = list(
        MallItem.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=at), status=MallItem.Status.ON_SALE
        )
        .select_related("stock", "code_pool")
        .order_by("points", "code")
    )
    trees = {
        item.pk: conditions.parse(item.condition) for item in items if item.condition is not None
    }
    names = {name for tree in trees.values() for name in conditions.fields_of(tree)}
    facts = member_facts(member_id=member.pk, fields=names, at=at) if names else {}
    items = [
        item for item in items if item.pk not in trees or conditions.evaluate(trees[item.pk], facts)
    ]
    if not items:
        return []
    available = get_balance(owner_id=member.pk, at=at).available
    bought = _bought(member, items)
    free_codes = _free_codes(items)
    return [
        _offer(item, member, available, bought.get(item.pk, 0), free_codes, at, lang)
        for item in items
    ]


def _offer(
    item: MallItem,
    member: Member,
    available: int,
    bought: int,
    free_codes: dict[int, int],
    at: datetime,
    lang: str,
) -> MallOffer:
    stock_left = _stock_left(item, free_codes)
    limit = item.per_member_limit
    limit_left = None if limit is None else max(limit - bought, 0)
    reasons = []
    if not member.is_active:
        reasons.append(Reason("blocked_member"))
    if item.starts_at is not None and item.starts_at > at:
        reasons.append(Reason("not_yet_started", {"starts_at": item.starts_at}))
    if stock_left == 0:
        reasons.append(Reason("out_of_stock"))
    if limit_left == 0:
        reasons.append(Reason("limit_used", {"limit": limit, "left": 0}))
    if available < item.points:
        reasons.append(Reason("insufficient_points", {"missing": item.points - available}))
    return MallOffer(
        item=item,
        name=localized(item.name, lang),
        summary=localized(item.summary, lang),
        available=not reasons,
        reasons=reasons,
        stock_left=stock_left,
        limit_left=limit_left,
    )


def count_free(*, item: MallItem) -> int | None:
    """Return how many units of an item can still be ordered; None when there is no limit."""
    return _stock_left(item, _free_codes([item]))


def get_order(
    *,
    id: int | None = None,  # noqa: A002
    number: str | None = None,
    key: UUID | None = None,
    member: Member | None = None,
) -> MallOrder:
    """Return an order by the one key given, of this member where one is given.

    :raises UnknownOrderError: if there is none, or it is another member's.
    """
    orders = _orders()
    if member is not None:
        orders = orders.filter(member=member)
    if number is not None:
        orders = orders.filter(number=number.strip().upper())
    elif key is not None:
        orders = orders.filter(key=key)
    else:
        orders = orders.filter(pk=id or 0)
    order = orders.first()
    if order is None:
        raise UnknownOrderError(order=number or (str(key) if key else id))
    return order


def list_orders(
    *,
    member: Member | None = None,
    state: str | Sequence[str] | None = None,
    item: MallItem | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[MallOrder]:
    """Return orders newest first; `after` is the key of the last one of the page before."""
    orders = _orders()
    if member is not None:
        orders = orders.filter(member=member)
    if state is not None:
        orders = orders.filter(state__in=[state] if isinstance(state, str) else list(state))
    if item is not None:
        orders = orders.filter(item=item)
    if after is not None:
        orders = orders.filter(pk__lt=after)
    return list(orders.order_by("-pk")[:limit])


def count_under_way() -> int:
    """Return how many orders wait for staff: to be confirmed, shipped or handed over."""
    return MallOrder.objects.filter(state__in=sorted(_UNDER_WAY)).count()


_UNDER_WAY = frozenset({MallOrder.State.PLACED, MallOrder.State.CONFIRMED, MallOrder.State.SHIPPED})


def _orders() -> QuerySet[MallOrder]:
    return MallOrder.objects.select_related("item", "member", "address", "grant")


def _bought(member: Member, items: list[MallItem]) -> dict[int, int]:
    limited = [item.pk for item in items if item.per_member_limit is not None]
    if not limited:
        return {}
    orders = MallOrder.objects.filter(member=member, item_id__in=limited, state__in=sorted(COUNTED))
    return dict(orders.values_list("item_id").annotate(units=Sum("quantity")))


def _free_codes(items: list[MallItem]) -> dict[int, int]:
    """Return the number of free codes by pool, counted no further than a page needs."""
    pools = {item.code_pool_id for item in items if item.code_pool_id is not None}
    return {
        pool: len(
            PoolCode.objects.filter(pool_id=pool, taken_at__isnull=True).values_list("pk")[:_ENOUGH]
        )
        for pool in pools
        if pool is not None
    }


_ENOUGH = 100


def _stock_left(item: MallItem, free_codes: dict[int, int]) -> int | None:
    codes = free_codes.get(item.code_pool_id) if item.code_pool_id is not None else None
    if item.stock_total is None:
        return codes
    return item.stock.free if codes is None else min(item.stock.free, codes)
