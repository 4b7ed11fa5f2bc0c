"""Writes of the catalogue: benefits, their costs and stages, packages."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from benefits.catalogue.errors import (
    CodeTakenError,
    CostExistsError,
    IllegalStageError,
    InvalidBenefitError,
)
from benefits.catalogue.kinds import get_kind
from benefits.catalogue.models import CODE, Benefit, BenefitCost, Package, PackageItem, StageChange
from benefits.catalogue.registry import pass_gates
from benefits.catalogue.stages import may_follow
from benefits.catalogue.texts import check_text
from core import clock
from core.actors import Actor
from core.money import MAX_MINOR
from tenants.audit.operations import record
from tenants.brands.context import current_brand

# What can be changed after a benefit was made; its code and kind are fixed for good.
_CHANGEABLE = frozenset(
    {
        "name",
        "summary",
        "terms",
        "category",
        "icon",
        "channel",
        "code_pool",
        "sla_hours",
        "service_steps",
        "list_price_minor",
        "regions",
        "linked_categories",
        "target",
        "cancel_returns_unit",
        "starts_at",
        "ends_at",
        "parameters",
    }
)
_TEXTS = frozenset({"name", "summary", "terms"})
_LISTS = frozenset({"regions", "linked_categories", "service_steps"})


def create_benefit(
    *,
    code: str,
    kind: str,
    name: Mapping[str, str],
    channel: str,
    by: Actor,
    at: datetime,
    stage: str = Benefit.Stage.IDEA,
    unit_cost_minor: int | None = None,
    reason: str = "",
    **fields: Any,
) -> Benefit:
    """Add a benefit to the catalogue, as an idea unless it is one that runs already.

    `fields` are any of `summary, terms, category, icon, code_pool, sla_hours, service_steps,
    list_price_minor, regions, linked_categories, target, cancel_returns_unit, starts_at,
    ends_at, parameters`. `unit_cost_minor` is in force from the brand's today.

    :raises UnknownKindError: if there is no such kind.
    :raises InvalidBenefitError: if a field is wrong; `pointer` names it.
    :raises CodeTakenError: if another benefit has the code.
    """
    _check_code(code)
    if stage not in Benefit.Stage.values or stage == Benefit.Stage.RETIRED:
        raise InvalidBenefitError("A new benefit cannot be in this stage.", pointer="/stage")
    cleaned = _clean(kind, {"name": name, "channel": channel, "parameters": {}, **fields})
    with transaction.atomic():
        if Benefit.objects.filter(code=code).exists():
            raise CodeTakenError(benefit=code)
        benefit = Benefit.objects.create(
            code=code, kind=kind, stage=stage, created_at=at, **cleaned
        )
        StageChange.objects.create(
            benefit=benefit, from_stage="", to_stage=stage, reason=reason, actor=by.key, at=at
        )
        if unit_cost_minor is not None:
            set_cost(
                benefit=benefit,
                unit_cost_minor=unit_cost_minor,
                valid_from=clock.local_date(at, current_brand().timezone),
                by=by,
                at=at,
            )
        record(
            by=by,
            at=at,
            action="benefit.created",
            target_type="benefit",
            target_id=benefit.pk,
            changes={"code": [None, code], "kind": [None, kind], "stage": [None, stage]},
            reason=reason,
        )
    return benefit


def update_benefit(*, benefit: Benefit, by: Actor, at: datetime, **changes: Any) -> Benefit:
    """Change fields of a benefit. Grants keep the terms they were given.

    :raises InvalidBenefitError: if a field is wrong or cannot be changed; `pointer` names it.
    """
    for name in changes:
        if name not in _CHANGEABLE:
            raise InvalidBenefitError("This cannot be changed.", pointer=f"/{name}")
    with transaction.atomic():
        row = Benefit.objects.select_for_update().get(pk=benefit.pk)
        now = {name: getattr(row, name) for name in _CHANGEABLE}
        cleaned = _clean(row.kind, {**now, **changes})
        changed = {name: cleaned[name] for name in changes if cleaned[name] != now[name]}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            row.save(update_fields=[*changed])
            record(
                by=by,
                at=at,
                action="benefit.changed",
                target_type="benefit",
                target_id=row.pk,
                changes={
                    name: [_plain(now[name]), _plain(value)] for name, value in changed.items()
                },
            )
    return row


def change_stage(
    *,
    benefit: Benefit,
    to: str,
    reason: str,
    by: Actor,
    at: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> Benefit:
    """Move a benefit to another stage of its life, with a reason and an audit entry.

    :raises IllegalStageError: if that stage cannot follow.
    :raises InvalidBenefitError: if no reason is given.
    """
    if not reason.strip():
        raise InvalidBenefitError("A reason is needed.", pointer="/reason")
    with transaction.atomic():
        row = Benefit.objects.select_for_update().get(pk=benefit.pk)
        if to not in Benefit.Stage.values or not may_follow(to, after=row.stage):
            raise IllegalStageError(stage=row.stage, to=to)
        gathered = pass_gates(benefit=row, to_stage=to, at=at)
        before, row.stage = row.stage, to
        row.save(update_fields=["stage"])
        StageChange.objects.create(
            benefit=row,
            from_stage=before,
            to_stage=to,
            reason=reason,
            evidence={**(evidence or {}), **gathered},
            actor=by.key,
            at=at,
        )
        record(
            by=by,
            at=at,
            action="benefit.stage_changed",
            target_type="benefit",
            target_id=row.pk,
            changes={"stage": [before, to]},
            reason=reason,
        )
    return row


def set_cost(
    *, benefit: Benefit, unit_cost_minor: int, valid_from: date, by: Actor, at: datetime
) -> BenefitCost:
    """Set what one unit costs from a brand day on, until the next cost that is known.

    Setting the same cost from the same day again changes nothing.

    :raises CostExistsError: if another cost starts on that day.
    :raises InvalidBenefitError: if the cost is negative or absurd.
    """
    if not 0 <= unit_cost_minor <= MAX_MINOR:
        raise InvalidBenefitError("The cost is out of range.", pointer="/unit_cost_minor")
    with transaction.atomic():
        # The benefit's row serialises changes of its costs; the exclusion constraint is behind.
        Benefit.objects.select_for_update().get(pk=benefit.pk)
        costs = list(BenefitCost.objects.filter(benefit=benefit).order_by("valid_from"))
        same = next((cost for cost in costs if cost.valid_from == valid_from), None)
        if same is not None:
            if same.unit_cost_minor != unit_cost_minor:
                raise CostExistsError(valid_from=valid_from.isoformat())
            return same
        before = [cost for cost in costs if cost.valid_from < valid_from]
        after = [cost for cost in costs if cost.valid_from > valid_from]
        if before:
            before[-1].valid_to = valid_from
            before[-1].save(update_fields=["valid_to"])
        cost = BenefitCost.objects.create(
            benefit=benefit,
            unit_cost_minor=unit_cost_minor,
            valid_from=valid_from,
            valid_to=after[0].valid_from if after else None,
        )
        record(
            by=by,
            at=at,
            action="benefit.cost_set",
            target_type="benefit",
            target_id=benefit.pk,
            changes={
                "unit_cost_minor": [
                    before[-1].unit_cost_minor if before else None,
                    unit_cost_minor,
                ],
                "valid_from": [None, valid_from.isoformat()],
            },
        )
    return cost


def create_package(
    *,
    code: str,
    name: Mapping[str, str],
    items: Sequence[tuple[Benefit, int]],
    by: Actor,
    at: datetime,
    summary: Mapping[str, str] | None = None,
    icon: str = "package",
) -> Package:
    """Put benefits with quantities together.

    :raises InvalidBenefitError: if the package is empty, or names a benefit twice.
    :raises CodeTakenError: if another package has the code.
    """
    _check_code(code)
    if not items:
        raise InvalidBenefitError("A package needs a benefit.", pointer="/items")
    if len({benefit.pk for benefit, _quantity in items}) != len(items):
        raise InvalidBenefitError("Each benefit can be listed once.", pointer="/items")
    for index, (_benefit, quantity) in enumerate(items):
        if quantity < 1:
            raise InvalidBenefitError(
                "At least one unit is needed.", pointer=f"/items/{index}/quantity"
            )
    with transaction.atomic():
        if Package.objects.filter(code=code).exists():
            raise CodeTakenError(package=code)
        package = Package.objects.create(
            code=code,
            name=check_text(name, pointer="/name", required=True),
            summary=check_text(summary or {}, pointer="/summary"),
            icon=icon,
            created_at=at,
        )
        PackageItem.objects.bulk_create(
            PackageItem(package=package, benefit=benefit, quantity=quantity)
            for benefit, quantity in items
        )
        record(
            by=by,
            at=at,
            action="package.created",
            target_type="package",
            target_id=package.pk,
            changes={"items": [None, {benefit.code: quantity for benefit, quantity in items}]},
        )
    return package


def _check_code(code: str) -> None:
    try:
        CODE(code)
    except ValidationError:
        raise InvalidBenefitError(
            "A code has small letters, digits, - and _, at most 40.", pointer="/code"
        ) from None


def _clean(kind_code: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the fields of a benefit together; return them ready to store."""
    kind = get_kind(kind_code)
    cleaned = dict(values)
    for name in cleaned:
        if name not in _CHANGEABLE:
            raise InvalidBenefitError("There is no such field.", pointer=f"/{name}")
    for name in _TEXTS & cleaned.keys():
        cleaned[name] = check_text(cleaned[name], pointer=f"/{name}", required=name == "name")
    for name in _LISTS & cleaned.keys():
        if not isinstance(cleaned[name], list) or not all(
            isinstance(item, (str, dict)) for item in cleaned[name]
        ):
            raise InvalidBenefitError("A list is needed.", pointer=f"/{name}")
    cleaned["parameters"] = kind.validate(cleaned["parameters"])
    if cleaned["channel"] not in kind.channels:
        raise InvalidBenefitError(
            "This kind of benefit is not fulfilled this way.",
            pointer="/channel",
            allowed=sorted(kind.channels),
        )
    if cleaned.get("code_pool") is not None and cleaned["channel"] != Benefit.Channel.CODE:
        raise InvalidBenefitError("A pool needs the code channel.", pointer="/code_pool")
    price = cleaned.get("list_price_minor", 0)
    if not isinstance(price, int) or not 0 <= price <= MAX_MINOR:
        raise InvalidBenefitError("The price is out of range.", pointer="/list_price_minor")
    starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidBenefitError("It must end after it starts.", pointer="/ends_at")
    return cleaned


def _plain(value: Any) -> Any:
    """Return a value as the audit can store it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "pk", value)
