"""Reads of the mall: what a member can order, and orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from benefits.catalogue.models import Benefit, Package, PoolCode
from benefits.catalogue.texts import localized
from benefits.grants.usability import Reason
from benefits.mall import _stock
from benefits.mall.errors import (
    InvalidOrderError,
    UnknownItemError,
    UnknownOrderError,
    UnknownWaitingError,
)
from benefits.mall.models import (
    ItemVariant,
    MallItem,
    MallOrder,
    MemberAddress,
    StockMovement,
    StockUnit,
    WaitingEntry,
)
from benefits.mall.states import COUNTED
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments import conditions
from members.segments.queries import member_facts

__all__ = [
    "MallOffer",
    "StockLine",
    "VariantOffer",
    "count_by_state",
    "count_free",
    "count_under_way",
    "get_item",
    "get_order",
    "get_variant",
    "get_waiting",
    "is_offered",
    "list_addresses",
    "list_items",
    "list_movements",
    "list_my_waiting",
    "list_orders",
    "list_shelf",
    "list_stock",
    "list_waiting",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantOffer:
    """One size or colour as one member sees it."""

    variant: ItemVariant
    name: str
    points: int
    stock_left: int | None
    waiting: WaitingEntry | None

    @property
    def available(self) -> bool:
        """Say whether there is one for this member."""
        return self.stock_left != 0 or is_offered(self.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class MallOffer:
    """One item as one member sees it: orderable now, or the reasons why not.

    `stock_left` and `limit_left` are empty where there is no limit. `waiting` is the member's
    place on the waiting list; `may_wait` says that joining it is all that is left to do.
    """

    item: MallItem
    name: str
    summary: str
    available: bool
    reasons: list[Reason]
    stock_left: int | None
    limit_left: int | None
    variants: list[VariantOffer]
    waiting: WaitingEntry | None

    @property
    def may_wait(self) -> bool:
        """Say whether the item, or one of its variants, can be waited for."""
        codes = {reason.code for reason in self.reasons} - {"insufficient_points"}
        if codes - {"out_of_stock"}:
            return False
        if self.variants:
            return any(v.stock_left == 0 and v.waiting is None for v in self.variants)
        return self.stock_left == 0 and self.waiting is None


@dataclass(frozen=True, slots=True)
class StockLine:
    """The stock of an item or of one variant, for staff; `total` empty: unlimited."""

    variant: ItemVariant | None
    total: int | None
    held: int
    sold: int
    free: int | None
    waiting: int


def is_offered(entry: WaitingEntry | None) -> bool:
    """Say whether a unit is kept for this place on the waiting list."""
    return entry is not None and entry.state == WaitingEntry.State.OFFERED


def get_item(*, code: str) -> MallItem:
    """Return an item. :raises UnknownItemError: if there is none of this code."""
    items = MallItem.objects.select_related(
        "benefit", "code_pool", "package", "budget_line", "stock"
    )
    item = items.filter(code=code).first()
    if item is None:
        raise UnknownItemError(item=code)
    return item


def list_shelf(
    *,
    status: str | None = None,
    benefit: Benefit | None = None,
    package: Package | None = None,
) -> list[MallItem]:
    """Return items with their stock for staff, by category and code; those of one content."""
    items = (
        MallItem.objects.select_related("stock", "benefit")
        .annotate(variant_count=Count("variants"))
        .order_by("category", "code")
    )
    if benefit is not None:
        items = items.filter(benefit=benefit)
    if package is not None:
        items = items.filter(package=package)
    return list(items if status is None else items.filter(status=status))


def list_items(
    *, member: Member, at: datetime, lang: str, code: str | None = None
) -> list[MallOffer]:
    """Return what a member sees in the mall, cheapest first (or one item): seven queries at most.

    Items for other members are left out; those that begin later are shown with the date.
    """
    found = MallItem.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at), status=MallItem.Status.ON_SALE
    ).select_related("stock", "code_pool")
    if code is not None:
        found = found.filter(code=code)
    found = found.annotate(with_variants=Exists(ItemVariant.objects.filter(item=OuterRef("pk"))))
    items: list[MallItem] = list(found.order_by("points", "code"))
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
    shelf = _Shelf.of(items)
    return [
        _offer(item, member, shelf, look, at, lang)
        for look in [_Look.of(member, items, shelf, at)]
        for item in items
    ]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is free, for all members alike; `free` by item and variant."""

    variants: dict[int, list[ItemVariant]]
    free: dict[tuple[int, int | None], int | None]

    @classmethod
    def of(cls, items: list[MallItem]) -> "_Shelf":
        variants: dict[int, list[ItemVariant]] = {}
        with_variants = [item.pk for item in items if getattr(item, "with_variants", True)]
        if with_variants:
            rows = ItemVariant.objects.filter(item_id__in=with_variants, is_active=True)
            for variant in rows.select_related("stock").order_by("item_id", "position"):
                variants.setdefault(variant.item_id, []).append(variant)
        codes = _free_codes(items)
        units = _free_units(items)
        free: dict[tuple[int, int | None], int | None] = {}
        for item in items:
            free[item.pk, None] = _stock_left(item, None, codes, units)
            for each in variants.get(item.pk, []):
                free[item.pk, each.pk] = _stock_left(item, each, codes, units)
        return cls(variants, free)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is one member's own."""

    available: int
    bought: dict[int, list[tuple[datetime, int]]]
    waiting: dict[tuple[int, int | None], WaitingEntry]

    @classmethod
    def of(cls, member: Member, items: list[MallItem], shelf: _Shelf, at: datetime) -> "_Look":
        sold_out = {item for (item, _variant), left in shelf.free.items() if left == 0}
        rows: list[WaitingEntry] = []
        if sold_out:
            places = WaitingEntry.objects.filter(
                member=member, item_id__in=sold_out, state__in=WaitingEntry.LIVE
            )
            rows = list(places.exclude(offer_ends_at__lte=at))
        return cls(
            get_balance(owner_id=member.pk, at=at).available,
            _bought(member, items),
            {(row.item_id, row.variant_id): row for row in rows},
        )


