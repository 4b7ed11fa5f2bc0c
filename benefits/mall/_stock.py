"""What an item's buyers share: its stock, changed by conditional updates and taken last.

A stock is a counter, or, for items made for a rush, a row per unit. Takers of units do not queue:
each starts at a random unit and skips those that another is taking. Lock order: stock → queue of
the waiting list, whose rows are skipped when they are locked and never waited for.
"""

import secrets
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Min, QuerySet

from benefits.catalogue.codes import give_back_codes, take_codes
from benefits.catalogue.errors import PoolEmptyError
from benefits.catalogue.models import PoolCode
from benefits.mall import _waiting
from benefits.mall.errors import OutOfStockError
from benefits.mall.models import (
    ItemVariant,
    MallItem,
    MallOrder,
    StockRow,
    StockUnit,
    VariantStock,
    WaitingEntry,
)

# A CTE with FOR UPDATE runs once; as a subquery the planner could run it again per row.
TAKE_UNITS = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM benefits_stockunit
         WHERE item_id = %(item)s AND variant_id IS NOT DISTINCT FROM %(variant)s
           AND order_id IS NULL AND waiting_id IS NULL AND id >= %(start)s
         ORDER BY id LIMIT %(count)s FOR UPDATE SKIP LOCKED)
    UPDATE benefits_stockunit unit SET order_id = %(order)s, waiting_id = %(waiting)s
      FROM picked WHERE unit.id = picked.id
    RETURNING unit.id
