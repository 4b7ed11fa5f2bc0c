"""Writes of grant rules: draft, publish, pause, end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from benefits.budget.models import BudgetLine
from benefits.catalogue.models import CODE, Benefit, Package
from benefits.catalogue.queries import unit_cost
from benefits.catalogue.stages import LIVE
from benefits.rules.errors import (
    BenefitNotLiveError,
    InvalidRuleError,
    RuleCodeTakenError,
    RuleStateError,
)
from benefits.rules.hold_out import WHOLE
from benefits.rules.models import GrantRule, RuleVersion
from benefits.rules.publication import check_budget, check_possible
from benefits.rules.queries import list_units, preview
from benefits.rules.terms import CHANGEABLE, plain, terms_of
from core import clock
from core.actors import SYSTEM, Actor
from members.segments import conditions
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_Status = GrantRule.Status
_COUNTS = {
    "quantity": (1, 100_000),
    "validity_days": (0, 3_650),
    "cap_per_member": (1, 10**9),
    "cap_units_per_period": (0, 10**12),
    "cap_minor_per_period": (0, 10**13),
    "cap_minor_per_member": (0, 10**13),
    "cap_units_per_day": (0, 10**12),
    "cap_minor_per_day": (0, 10**13),
    "cap_units_total": (0, 10**12),
    "cap_minor_total": (0, 10**13),
    "every_months": (1, 120),
    "hold_out_bp": (0, WHOLE - 1),
}


def create_rule(
    *,
    code: str,
    name: str,
    cadence: str,
    by: Actor,
    at: datetime,
    benefit: Benefit | None = None,
    package: Package | None = None,
    condition: Mapping[str, Any] | None = None,
    **fields: Any,
) -> GrantRule:
    """Draft a rule for a benefit or a package.

    `fields` are any of `every_months, event_name, quantity, validity_days, cap_per_member,
    cap_minor_per_member, cap_units_per_day, cap_minor_per_day, cap_units_per_period,
    cap_minor_per_period, cap_units_total, cap_minor_total, hold_out_bp, exclusivity_group,
    on_lost, on_refund, budget_line, priority, starts_at, ends_at`. Without a condition every
    member gets it.

    :raises InvalidRuleError: if a field is wrong; `pointer` names it.
    :raises ConditionError: if the condition is none; `pointer` names the place.
    :raises RuleCodeTakenError: if another rule has the code.
    """
    try:
        CODE(code)
    except ValidationError:
        raise InvalidRuleError(
            "A code has small letters, digits, - and _, at most 40.", pointer="/code"
        ) from None
    cleaned = _clean(
        {
            "name": name,
            "cadence": cadence,
            "benefit": benefit,
            "package": package,
            "condition": condition if condition is not None else {},
            **fields,
        }
    )
    with transaction.atomic():
        if GrantRule.objects.filter(code=code).exists():
            raise RuleCodeTakenError(rule=code)
        rule = GrantRule.objects.create(code=code, created_at=at, **cleaned)
        record(
            by=by,
            at=at,
            action="rule.created",
            target_type="rule",
            target_id=rule.pk,
            changes={"code": [None, code], "cadence": [None, cadence]},
        )
    return rule


def update_rule(*, rule: GrantRule, by: Actor, at: datetime, **changes: Any) -> GrantRule:
    """Change a draft or paused rule; what it has granted stays as it is.

    :raises RuleStateError: if the rule is published or ended.
    :raises InvalidRuleError: if a field is wrong; `pointer` names it.
    """
    with transaction.atomic():
        row = _lock(rule)
        if row.status not in {_Status.DRAFT, _Status.PAUSED}:
            raise RuleStateError(status=row.status)
        now = {name: getattr(row, name) for name in CHANGEABLE}
        cleaned = _clean({**now, **changes})
        changed = {name: cleaned[name] for name in changes if cleaned[name] != now[name]}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            row.save(update_fields=[*changed])
            record(
                by=by,
                at=at,
                action="rule.changed",
                target_type="rule",
                target_id=row.pk,
                changes={name: [plain(now[name]), plain(value)] for name, value in changed.items()},
            )
    return row


def publish_rule(*, rule: GrantRule, by: Actor, at: datetime) -> RuleVersion:
    """Put a draft or paused rule into force, with the audience and cost it has now.

    What `publication.check_publication` finds in the way refuses it; its warnings are kept with
    the version.

    :raises RuleStateError: if it is published or ended.
    :raises BenefitNotLiveError: if a benefit of it is an idea or retired.
    :raises CostMissingError: if a benefit of it has no unit cost today.
    :raises ImpossibleRuleError: if it can never grant anything; `field` or `cap` says why.
    :raises NoBudgetError: if it costs money and no line of the day's budget pays.
    :raises InvalidRuleError: if its dates have passed.
    """
    with transaction.atomic():
        row = _lock(rule)
        if row.status not in {_Status.DRAFT, _Status.PAUSED}:
            raise RuleStateError(status=row.status)
        if row.ends_at is not None and row.ends_at <= at:
            raise InvalidRuleError("The rule has ended already.", pointer="/ends_at")
        today = clock.local_date(at, current_brand().timezone)
        for benefit, _units in list_units(rule=row):
            if benefit.stage not in LIVE:
                raise BenefitNotLiveError(benefit=benefit.code, stage=benefit.stage)
            unit_cost(benefit=benefit, on=today)
        check_possible(rule=row, at=at)
        check_budget(rule=row, at=at)
        shown = preview(rule=row, at=at)
        row.version += 1
        row.status = _Status.PUBLISHED
        row.save(update_fields=["version", "status"])
        version = RuleVersion.objects.create(
            rule=row,
            version=row.version,
            terms=terms_of(row),
            preview=shown.as_data(),
            published_at=at,
            published_by=by.key,
        )
        record(
            by=by,
            at=at,
            action="rule.published",
            target_type="rule",
            target_id=row.pk,
            changes={
                "version": [row.version - 1 or None, row.version],
                "audience": [None, shown.audience],
                "cost_minor": [None, shown.cost_minor],
            },
        )
    return version


def pause_rule(*, rule: GrantRule, by: Actor, at: datetime, reason: str = "") -> GrantRule:
    """Stop issuing; rights that were granted stay. `publish_rule` puts it into force again.

    :raises RuleStateError: if it is not published.
    """
    return _move(rule, allowed={_Status.PUBLISHED}, to=_Status.PAUSED, by=by, at=at, reason=reason)


def end_rule(
    *, rule: GrantRule, by: Actor, at: datetime, reason: str = "", revoke_grants: bool = False
) -> GrantRule:
    """End a rule for good; rights that were granted stay, unless `revoke_grants` takes them back.

    Event: `rule.ended`.

    :raises RuleStateError: if it was never published or has ended already.
    """
    allowed = {_Status.PUBLISHED, _Status.PAUSED}
    with transaction.atomic():
        row = _move(rule, allowed=allowed, to=_Status.ENDED, by=by, at=at, reason=reason)
        emit(
            type="rule.ended",
            subject=f"rule:{row.pk}",
            data={"rule": row.code, "rule_id": row.pk, "revoke": revoke_grants},
            at=at,
        )
    return row


def end_due_rules(*, at: datetime) -> int:
    """End the published and paused rules whose last day has passed; return how many."""
    due = GrantRule.objects.filter(
        status__in=[_Status.PUBLISHED, _Status.PAUSED], ends_at__lte=at
    ).order_by("pk")
    for rule in due:
        end_rule(rule=rule, by=SYSTEM, at=at, reason="out of its dates")
    return len(due)


def _move(
    rule: GrantRule, *, allowed: set[_Status], to: _Status, by: Actor, at: datetime, reason: str
) -> GrantRule:
    with transaction.atomic():
        row = _lock(rule)
        if row.status not in allowed:
            raise RuleStateError(status=row.status)
        before, row.status = row.status, to
        row.save(update_fields=["status"])
        record(
            by=by,
            at=at,
            action=f"rule.{to}",
            target_type="rule",
            target_id=row.pk,
            changes={"status": [before, to]},
            reason=reason,
        )
    return row


def _lock(rule: GrantRule) -> GrantRule:
    return (
        GrantRule.objects.select_for_update(of=("self",))
        .select_related("benefit", "package", "budget_line")
        .get(pk=rule.pk)
    )


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the fields of a rule together; return them ready to store."""
    cleaned = dict(values)
    for name in cleaned:
        if name not in CHANGEABLE:
            raise InvalidRuleError("There is no such field.", pointer=f"/{name}")
    if not str(cleaned["name"]).strip():
        raise InvalidRuleError("A name is needed.", pointer="/name")
    if (cleaned.get("benefit") is None) == (cleaned.get("package") is None):
        raise InvalidRuleError("Give either a benefit or a package.", pointer="/benefit")
    line = cleaned.get("budget_line")
    if line is not None and not isinstance(line, BudgetLine):
        raise InvalidRuleError("There is no such budget line.", pointer="/budget_line")
    _check_choices(cleaned)
    cleaned["condition"] = conditions.to_tree(conditions.parse(cleaned["condition"]))
    _check_cadence(cleaned)
    for name, (low, high) in _COUNTS.items():
        value = cleaned.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidRuleError(
                f"A whole number from {low} to {high} is needed.", pointer=f"/{name}"
            )
    starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidRuleError("It must end after it starts.", pointer="/ends_at")
    return cleaned


