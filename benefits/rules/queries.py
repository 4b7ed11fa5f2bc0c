"""Reads of grant rules, and what one would grant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from benefits.budget.queries import find_line, line_summaries
from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import list_unit_costs
from benefits.rules.errors import UnknownRuleError
from benefits.rules.hold_out import held_out_sql
from benefits.rules.models import GrantRule
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


def list_rules(*, status: str | None = None, benefit: Benefit | None = None) -> list[GrantRule]:
    """Return rules by priority and code, all or those of a status or benefit."""
    rules = GrantRule.objects.select_related("benefit", "package", "budget_line")
    if status is not None:
        rules = rules.filter(status=status)
    if benefit is not None:
        rules = rules.filter(Q(benefit=benefit) | Q(package__items__benefit=benefit)).distinct()
    return list(rules.order_by("priority", "code"))


def list_rules_in_force(
    *, at: datetime, cadences: Sequence[str], event_name: str = ""
) -> list[GrantRule]:
    """Return the published rules of some cadences whose dates include the instant."""
    return list(
        GrantRule.objects.filter(
            Q(starts_at__isnull=True) | Q(starts_at__lte=at),
            Q(ends_at__isnull=True) | Q(ends_at__gt=at),
            status=GrantRule.Status.PUBLISHED,
            cadence__in=list(cadences),
            event_name=event_name,
        )
        .select_related("benefit", "package", "budget_line")
        .order_by("priority", "code")
    )


def list_units(*, rule: GrantRule) -> list[tuple[Benefit, int]]:
    """Return the benefits a rule grants to one member in one period, with their units."""
    if rule.benefit is not None:
        return [(rule.benefit, rule.quantity)]
    assert rule.package is not None  # noqa: S101 - the table holds one or the other
    items = rule.package.items.select_related("benefit").order_by("benefit__code")
    return [(item.benefit, item.quantity * rule.quantity) for item in items]


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
    reached = within_caps(rule=rule, members=audience - held_out, units=0, cost_minor=0,
                          units_each=units_each, cost_each=cost_each)  # fmt: skip
    return RulePreview(
        basis="matching" if rule.cadence.startswith("on_") else "period",
        audience=audience,
        held_out=held_out,
        units=reached * units_each,
        cost_minor=reached * cost_each,
        budget_left_minor=_budget_left(rule, at),
    )


def within_caps(
    *,
    rule: GrantRule,
    members: int,
    units: int,
    cost_minor: int,
    units_each: int,
    cost_each: int,
) -> int:
    """Return how many more members a period's caps allow, after so many units and so much cost."""
    if rule.cap_units_per_period is not None:
        members = min(members, max(rule.cap_units_per_period - units, 0) // units_each)
    if rule.cap_minor_per_period is not None and cost_each:
        members = min(members, max(rule.cap_minor_per_period - cost_minor, 0) // cost_each)
    return members


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