"""


def hold(order: MallOrder, entry: WaitingEntry | None = None) -> None:
    """Set units aside for an order; `entry` brings the one that was kept for it.

    :raises OutOfStockError: if too few are free.
    """
    more = order.quantity - _pass_on(order, entry)
    if order.item.unit_rows:
        _take_units(order.item, order.variant, more, order=order)
    elif more:
        _take(order.item, order.variant, more, held=F("held") + more)


def sell(order: MallOrder, entry: WaitingEntry | None = None) -> None:
    """Sell units at once. :raises OutOfStockError: if too few are free."""
    kept = _pass_on(order, entry)
    more = order.quantity - kept
    if order.item.unit_rows:
        _take_units(order.item, order.variant, more, order=order)
    else:
        _take(
            order.item,
            order.variant,
            more,
            held=F("held") - kept,
            sold=F("sold") + order.quantity,
        )


def sell_held(order: MallOrder) -> None:
    """Turn units held for an order into sold ones."""
    if not order.item.unit_rows:
        counters(order.item, order.variant).update(
            held=F("held") - order.quantity, sold=F("sold") + order.quantity
        )


def give_up(order: MallOrder, *, at: datetime) -> None:
    """Free units that an order held; the first ones waiting are offered them."""
    if order.item.unit_rows:
        StockUnit.objects.filter(order=order).update(order=None)
    else:
        counters(order.item, order.variant).update(held=F("held") - order.quantity)
    offer(order.item, order.variant, at=at)


def take_back(order: MallOrder, *, at: datetime) -> None:
    """Put units that were sold back on the shelf; the first ones waiting are offered them."""
    if order.item.unit_rows:
        StockUnit.objects.filter(order=order).update(order=None)
    else:
        counters(order.item, order.variant).update(sold=F("sold") - order.quantity)
    offer(order.item, order.variant, at=at)


def give_up_offer(entry: WaitingEntry, *, at: datetime) -> None:
    """Free what was kept for a waiting member; the next one is offered it."""
    give_back_codes(taken_for=entry.holder)
    if entry.item.unit_rows:
        StockUnit.objects.filter(waiting=entry).update(waiting=None)
    else:
        counters(entry.item, entry.variant).update(held=F("held") - 1)
    offer(entry.item, entry.variant, at=at)


def offer(item: MallItem, variant: ItemVariant | None, *, at: datetime) -> int:
    """Keep free units for those first in the queue, one each; return for how many.

    The stock's row is locked first: who joins the queue at the same moment is seen here, or sees
    the free unit.
    """
    row = counters(item, variant).select_for_update().first()
    if row is None and item.code_pool_id is None:
        return 0
    offered = 0
    for entry in _waiting.next_in_line(item, variant):
        try:
            with transaction.atomic():
                _keep(item, variant, entry, at)
        except (OutOfStockError, PoolEmptyError):
            break
        _waiting.make_offer(entry, hours=item.offer_hours, at=at)
        offered += 1
    return offered


def counters(item: MallItem, variant: ItemVariant | None) -> QuerySet[Any]:
    """Return the one counter of an item or variant, as a set to update; empty: unlimited."""
    if variant is not None:
        return VariantStock.objects.filter(variant=variant)
    return StockRow.objects.filter(item=item)


def add_units(item: MallItem, variant: ItemVariant | None, quantity: int) -> None:
    """Make the rows of new units and widen the bounds of their keys."""
    StockUnit.objects.bulk_create(
        (StockUnit(item=item, variant=variant) for _one in range(quantity)), batch_size=5_000
    )
    bounds = StockUnit.objects.filter(item=item, variant=variant).aggregate(
        first_unit=Min("id"), last_unit=Max("id")
    )
    counters(item, variant).update(**bounds)


def remove_units(item: MallItem, variant: ItemVariant | None, quantity: int) -> int:
    """Take free units out of the stock; return how many there were to take."""
    free = StockUnit.objects.filter(
        item=item, variant=variant, order__isnull=True, waiting__isnull=True
    )
    picked = list(
        free.order_by("-pk")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)[:quantity]
    )
    if len(picked) == quantity:
        StockUnit.objects.filter(pk__in=picked).delete()
    return len(picked)


def count_free(item: MallItem, variant: ItemVariant | None) -> int | None:
    """Return what can still be ordered, codes of a pool counted too; None: without limit."""
    row = counters(item, variant).first()
    free: int | None = None
    if row is not None and item.unit_rows:
        free = StockUnit.objects.filter(
            item=item, variant=variant, order__isnull=True, waiting__isnull=True
        ).count()
    elif row is not None:
        free = row.free
    if item.code_pool_id is None:
        return free
    codes = PoolCode.objects.filter(pool_id=item.code_pool_id, taken_at__isnull=True).count()
    return codes if free is None else min(free, codes)


def _keep(item: MallItem, variant: ItemVariant | None, entry: WaitingEntry, at: datetime) -> None:
    if item.code_pool_id is not None:
        take_codes(pool_id=item.code_pool_id, count=1, taken_for=entry.holder, at=at)
    if item.unit_rows:
        _take_units(item, variant, 1, entry=entry)
    else:
        _take(item, variant, 1, held=F("held") + 1)


def _pass_on(order: MallOrder, entry: WaitingEntry | None) -> int:
    """Hand the unit kept for a waiting member over to their order; return how many that was."""
    if entry is None:
        return 0
    if order.item.unit_rows:
        StockUnit.objects.filter(waiting=entry).update(waiting=None, order=order)
    return 1


def _take(item: MallItem, variant: ItemVariant | None, quantity: int, **change: object) -> None:
    rows = counters(item, variant)
    if rows.filter(stock_in__gte=F("held") + F("sold") + quantity).update(**change):
        return
    row = rows.first()
    if row is not None:
        raise OutOfStockError(left=row.free)


def _take_units(
    item: MallItem,
    variant: ItemVariant | None,
    quantity: int,
    *,
    order: MallOrder | None = None,
    entry: WaitingEntry | None = None,
) -> None:
    bounds = counters(item, variant).values_list("first_unit", "last_unit").first()
    if bounds is None or not quantity:
        return
    first, last = bounds
    found = 0
    if first is not None and last is not None:
        # Only when nothing is found from a random unit on, look from the beginning.
        for start in (first + secrets.randbelow(last - first + 1), first):
            with connection.cursor() as cursor:
                cursor.execute(
                    TAKE_UNITS,
                    {
                        "item": item.pk,
                        "variant": variant.pk if variant is not None else None,
                        "order": order.pk if order is not None else None,
                        "waiting": entry.pk if entry is not None else None,
                        "start": start,
                        "count": quantity - found,
                    },
                )
                found += cursor.rowcount
            if found == quantity:
                return
    # What was found is given back by the caller's rollback.
    raise OutOfStockError(left=found)
