"""Writes of the catalogue: benefits, their costs and stages, packages."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from benefits.catalogue import _amounts
from benefits.catalogue._versions import keep_version
from benefits.catalogue.errors import (
    CodeTakenError,
    IllegalStageError,
    InvalidBenefitError,
)
from benefits.catalogue.kinds import get_kind
from benefits.catalogue.models import (
    Benefit,
    BenefitCost,
    BenefitPrice,
    StageChange,
    check_code,
)
from benefits.catalogue.packages import create_package, update_package
from benefits.catalogue.registry import pass_gates
from benefits.catalogue.stages import may_follow
from benefits.catalogue.texts import check_text
from benefits.catalogue.validity import call_off_amount, close_amount
from core import clock
from core.actors import Actor
from core.money import MAX_MINOR
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

__all__ = [
    "call_off_amount",
    "change_stage",
    "close_amount",
    "create_benefit",
    "create_package",
    "set_cost",
    "set_list_price",
    "update_benefit",
    "update_package",
]

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
    check_code(code)
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
        keep_version(benefit=benefit, by=by, at=at)
        today = clock.local_date(at, current_brand().timezone)
        if benefit.list_price_minor:
            BenefitPrice.objects.create(
                benefit=benefit, list_price_minor=benefit.list_price_minor, valid_from=today
            )
        if unit_cost_minor is not None:
            set_cost(
                benefit=benefit,
                unit_cost_minor=unit_cost_minor,
                valid_from=today,
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
        if changed:
            # What it was until now, where it is older than the history.
            keep_version(benefit=row, by=by, at=row.created_at, only_first=True)
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            row.save(update_fields=[*changed])
            keep_version(benefit=row, by=by, at=at)
            if "list_price_minor" in changed:
                _amounts.put(
                    _amounts.PRICES,
                    benefit=row,
                    amount_minor=row.list_price_minor,
                    valid_from=clock.local_date(at, current_brand().timezone),
                    valid_to=None,
                    may_correct=True,
                )
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
    revoke_grants: bool = False,
) -> Benefit:
    """Move a benefit to another stage of its life, with a reason and an audit entry.

    Live rights to a benefit that retires stay until they end, unless `revoke_grants` says that
    they are taken back. Event: `benefit.stage_changed`.

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
        emit(
            type="benefit.stage_changed",
            subject=f"benefit:{row.pk}",
            data={
                "benefit": row.code,
                "benefit_id": row.pk,
                "from": before,
                "to": to,
                "revoke": revoke_grants and to == Benefit.Stage.RETIRED,
            },
            at=at,
        )
    return row


def set_cost(
    *,
    benefit: Benefit,
    unit_cost_minor: int,
    valid_from: date,
    by: Actor,
    at: datetime,
    valid_to: date | None = None,
) -> BenefitCost:
    """Set what one unit costs from a brand day on, until `valid_to` or the next known cost.

    Behind `valid_to` the cost from before holds again. The same again changes nothing.

    :raises CostExistsError: if another cost starts on that day.
    :raises PeriodsOverlapError: if another cost begins before `valid_to`.
    :raises InvalidBenefitError: if the cost is negative or absurd, or the period is empty.
    """
    with transaction.atomic():
        cost, before = _amounts.put(
            _amounts.COSTS,
            benefit=benefit,
            amount_minor=unit_cost_minor,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        _note_amount(
            "unit_cost_minor", benefit, before, unit_cost_minor, valid_from, valid_to, by, at
        )
    found: BenefitCost = cost
    return found


def set_list_price(
    *,
    benefit: Benefit,
    list_price_minor: int,
    valid_from: date,
    by: Actor,
    at: datetime,
    valid_to: date | None = None,
) -> BenefitPrice:
    """Set what the benefit is worth to the member from a brand day on; as `set_cost`.

    What starts today or earlier shows at once, what starts later when its day comes.

    :raises CostExistsError, PeriodsOverlapError, InvalidBenefitError: as `set_cost`.
    """
    with transaction.atomic():
        price, before = _amounts.put(
            _amounts.PRICES,
            benefit=benefit,
            amount_minor=list_price_minor,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        _note_amount(
            "list_price_minor", benefit, before, list_price_minor, valid_from, valid_to, by, at
        )
        show_prices(on=clock.local_date(at, current_brand().timezone), benefit=benefit)
    found: BenefitPrice = price
    return found


def show_prices(*, on: date, benefit: Benefit | None = None) -> int:
    """Copy the list prices in force on a brand day to their benefits; return how many changed."""
    prices = BenefitPrice.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=on), valid_from__lte=on
    )
    if benefit is not None:
        prices = prices.filter(benefit=benefit)
    changed = 0
    for key, amount in prices.values_list("benefit_id", "list_price_minor"):
        changed += (
            Benefit.objects.filter(pk=key)
            .exclude(list_price_minor=amount)
            .update(list_price_minor=amount)
        )
    if benefit is not None:
        benefit.refresh_from_db(fields=["list_price_minor"])
    return changed


def _note_amount(
    name: str,
    benefit: Benefit,
    before: int | None,
    amount: int,
    valid_from: date,
    valid_to: date | None,
    by: Actor,
    at: datetime,
) -> None:
    if before == amount:
        return
    what = "cost" if name == "unit_cost_minor" else "price"
    record(
        by=by,
        at=at,
        action=f"benefit.{what}_set",
        target_type="benefit",
        target_id=benefit.pk,
        changes={
            name: [before, amount],
            "valid_from": [None, valid_from.isoformat()],
            **({"valid_to": [None, valid_to.isoformat()]} if valid_to else {}),
        },
    )


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