def _check_choices(cleaned: dict[str, Any]) -> None:
    group = cleaned["exclusivity_group"] = str(cleaned.get("exclusivity_group") or "")
    if group:
        try:
            CODE(group)
        except ValidationError:
            raise InvalidRuleError(
                "A group has small letters, digits, - and _, at most 40.",
                pointer="/exclusivity_group",
            ) from None
    for name in ("on_lost", "on_refund"):
        if cleaned.get(name, GrantRule.OnChange.KEEP) not in GrantRule.OnChange.values:
            raise InvalidRuleError("Keep or revoke is needed.", pointer=f"/{name}")


def _check_cadence(values: Mapping[str, Any]) -> None:
    cadence = values["cadence"]
    if cadence not in GrantRule.Cadence.values:
        raise InvalidRuleError(
            "There is no such cadence.", pointer="/cadence", known=GrantRule.Cadence.values
        )
    every = values.get("every_months") is not None
    if every != (cadence == GrantRule.Cadence.EVERY_N_MONTHS):
        raise InvalidRuleError(
            "The number of months belongs to the cadence of some months.",
            pointer="/every_months",
        )
    if bool(values.get("event_name")) != (cadence == GrantRule.Cadence.ON_EVENT):
        raise InvalidRuleError(
            "The event's name belongs to the cadence of an event.", pointer="/event_name"
        )