def _offer(
    item: MallItem, member: Member, shelf: _Shelf, look: _Look, at: datetime, lang: str
) -> MallOffer:
    variants = [
        VariantOffer(
            variant=variant,
            name=localized(variant.name, lang),
            points=item.points + variant.extra_points,
            stock_left=shelf.free[item.pk, variant.pk],
            waiting=look.waiting.get((item.pk, variant.pk)),
        )
        for variant in shelf.variants.get(item.pk, [])
    ]
    waiting = look.waiting.get((item.pk, None))
    stock_left = shelf.free[item.pk, None]
    if variants:
        lefts = [v.stock_left for v in variants]
        stock_left = None if None in lefts else sum(left or 0 for left in lefts)
    reasons = []
    if not member.is_active:
        reasons.append(Reason("blocked_member"))
    if item.starts_at is not None and item.starts_at > at:
        reasons.append(Reason("not_yet_started", {"starts_at": item.starts_at}))
    is_kept = is_offered(waiting) or any(is_offered(v.waiting) for v in variants)
    if stock_left == 0 and not is_kept:
        reasons.append(Reason("out_of_stock"))
    limit_left, refusal = _limit_left(item, look.bought.get(item.pk, []), at)
    if refusal is not None:
        reasons.append(refusal)
    price = min([v.points for v in variants], default=item.points)
    if look.available < price:
        reasons.append(Reason("insufficient_points", {"missing": price - look.available}))
    return MallOffer(
        item=item,
        name=localized(item.name, lang),
        summary=localized(item.summary, lang),
        available=not reasons,
        reasons=reasons,
        stock_left=stock_left,
        limit_left=limit_left,
        variants=variants,
        waiting=waiting,
    )


def _limit_left(
    item: MallItem, bought: list[tuple[datetime, int]], at: datetime
) -> tuple[int | None, Reason | None]:
    """Return how many a member can still have, and the refusal when that is none."""
    limit, days = item.per_member_limit, item.limit_days
    if limit is None:
        return None, None
    window = timedelta(days=days) if days is not None else None
    counted = [row for row in bought if window is None or row[0] > at - window]
    left = max(limit - sum(quantity for _placed_at, quantity in counted), 0)
    if left:
        return left, None
    data: dict[str, Any] = {"limit": limit, "left": 0}
    if window is not None:
        data["next_at"] = counted[0][0] + window
    return 0, Reason("limit_used", data)


def count_free(*, item: MallItem, variant: ItemVariant | None = None) -> int | None:
    """Return how many units can still be ordered; None when there is no limit."""
    return _stock.count_free(item, variant)


def list_stock(*, item: MallItem) -> list[StockLine]:
    """Return the stock of an item: one line, or one for each variant."""
    variants: list[ItemVariant | None] = [
        *item.variants.select_related("stock").order_by("position")
    ]
    codes, units = _free_codes([item]), _free_units([item])
    queue = dict(
        WaitingEntry.objects.filter(item=item, state__in=WaitingEntry.LIVE)
        .values_list("variant_id")
        .annotate(places=Count("pk"))
    )
    ordered: dict[int | None, tuple[int, int]] = {
        row["variant_id"]: (row["held"], row["sold"])
        for row in MallOrder.objects.filter(item=item)
        .values("variant_id")
        .annotate(
            held=Sum("quantity", filter=Q(state=MallOrder.State.PLACED), default=0),
            sold=Sum("quantity", filter=_IS_SOLD, default=0),
        )
    }
    return [
        StockLine(
            variant=variant,
            total=item.stock_total if variant is None else variant.stock_total,
            held=ordered.get(key, (0, 0))[0],
            sold=ordered.get(key, (0, 0))[1],
            free=_stock_left(item, variant, codes, units),
            waiting=queue.get(key, 0),
        )
        for variant in (variants or [None])
        for key in [variant.pk if variant is not None else None]
    ]


