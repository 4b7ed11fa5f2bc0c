"""Reads of grant rules, and what one would grant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from benefits.budget.queries import find_line, line_summaries
from benefits.catalogue.models import Benefit, Package
from benefits.catalogue.queries import list_unit_costs, list_units_of_packages
from benefits.rules.caps import Used, allowed, caps_of, member_caps_of
from benefits.rules.errors import UnknownRuleError
from benefits.rules.hold_out import held_out_sql
from benefits.rules.models import GrantRule, RuleVersion
from benefits.rules.terms import Change, changes_between, terms_of
from core import clock
from members.segments import conditions
from members.segments.conditions.nodes import All
from tenants.brands.context import current_brand


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePreview:
    """What a rule would grant if its period began now.

    `audience` are all members that match, `held_out` those of them left out to measure against.
    `units` are units of benefits after the caps; `cost_minor` is their cost if every one is
    used. `budget_left_minor` is empty without a budget line. `basis` says what was counted:
    `period` for rules issued by the job, `matching` for rules an event sets off, whose number
    of events is not known beforehand.
    """

    basis: str
    audience: int
    held_out: int
    units: int
    cost_minor: int
    budget_left_minor: int | None

    def as_data(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self)


def get_rule(*, code: str) -> GrantRule:
    """Return a rule. :raises UnknownRuleError: if there is none of this code."""
    rules = GrantRule.objects.select_related("benefit", "package", "budget_line")
    try:
        return rules.get(code=code)
    except GrantRule.DoesNotExist:
        raise UnknownRuleError(rule=code) from None


def list_rules(
    *,
    status: str | None = None,
    benefit: Benefit | None = None,
    package: Package | None = None,
) -> list[GrantRule]:
    """Return rules by priority and code, all or those of a status, benefit or package."""
    rules = GrantRule.objects.select_related("benefit", "package", "budget_line")
    if status is not None:
        rules = rules.filter(status=status)
    if benefit is not None:
        rules = rules.filter(Q(benefit=benefit) | Q(package__units__benefit=benefit)).distinct()
    if package is not None:
        rules = rules.filter(package=package)
    return list(rules.order_by("priority", "code"))


def list_rules_in_force(
    *, at: datetime, cadences: Sequence[str], event_name: str | None = ""
) -> list[GrantRule]:
    """Return the published rules of some cadences whose dates include the instant.

    Without a name of an event, only those that need none; with None, whatever their event.
    """
    rules = GrantRule.objects.filter(
        Q(starts_at__isnull=True) | Q(starts_at__lte=at),
        Q(ends_at__isnull=True) | Q(ends_at__gt=at),
        status=GrantRule.Status.PUBLISHED,
        cadence__in=list(cadences),
    )
    if event_name is not None:
        rules = rules.filter(event_name=event_name)
    return list(
        rules.select_related("benefit", "package", "budget_line").order_by("priority", "code")
    )


def list_published_rules(*, cadences: Sequence[str]) -> list[GrantRule]:
    """Return the published rules of some cadences by priority, whatever their dates and events."""
    rules = GrantRule.objects.filter(status=GrantRule.Status.PUBLISHED, cadence__in=list(cadences))
    return list(
        rules.select_related("benefit", "package", "budget_line").order_by("priority", "code")
    )


def list_versions(*, rule: GrantRule) -> list[RuleVersion]:
    """Return the versions of a rule as they were published, the latest first."""
    return list(RuleVersion.objects.filter(rule=rule).order_by("-version"))


def get_version(*, rule: GrantRule, version: int) -> RuleVersion:
    """Return one version of a rule. :raises UnknownRuleError: if there is none."""
    found = RuleVersion.objects.filter(rule=rule, version=version).first()
    if found is None:
        raise UnknownRuleError(rule=rule.code, version=version)
    return found


def unpublished_changes(*, rule: GrantRule) -> list[Change]:
    """Return how a rule differs from its last publication; empty before the first one."""
    last = RuleVersion.objects.filter(rule=rule).order_by("-version").first()
    return changes_between(last.terms, terms_of(rule)) if last is not None else []


def list_units(*, rule: GrantRule) -> list[tuple[Benefit, int]]:
    """Return the benefits a rule grants to one member in one period, with their units."""
    return list_units_of(rules=[rule])[rule.pk]


def list_units_of(*, rules: Sequence[GrantRule]) -> dict[int, list[tuple[Benefit, int]]]:
    """Return the same for several rules, by their keys; one query for all packages."""
    keys = {rule.package_id for rule in rules if rule.package_id is not None}
    packages = list_units_of_packages(package_ids=keys) if keys else {}
    return {
        rule.pk: [(rule.benefit, rule.quantity)]
        if rule.benefit is not None
        else [
            (benefit, quantity * rule.quantity)
            for benefit, quantity in packages.get(rule.package_id or 0, [])
        ]
        for rule in rules
    }


def preview(*, rule: GrantRule, at: datetime) -> RulePreview:
    """Count who a rule would reach now and what it would cost at today's unit costs.

    Nothing is written; grants that exist already are counted like the others.
    """
    today = clock.local_date(at, current_brand().timezone)
    tree = period_condition(rule=rule, at=at)
    audience, held_out = _count(rule, tree, at)
    per_member = list_units(rule=rule)
    costs = list_unit_costs(benefits=[benefit.pk for benefit, _units in per_member], on=today)
    units_each = sum(units for _benefit, units in per_member)
    cost_each = sum(costs.get(benefit.pk, 0) * units for benefit, units in per_member)
    reached = audience - held_out
    fits = allowed(caps_of(rule, used={}, units_each=units_each, cost_each=cost_each))
    own = allowed(member_caps_of(rule, used=Used(), units_each=units_each, cost_each=cost_each))
    if own == 0:
        reached = 0
    elif fits is not None:
        reached = min(reached, fits)
    return RulePreview(
        basis="matching" if rule.cadence.startswith("on_") else "period",
        audience=audience,
        held_out=held_out,
        units=reached * units_each,
        cost_minor=reached * cost_each,
        budget_left_minor=_budget_left(rule, at),
    )


def period_condition(*, rule: GrantRule, at: datetime) -> conditions.Condition:
    """Return the condition to be met now: the rule's own, and the birthday month's cadence."""
    condition = conditions.parse(rule.condition)
    if rule.cadence != GrantRule.Cadence.BIRTHDAY_MONTH:
        return condition
    month = clock.local_date(at, current_brand().timezone).month
    birthday = conditions.parse({"field": "birthday_month", "op": "=", "value": month})
    return All((condition, birthday))


def _count(rule: GrantRule, condition: conditions.Condition, at: datetime) -> tuple[int, int]:
    compiled = conditions.compile_sql(condition, at=at)
    held = held_out_sql(member="matching.id", code="%(rule_code)s", share="%(hold_out_bp)s")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {held}) FROM ({compiled.sql}) AS matching",  # noqa: S608
            {**compiled.params, "rule_code": rule.code, "hold_out_bp": rule.hold_out_bp},
        )
        audience, held_out = cursor.fetchone()
    return audience, held_out


def _budget_left(rule: GrantRule, at: datetime) -> int | None:
    if rule.budget_line is None:
        return None
    on = clock.local_date(at, current_brand().timezone)
    line = find_line(code=rule.budget_line.code, on=on)
    if line is None:
        return None
    summaries = line_summaries(budget=line.budget)
    return next(summary.left for summary in summaries if summary.line.pk == line.pk)
