"""Making earning rules: draft → active ⇄ paused → ended. An active rule is never edited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from members.earning._checks import check_condition, check_places, first_wrong
from members.earning.errors import InvalidRuleError, RuleNotFoundError, RuleStateError
from members.earning.models import EarningRule
from members.earning.triggers import EVENT, PURCHASE, list_triggers
from tenants.audit.operations import record

MOVES: dict[str, frozenset[str]] = {
    "active": frozenset({"draft", "paused"}),
    "paused": frozenset({"active"}),
    "ended": frozenset({"active", "paused"}),
}
_MAX_POINTS = 1_000_000_000
_EDITED = (
    "name", "trigger", "event_name", "effect", "wallets", "points", "unit_minor", "categories",
    "category_mode", "stores", "channels", "condition", "pending_days", "cap_per_day",
    "cap_per_month", "stacking", "stack_group", "priority", "starts_at", "ends_at",
)  # fmt: skip


def create_rule(
    *,
    name: str,
    effect: str,
    wallets: str = EarningRule.Wallets.BOTH,
    points: int = 0,
    unit_minor: int = 100,
    trigger: str = PURCHASE,
    event_name: str = "",
    categories: list[str] | None = None,
    category_mode: str = EarningRule.CategoryMode.ONLY,
    stores: list[str] | None = None,
    channels: list[str] | None = None,
    condition: dict[str, Any] | None = None,
    pending_days: int | None = None,
    cap_per_day: int | None = None,
    cap_per_month: int | None = None,
    stacking: str = EarningRule.Stacking.SUM,
    stack_group: str = "",
    priority: int = 100,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> EarningRule:
    """Make a draft rule; see `EarningRule` for the fields.

    :raises InvalidRuleError: for a value that can not be, with a pointer to it.
    """
    rule = draft_rule(
        {
            "name": name,
            "trigger": trigger,
            "event_name": event_name,
            "effect": effect,
            "wallets": wallets,
            "points": points,
            "unit_minor": unit_minor,
            "categories": categories,
            "category_mode": category_mode,
            "stores": stores,
            "channels": channels,
            "condition": condition,
            "pending_days": pending_days,
            "cap_per_day": cap_per_day,
            "cap_per_month": cap_per_month,
            "stacking": stacking,
            "stack_group": stack_group,
            "priority": priority,
            "starts_at": starts_at,
            "ends_at": ends_at,
        },
        at=at,
    )
    with transaction.atomic():
        rule.save(force_insert=True)
        _record(rule, "earning_rule.created", by=by, at=at)
    return rule


def draft_rule(fields: Mapping[str, Any], *, at: datetime) -> EarningRule:
    """Return a checked rule that is not stored, to be simulated or saved.

    :raises InvalidRuleError: for a value that can not be, with a pointer to it.
    """
    rule = EarningRule(created_at=at)
    _fill(rule, fields)
    return rule


def update_rule(*, rule_id: int, fields: Mapping[str, Any], by: Actor, at: datetime) -> EarningRule:
    """Change a draft; what is not among `fields` stays.

    A rule that has ever been active keeps what it says: what it gave is explained by it.

    :raises RuleStateError: if the rule is no draft. :raises RuleNotFoundError: if there is none.
    :raises InvalidRuleError: for a value that can not be, with a pointer to it.
    """
    with transaction.atomic():
        rule = _locked(rule_id)
        if rule.status != EarningRule.Status.DRAFT or rule.campaign_id is not None:
            raise RuleStateError(status=rule.status)
        before = {name: getattr(rule, name) for name in _EDITED}
        _fill(rule, {**before, **fields})
        rule.save()
        changes = {
            name: [_plain(before[name]), _plain(getattr(rule, name))]
            for name in _EDITED
            if before[name] != getattr(rule, name)
        }
        if changes:
            _record(rule, "earning_rule.changed", by=by, at=at, changes=changes)
    return rule


def delete_rule(*, rule_id: int, by: Actor, at: datetime) -> None:
    """Remove a draft for good.

    :raises RuleStateError: if the rule is no draft. :raises RuleNotFoundError: if there is none.
    """
    with transaction.atomic():
        rule = _locked(rule_id)
        if rule.status != EarningRule.Status.DRAFT or rule.campaign_id is not None:
            raise RuleStateError(status=rule.status)
        _record(rule, "earning_rule.deleted", by=by, at=at, changes={"name": [rule.name, None]})
        rule.delete()


def activate_rule(*, rule_id: int, by: Actor, at: datetime) -> EarningRule:
    """Put a draft or paused rule to work for purchases from now on.

    :raises RuleStateError: from another state. :raises RuleNotFoundError: if there is none.
    :raises InvalidRuleError: if other active rules of its group choose in another way.
    """
    return _move(rule_id, EarningRule.Status.ACTIVE, by=by, at=at)


def pause_rule(*, rule_id: int, by: Actor, at: datetime) -> EarningRule:
    """Stop an active rule for a while.

    :raises RuleStateError: from another state. :raises RuleNotFoundError: if there is none.
    """
    return _move(rule_id, EarningRule.Status.PAUSED, by=by, at=at)


def end_rule(*, rule_id: int, by: Actor, at: datetime) -> EarningRule:
    """Stop a rule for good. What it gave stays, and refunds still take it back.

    :raises RuleStateError: from another state. :raises RuleNotFoundError: if there is none.
    """
    return _move(rule_id, EarningRule.Status.ENDED, by=by, at=at)


def _locked(rule_id: int) -> EarningRule:
    rule = EarningRule.objects.select_for_update().filter(pk=rule_id).first()
    if rule is None:
        raise RuleNotFoundError(rule_id=rule_id)
    return rule


def _move(rule_id: int, to: str, *, by: Actor, at: datetime) -> EarningRule:
    with transaction.atomic():
        rule = _locked(rule_id)
        # The rule of a bonus moves with its campaign only.
        if rule.status not in MOVES[to] or rule.campaign_id is not None:
            raise RuleStateError(status=rule.status)
        if to == EarningRule.Status.ACTIVE:
            _check_group(rule)
        before, rule.status = rule.status, to
        rule.save(update_fields=["status"])
        _record(rule, "earning_rule.moved", by=by, at=at, changes={"status": [before, to]})
    return rule


def _check_group(rule: EarningRule) -> None:
    if not rule.stack_group:
        return
    others = EarningRule.objects.filter(
        stack_group=rule.stack_group, status=EarningRule.Status.ACTIVE
    ).exclude(pk=rule.pk)
    if others.exclude(stacking=rule.stacking).exists():
        raise InvalidRuleError(
            _("The other rules of this group choose in another way."), pointer="/stacking"
        )


def _record(
    rule: EarningRule,
    action: str,
    *,
    by: Actor,
    at: datetime,
    changes: dict[str, list[Any]] | None = None,
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="earning_rule",
        target_id=rule.pk,
        changes=changes,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _fill(rule: EarningRule, fields: Mapping[str, Any]) -> None:
    for name in _EDITED:
        if name in fields:
            setattr(rule, name, fields[name])
    rule.name = rule.name.strip()
    rule.event_name, rule.stack_group = rule.event_name.strip(), rule.stack_group.strip()
    rule.categories = rule.categories or []
    rule.stores, rule.channels = rule.stores or [], rule.channels or []
    rule.condition = rule.condition or None
    _check(rule)


def _check(rule: EarningRule) -> None:
    is_event = rule.trigger == EVENT
    is_purchase = rule.trigger == PURCHASE
    is_single = rule.stacking == EarningRule.Stacking.SUM
    wrong = [
        (not 0 < len(rule.name) <= 80, "name", _("A rule has a name of up to 80 characters.")),
        (rule.trigger not in list_triggers(), "trigger", _("There is no such trigger.")),
        (
            is_event != bool(rule.event_name) or len(rule.event_name) > 60,
            "event_name",
            _("A rule on events names one; others do not."),
        ),
        (rule.effect not in EarningRule.Effect.values, "effect", _("There is no such effect.")),
        (
            not is_purchase and rule.effect != EarningRule.Effect.FIXED,
            "effect",
            _("Only purchases have an amount: give fixed points."),
        ),
        (
            rule.wallets not in EarningRule.Wallets.values,
            "wallets",
            _("There are no such wallets."),
        ),
        (not _is_from(1, rule.points, _MAX_POINTS), "points", _("A rule gives points.")),
        (
            not _is_from(1, rule.unit_minor, _MAX_POINTS),
            "unit_minor",
            _("The unit is an amount above zero."),
        ),
        (
            rule.category_mode not in EarningRule.CategoryMode.values,
            "category_mode",
            _("There is no such choice."),
        ),
        (
            rule.stacking not in EarningRule.Stacking.values,
            "stacking",
            _("There is no such choice."),
        ),
        (
            is_single == bool(rule.stack_group) or len(rule.stack_group) > 40,
            "stack_group",
            _("A rule that competes names its group; others have none."),
        ),
        (not _is_from(0, rule.priority, 32_767), "priority", _("A number from 0 to 32,767.")),
        (
            bool(rule.starts_at and rule.ends_at and rule.ends_at <= rule.starts_at),
            "ends_at",
            _("A rule ends after it starts."),
        ),
    ]
    for field, most in (
        ("pending_days", 366),
        ("cap_per_day", _MAX_POINTS),
        ("cap_per_month", _MAX_POINTS),
    ):
        value = getattr(rule, field)
        wrong.append(
            (
                value is not None and not _is_from(0, value, most),
                field,
                _("A number from 0 to %(most)s.") % {"most": most},
            )
        )
    found = first_wrong(wrong) or check_places(rule, is_purchase=is_purchase)
    if found:
        raise InvalidRuleError(found[1], pointer=f"/{found[0]}")
    check_condition(rule.condition, error=InvalidRuleError)


def _is_from(least: int, value: Any, most: int) -> bool:
    return type(value) is int and least <= value <= most