def list_movements(*, item: MallItem, limit: int = 50) -> list[StockMovement]:
    """Return what came in and was counted out, the last one first."""
    rows = StockMovement.objects.filter(item=item).select_related("variant")
    return list(rows.order_by("-pk")[:limit])


def list_waiting(*, item: MallItem, limit: int = 50) -> list[WaitingEntry]:
    """Return the queue of an item: reserved first, then who comes next."""
    rows = WaitingEntry.objects.filter(item=item, state__in=WaitingEntry.LIVE)
    return list(rows.select_related("member", "variant").order_by("state", "pk")[:limit])


def list_my_waiting(*, member: Member, at: datetime) -> list[WaitingEntry]:
    """Return a member's places, each with `ahead`: how many are before it."""
    before = (
        WaitingEntry.objects.filter(
            item=OuterRef("item"), state=WaitingEntry.State.WAITING, pk__lt=OuterRef("pk")
        )
        # Either all places of an item name a variant, or none does.
        .filter(Q(variant=OuterRef("variant")) | Q(variant__isnull=True))
        .order_by()
        .values("item")
        .annotate(places=Count("pk"))
        .values("places")
    )
    rows = WaitingEntry.objects.filter(member=member, state__in=WaitingEntry.LIVE)
    return list(
        rows.exclude(offer_ends_at__lte=at)
        .select_related("item", "variant")
        .annotate(ahead=Coalesce(Subquery(before), 0))
        .order_by("state", "pk")
    )


def get_waiting(*, entry_id: int, member: Member) -> WaitingEntry:
    """Return a member's place. :raises UnknownWaitingError: if there is none."""
    rows = WaitingEntry.objects.select_related("item", "variant")
    entry = rows.filter(pk=entry_id, member=member).first()
    if entry is None:
        raise UnknownWaitingError(waiting=entry_id)
    return entry


def get_variant(*, item: MallItem, code: str) -> ItemVariant:
    """Return a variant of an item. :raises InvalidOrderError: if there is none of this code."""
    variant = item.variants.filter(code=code).first()
    if variant is None:
        raise InvalidOrderError(_("There is no such variant."), pointer="/variant")
    return variant


def list_addresses(*, member: Member) -> list[MemberAddress]:
    """Return the addresses a member keeps, the default one first."""
    return list(MemberAddress.objects.filter(member=member).order_by("-is_default", "-pk"))


def count_by_state() -> dict[str, int]:
    """Return how many orders are in each state."""
    return dict(MallOrder.objects.values_list("state").annotate(orders=Count("pk")))


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
    return MallOrder.objects.select_related("item", "variant", "member", "address", "grant")


_IS_SOLD = Q(
    state__in=[MallOrder.State.CONFIRMED, MallOrder.State.SHIPPED, MallOrder.State.COMPLETED]
) | Q(state=MallOrder.State.REFUNDED, restocked=False)


def _bought(member: Member, items: list[MallItem]) -> dict[int, list[tuple[datetime, int]]]:
    """Return what a member has of each item with a limit: when and how many, the oldest first."""
    limited = [item.pk for item in items if item.per_member_limit is not None]
    found: dict[int, list[tuple[datetime, int]]] = {}
    if limited:
        orders = MallOrder.objects.filter(
            member=member, item_id__in=limited, state__in=sorted(COUNTED)
        )
        for item_id, placed_at, quantity in orders.order_by("placed_at").values_list(
            "item_id", "placed_at", "quantity"
        ):
            found.setdefault(item_id, []).append((placed_at, quantity))
    return found


def _free_units(items: list[MallItem]) -> dict[tuple[int, int | None], int]:
    """Return the free units of items whose units are rows."""
    made = [item.pk for item in items if item.unit_rows]
    if not made:
        return {}
    rows = (
        StockUnit.objects.filter(item_id__in=made, order__isnull=True, waiting__isnull=True)
        .values_list("item_id", "variant_id")
        .annotate(units=Count("pk"))
    )
    return {(item, variant): units for item, variant, units in rows}


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


def _stock_left(
    item: MallItem,
    variant: ItemVariant | None,
    free_codes: dict[int, int],
    free_units: dict[tuple[int, int | None], int],
) -> int | None:
    codes = free_codes.get(item.code_pool_id) if item.code_pool_id is not None else None
    of = item if variant is None else variant
    if of.stock_total is None:
        return codes
    if item.unit_rows:
        free = free_units.get((item.pk, variant.pk if variant is not None else None), 0)
    else:
        free = of.stock.free
    return free if codes is None else min(free, codes)
