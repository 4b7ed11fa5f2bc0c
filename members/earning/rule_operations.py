"""Making earning rules: draft → active ⇄ paused → ended. An active rule is never edited."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from members.earning.errors import InvalidRuleError, RuleNotFoundError, RuleStateError
from members.earning.models import EarningRule
from members.earning.triggers import PURCHASE, list_triggers
from members.segments.conditions import ConditionError, parse
from tenants.audit.operations import record

_MOVES: dict[str, frozenset[str]] = {
    "active": frozenset({"draft", "paused"}),
    "paused": frozenset({"active"}),
    "ended": frozenset({"active", "paused"}),
}
_MAX_BP = 1_000_000
_MAX_POINTS = 1_000_000_000


def create_rule(
    *,
    name: str,
    effect: str,
    wallets: str = EarningRule.Wallets.BOTH,
    points: int = 0,
    unit_minor: int = 100,
    multiplier_bp: int = 10_000,
    trigger: str = PURCHASE,
    categories: list[str] | None = None,
    condition: dict[str, Any] | None = None,
    pending_days: int | None = None,
    cap_per_day: int | None = None,
    cap_per_month: int | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> EarningRule:
    """Make a draft rule; see `EarningRule` for the fields.

    :raises InvalidRuleError: for a value that can not be, with a pointer to it.
    """
    rule = EarningRule(
        name=name.strip(),
        trigger=trigger,
        effect=effect,
        wallets=wallets,
        points=points,
        unit_minor=unit_minor,
        multiplier_bp=multiplier_bp,
        categories=categories or [],
        condition=condition or None,
        pending_days=pending_days,
        cap_per_day=cap_per_day,
        cap_per_month=cap_per_month,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=at,
    )
    _check(rule)
    with transaction.atomic():
        rule.save(force_insert=True)
        _record(rule, "earning_rule.created", by=by, at=at)
    return rule


def activate_rule(*, rule_id: int, by: Actor, at: datetime) -> EarningRule:
    """Put a draft or paused rule to work for purchases from now on.

    :raises RuleStateError: from another state. :raises RuleNotFoundError: if there is none.
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


def _move(rule_id: int, to: str, *, by: Actor, at: datetime) -> EarningRule:
    with transaction.atomic():
        rule = EarningRule.objects.select_for_update().filter(pk=rule_id).first()
        if rule is None:
            raise RuleNotFoundError(rule_id=rule_id)
        if rule.status not in _MOVES[to]:
            raise RuleStateError(status=rule.status)
        before, rule.status = rule.status, to
        rule.save(update_fields=["status"])
        _record(rule, "earning_rule.moved", by=by, at=at, changes={"status": [before, to]})
    return rule


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


def _check(rule: EarningRule) -> None:
    is_multiplier = rule.effect == EarningRule.Effect.MULTIPLIER
    wrong = [
        (not 0 < len(rule.name) <= 80, "name", _("A rule has a name of up to 80 characters.")),
        (rule.trigger not in list_triggers(), "trigger", _("There is no such trigger.")),
        (rule.effect not in EarningRule.Effect.values, "effect", _("There is no such effect.")),
        (
            rule.wallets not in EarningRule.Wallets.values,
            "wallets",
            _("There are no such wallets."),
        ),
        (
            is_multiplier == (rule.points > 0) or not 0 <= rule.points <= _MAX_POINTS,
            "points",
            _("A rule gives points, a multiplier gives none of its own."),
        ),
        (
            not 1 <= rule.unit_minor <= _MAX_POINTS,
            "unit_minor",
            _("The unit is an amount above zero."),
        ),
        (
            not 0 < rule.multiplier_bp <= _MAX_BP
            or (not is_multiplier and rule.multiplier_bp != 10_000),
            "multiplier_bp",
            _("Only multiplier rules have a multiplier."),
        ),
        (
            not all(isinstance(item, str) and 0 < len(item) <= 64 for item in rule.categories),
            "categories",
            _("Categories are short texts."),
        ),
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
        is_wrong = value is not None and (is_multiplier or not 0 <= value <= most)
        wrong.append(
            (
                is_wrong,
                field,
                _("A number from 0 to %(most)s; none for multipliers.") % {"most": most},
            )
        )
    for is_wrong, field, message in wrong:
        if is_wrong:
            raise InvalidRuleError(message, pointer=f"/{field}")
    try:
        parse(rule.condition)
    except ConditionError as error:
        raise InvalidRuleError(
            error.detail, pointer=f"/condition{error.data.get('pointer', '')}"
        ) from None
