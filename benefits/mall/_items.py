"""Items of the mall."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.models import CODE
from benefits.catalogue.texts import check_text
from benefits.mall._shelf import check_stock, open_stock
from benefits.mall.errors import InvalidItemError, ItemCodeTakenError
from benefits.mall.models import MallItem
from core.actors import Actor
from core.money import MAX_MINOR
from members.segments import conditions
from tenants.audit.operations import record

_Kind = MallItem.Kind
_MAX_POINTS = 10**12
_CHANGEABLE = frozenset(
    {
        "name",
        "summary",
        "icon",
        "category",
        "points",
        "cash_minor",
        "unit_cost_minor",
        "per_member_limit",
        "limit_days",
        "pay_minutes",
        "offer_hours",
        "condition",
        "benefit",
        "benefit_validity_days",
        "code_pool",
        "package",
        "budget_line",
        "starts_at",
        "ends_at",
    }
)
_BOUNDS = {
    "points": (1, _MAX_POINTS),
    "cash_minor": (0, MAX_MINOR),
    "unit_cost_minor": (0, MAX_MINOR),
    "per_member_limit": (1, 10**6),
    "benefit_validity_days": (1, 3_650),
    "limit_days": (1, 3_650),
    "pay_minutes": (1, 10_080),
    "offer_hours": (1, 720),
}
# Columns that have a default: leaving them empty means the default, not nothing.
_NEVER_EMPTY = ("pay_minutes", "offer_hours")


def create_item(
    *,
    code: str,
    kind: str,
    name: Mapping[str, str],
    points: int,
    by: Actor,
    at: datetime,
    stock: int | None = None,
    unit_rows: bool = False,
    on_sale: bool = False,
    **fields: Any,
) -> MallItem:
    """Put an item into the mall, as a draft unless it goes on sale at once.

    `stock` empty: unlimited, or told by the variants that are added later. `unit_rows` makes the
    stock a row per unit, for a rush. `fields` are any of `summary, icon, category, cash_minor,
    unit_cost_minor, per_member_limit, limit_days, pay_minutes, offer_hours, condition, benefit,
    benefit_validity_days, code_pool, package, budget_line, starts_at, ends_at`.

    :raises InvalidItemError: if a field is wrong; `pointer` names it.
    :raises ConditionError: if the condition is none.
    :raises ItemCodeTakenError: if another item has the code.
    """
    try:
        CODE(code)
    except ValidationError:
        raise InvalidItemError(
            _("A code has small letters, digits, - and _, at most 40."), pointer="/code"
        ) from None
    check_stock(stock, unit_rows=unit_rows)
    cleaned = _clean(kind, {"name": name, "points": points, **fields})
    with transaction.atomic():
        if MallItem.objects.filter(code=code).exists():
            raise ItemCodeTakenError(item=code)
        item = MallItem.objects.create(
            code=code,
            kind=kind,
            stock_total=stock,
            unit_rows=unit_rows,
            status=MallItem.Status.ON_SALE if on_sale else MallItem.Status.DRAFT,
            created_at=at,
            **cleaned,
        )
        if stock is not None:
            open_stock(item=item, variant=None, quantity=stock, by=by, at=at)
        record(
            by=by,
            at=at,
            action="mall_item.created",
            target_type="mall_item",
            target_id=item.pk,
            changes={"code": [None, code], "points": [None, points], "stock": [None, stock]},
        )
    return item


def update_item(*, item: MallItem, by: Actor, at: datetime, **changes: Any) -> MallItem:
    """Change an item; orders keep the price they were placed at.

    :raises InvalidItemError: if a field is wrong or cannot be changed; `pointer` names it.
    """
    for name in changes:
        if name not in _CHANGEABLE:
            raise InvalidItemError(_("This cannot be changed."), pointer=f"/{name}")
    with transaction.atomic():
        row = MallItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
        now = {name: getattr(row, name) for name in _CHANGEABLE}
        cleaned = _clean(row.kind, {**now, **changes})
        changed = {
            name: cleaned[name]
            for name in changes
            if name in cleaned and cleaned[name] != now[name]
        }
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            row.save(update_fields=[*changed])
            record(
                by=by,
                at=at,
                action="mall_item.changed",
                target_type="mall_item",
                target_id=row.pk,
                changes={name: [_plain(now[name]), _plain(new)] for name, new in changed.items()},
            )
    return row


def set_item_status(*, item: MallItem, status: str, by: Actor, at: datetime) -> MallItem:
    """Put an item on sale, pause or end it; orders placed go their way.

    :raises InvalidItemError: if there is no such status, or it would be a draft again.
    """
    if status not in MallItem.Status.values or status == MallItem.Status.DRAFT:
        raise InvalidItemError(_("An item cannot get this status."), pointer="/status")
    with transaction.atomic():
        row = MallItem.objects.select_for_update(of=("self",)).get(pk=item.pk)
        before, row.status = row.status, status
        if before != status:
            row.save(update_fields=["status"])
            record(
                by=by,
                at=at,
                action="mall_item.status_changed",
                target_type="mall_item",
                target_id=row.pk,
                changes={"status": [before, status]},
            )
    return row


def _clean(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the fields of an item together; return them ready to store."""
    if kind not in _Kind.values:
        raise InvalidItemError(_("There is no such kind of item."), pointer="/kind")
    cleaned = {
        name: value
        for name, value in values.items()
        if value is not None or name not in _NEVER_EMPTY
    }
    for name in cleaned:
        if name not in _CHANGEABLE:
            raise InvalidItemError(_("There is no such field."), pointer=f"/{name}")
    for name in {"name", "summary"} & cleaned.keys():
        try:
            cleaned[name] = check_text(cleaned[name], pointer=f"/{name}", required=name == "name")
        except InvalidBenefitError as error:
            raise InvalidItemError(error.detail, **error.data) from error
    _check_numbers(cleaned)
    if (cleaned.get("benefit") is not None) != (kind in {_Kind.BENEFIT, _Kind.PARTNER}):
        raise InvalidItemError(_("A benefit belongs to items that grant one."), pointer="/benefit")
    if (cleaned.get("package") is not None) != (kind == _Kind.PACKAGE):
        raise InvalidItemError(_("A package belongs to items that grant one."), pointer="/package")
    if (cleaned.get("code_pool") is not None) != (kind == _Kind.CODE):
        raise InvalidItemError(
            _("A pool belongs to items that hand out codes."), pointer="/code_pool"
        )
    if cleaned.get("condition") is not None:
        cleaned["condition"] = conditions.to_tree(conditions.parse(cleaned["condition"]))
    starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidItemError(_("It must end after it starts."), pointer="/ends_at")
    return cleaned


def _check_numbers(values: Mapping[str, Any]) -> None:
    for name, (low, high) in _BOUNDS.items():
        value = values.get(name)
        if value is None and name != "points":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidItemError(
                _("A whole number from %(low)s to %(high)s is needed.")
                % {"low": low, "high": high},
                pointer=f"/{name}",
            )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "pk", value)
