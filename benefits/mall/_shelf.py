"""Variants, and units that come in and go out of stock by hands of staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.models import CODE
from benefits.catalogue.texts import check_text
from benefits.mall import _stock
from benefits.mall.errors import InvalidItemError, StockInUseError, VariantCodeTakenError
from benefits.mall.models import ItemVariant, MallItem, StockMovement, StockRow, VariantStock
from core.actors import Actor
from tenants.audit.operations import record

_Kind = StockMovement.Kind
MAX_STOCK = 10**9
# Each unit is a row.
MAX_UNITS = 200_000
_MAX_POINTS = 10**12
MAX_VARIANTS = 60


def check_stock(stock: int | None, *, unit_rows: bool = False, pointer: str = "/stock") -> None:
    """Refuse a stock out of range. :raises InvalidItemError: naming the place."""
    if stock is None:
        return
    most = MAX_UNITS if unit_rows else MAX_STOCK
    if isinstance(stock, bool) or not isinstance(stock, int) or not 0 <= stock <= most:
        raise InvalidItemError(_("The stock is out of range."), pointer=pointer, most=most)


def open_stock(
    *, item: MallItem, variant: ItemVariant | None, quantity: int, by: Actor, at: datetime
) -> None:
    """Make the counter of an item or variant, with its opening stock."""
    if variant is None:
        StockRow.objects.create(item=item, stock_in=quantity)
    else:
        VariantStock.objects.create(variant=variant, stock_in=quantity)
    if item.unit_rows:
        _stock.add_units(item, variant, quantity)
    _note(item, variant, _Kind.OPENING, quantity, "", by, at)


def add_variant(
    *,
    item: MallItem,
    code: str,
    name: Mapping[str, str],
    by: Actor,
    at: datetime,
    stock: int | None = None,
    extra_points: int = 0,
) -> ItemVariant:
    """Add a size or colour with stock of its own (empty: unlimited) to an item.

    :raises InvalidItemError: if a field is wrong, the item has a stock or orders of its own
        already, or as many variants as there may be; `pointer` names the place.
    :raises VariantCodeTakenError: if the item has a variant with this code.
    """
    try:
        CODE(code)
    except ValidationError:
        raise InvalidItemError(
            _("A code has small letters, digits, - and _, at most 40."), pointer="/code"
        ) from None
    check_stock(stock, unit_rows=item.unit_rows)
    texts = _texts(name)
    _check_extra(extra_points)
    with transaction.atomic():
        row = MallItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
        known = list(row.variants.values_list("code", flat=True))
        if code in known:
            raise VariantCodeTakenError(variant=code)
        if len(known) >= MAX_VARIANTS:
            raise InvalidItemError(
                _("An item has at most %(max_variants)s variants.")
                % {"max_variants": MAX_VARIANTS},
                pointer="/code",
            )
        if row.stock_total is not None:
            raise InvalidItemError(
                _("This item has a stock of its own, so it cannot have variants."), pointer="/item"
            )
        if not known and row.orders.exists():
            raise InvalidItemError(
                _("This item was ordered without variants; make a new item."), pointer="/item"
            )
        variant = ItemVariant.objects.create(
            item=row,
            code=code,
            name=texts,
            position=len(known),
            extra_points=extra_points,
            stock_total=stock,
        )
        if stock is not None:
            open_stock(item=row, variant=variant, quantity=stock, by=by, at=at)
        record(
            by=by,
            at=at,
            action="mall_item.variant_added",
            target_type="mall_item",
            target_id=row.pk,
            changes={"variant": [None, code], "stock": [None, stock]},
        )
    return variant


def update_variant(*, variant: ItemVariant, by: Actor, at: datetime, **changes: Any) -> ItemVariant:
    """Change `name`, `extra_points` or `is_active`; orders keep the price they were placed at.

    :raises InvalidItemError: if a field is wrong or cannot be changed; `pointer` names it.
    """
    for field in changes:
        if field not in {"name", "extra_points", "is_active"}:
            raise InvalidItemError(_("This cannot be changed."), pointer=f"/{field}")
    if "name" in changes:
        changes["name"] = _texts(changes["name"])
    if "extra_points" in changes:
        _check_extra(changes["extra_points"])
    with transaction.atomic():
        row = ItemVariant.objects.select_for_update().get(pk=variant.pk)
        changed = {
            field: [getattr(row, field), value]
            for field, value in changes.items()
            if getattr(row, field) != value
        }
        for field, (_old, new) in changed.items():
            setattr(row, field, new)
        if changed:
            row.save(update_fields=[*changed])
            record(
                by=by,
                at=at,
                action="mall_item.variant_changed",
                target_type="mall_item",
                target_id=row.item_id,
                changes={"variant": [row.code, row.code], **changed},
            )
    return row


def add_stock(
    *,
    item: MallItem,
    quantity: int,
    by: Actor,
    at: datetime,
    variant: ItemVariant | None = None,
    reason: str = "",
) -> StockMovement:
    """Raise a stock; those first on the waiting list are offered what came in.

    :raises InvalidItemError: if the quantity is out of range, or there is no limited stock.
    """
    most = MAX_UNITS if item.unit_rows else MAX_STOCK
    if isinstance(quantity, bool) or not 1 <= quantity <= most:
        raise InvalidItemError(_("The quantity is out of range."), pointer="/quantity")
    with transaction.atomic():
        changed = _stock.counters(item, variant).update(stock_in=F("stock_in") + quantity)
        if not changed:
            raise InvalidItemError(_("This item has no limited stock."), pointer="/item")
        if item.unit_rows:
            _stock.add_units(item, variant, quantity)
        _count_total(item, variant, quantity)
        movement = _note(item, variant, _Kind.RECEIVED, quantity, reason, by, at)
        _record(item, variant, "stock_added", quantity, reason, by, at)
        _stock.offer(item, variant, at=at)
    return movement


def remove_stock(
    *,
    item: MallItem,
    quantity: int,
    reason: str,
    by: Actor,
    at: datetime,
    variant: ItemVariant | None = None,
) -> StockMovement:
    """Take free units out of a stock: lost, broken, counted anew.

    :raises InvalidItemError: if the quantity is out of range, the reason is missing, or there is
        no limited stock.
    :raises StockInUseError: if fewer units are free; nothing has changed then.
    """
    if isinstance(quantity, bool) or not 1 <= quantity <= MAX_STOCK:
        raise InvalidItemError(_("The quantity is out of range."), pointer="/quantity")
    if not reason.strip():
        raise InvalidItemError(_("A reason is needed."), pointer="/reason")
    with transaction.atomic():
        rows = _stock.counters(item, variant)
        row = rows.select_for_update().first()
        if row is None:
            raise InvalidItemError(_("This item has no limited stock."), pointer="/item")
        free = _stock.remove_units(item, variant, quantity) if item.unit_rows else row.free
        if free < quantity:
            raise StockInUseError(free=free)
        rows.update(stock_in=F("stock_in") - quantity)
        _count_total(item, variant, -quantity)
        movement = _note(item, variant, _Kind.LOST, -quantity, reason, by, at)
        _record(item, variant, "stock_removed", quantity, reason, by, at)
    return movement


def _texts(name: Mapping[str, str]) -> dict[str, str]:
    try:
        return check_text(name, pointer="/name", required=True)
    except InvalidBenefitError as error:
        raise InvalidItemError(error.detail, **error.data) from error


def _check_extra(points: object) -> None:
    if isinstance(points, bool) or not isinstance(points, int) or not 0 <= points <= _MAX_POINTS:
        raise InvalidItemError(
            _("A whole number from 0 to %(high)s is needed.") % {"high": _MAX_POINTS},
            pointer="/extra_points",
        )


def _count_total(item: MallItem, variant: ItemVariant | None, quantity: int) -> None:
    if variant is None:
        MallItem.objects.filter(pk=item.pk).update(stock_total=F("stock_total") + quantity)
    else:
        ItemVariant.objects.filter(pk=variant.pk).update(stock_total=F("stock_total") + quantity)


def _note(
    item: MallItem,
    variant: ItemVariant | None,
    kind: str,
    quantity: int,
    reason: str,
    by: Actor,
    at: datetime,
) -> StockMovement:
    return StockMovement.objects.create(
        item=item,
        variant=variant,
        kind=kind,
        quantity=quantity,
        reason=reason.strip()[:200],
        actor=by.key,
        at=at,
    )


def _record(
    item: MallItem,
    variant: ItemVariant | None,
    step: str,
    quantity: int,
    reason: str,
    by: Actor,
    at: datetime,
) -> None:
    record(
        by=by,
        at=at,
        action=f"mall_item.{step}",
        target_type="mall_item",
        target_id=item.pk,
        changes={
            "quantity": [None, quantity],
            **({"variant": [None, variant.code]} if variant is not None else {}),
        },
        reason=reason,
    )
