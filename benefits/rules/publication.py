"""What stands in the way of publishing a rule, and what to know before doing it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from benefits.budget.models import BudgetLine
from benefits.budget.queries import find_line, find_line_for, line_summaries
from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import list_unit_costs
from benefits.catalogue.stages import LIVE
from benefits.rules.caps import Used, allowed, caps_of, member_caps_of
from benefits.rules.errors import ImpossibleRuleError, NoBudgetError
from benefits.rules.impossible import contradiction
from benefits.rules.models import GrantRule
from benefits.rules.queries import RulePreview, list_units, preview
from benefits.rules.registry import (
    Outlook,
    estimate_price,
    get_outlook,
    list_reviews,
    list_uptake,
)
from core import clock
from core.errors import DomainError
from members.segments import conditions
from members.segments.queries import count_shared
from members.tiers.occasions import OccasionKind, count_occasions
from tenants.brands.context import current_brand

ERROR, WARNING = "error", "warning"
WHOLE = 10_000
_MOST_CONFLICTS = 10
# What events set off is foreseen from this many days back.
_LOOK_BACK = 90
_DAYS_A_MONTH = 30
_OCCASIONS = {
    GrantRule.Cadence.ON_JOIN: OccasionKind.JOINED,
    GrantRule.Cadence.ON_TIER_UP: OccasionKind.ROSE,
    GrantRule.Cadence.ON_PURCHASE: OccasionKind.BOUGHT,
    GrantRule.Cadence.ON_EVENT: OccasionKind.DID,
}
_MONTHS_OF = {
    GrantRule.Cadence.MONTHLY: (1, 1),
    GrantRule.Cadence.BIRTHDAY_MONTH: (1, 1),
    GrantRule.Cadence.QUARTERLY: (1, 3),
    GrantRule.Cadence.YEARLY: (1, 12),
    GrantRule.Cadence.WEEKLY: (52, 12),
    GrantRule.Cadence.ONCE: (1, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a rule: an error refuses its publication, a warning is to be known."""

    code: str
    severity: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyCost:
    """What a rule costs in a month, in minor units.

    `grants` is how many members (or, for rules that events set off, how often) per month, seen
    from the audience or the last 90 days. `most_minor` is the cost if every unit is used,
    `expected_minor` at the share of units that gets used so far; `partner_minor` is the partners'
    part of the latter. `is_known` is False where a benefit has no history: then all is expected
    to be used.
    """

    grants: int
    most_minor: int
    expected_minor: int
    partner_minor: int
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing a rule now would mean."""

    preview: RulePreview
    monthly: MonthlyCost
    line: BudgetLine | None
    line_left_minor: int | None
    outlook: Outlook | None
    findings: tuple[Finding, ...]

    @property
    def may_be_published(self) -> bool:
        """Say whether nothing refuses it."""
        return not any(found.severity == ERROR for found in self.findings)

    @property
    def ratio_bp(self) -> int | None:
        """Return the share of revenue that benefits cost now, in basis points."""
        return _share(self.outlook.cost_minor, self.outlook) if self.outlook else None

    @property
    def ratio_after_bp(self) -> int | None:
        """Return the share with this rule's expected cost added."""
        if self.outlook is None:
            return None
        return _share(self.outlook.cost_minor + self.monthly.expected_minor, self.outlook)


def check_publication(*, rule: GrantRule, at: datetime) -> Publication:
    """Say what publishing a rule now would mean; nothing is written."""
    shown = preview(rule=rule, at=at)
    monthly = _monthly(rule, shown, at)
    line = paying_line(rule=rule, at=at)
    left = _left(line)
    outlook = get_outlook(at=at)
    findings = [*_refusals(rule, at)]
    if shown.audience == 0:
        findings.append(Finding(code="empty_audience", severity=WARNING))
    if left is not None and monthly.expected_minor > left:
        findings.append(
            Finding(
                code="over_budget",
                severity=WARNING,
                data={"left_minor": left, "expected_minor": monthly.expected_minor},
            )
        )
    if outlook is not None and outlook.revenue_minor > 0:
        after = _share(outlook.cost_minor + monthly.expected_minor, outlook) or 0
        if after > outlook.line_bp:
            findings.append(
                Finding(
                    code="over_cost_line",
                    severity=WARNING,
                    data={"after_bp": after, "line_bp": outlook.line_bp},
                )
            )
    findings += _conflicts(rule, at)
    findings += [
        Finding(code=code, severity=WARNING, data=data)
        for code, data in list_reviews(
            rule=rule, audience=shown.audience, held_out=shown.held_out, at=at
        )
    ]
    return Publication(
        preview=shown,
        monthly=monthly,
        line=line,
        line_left_minor=left,
        outlook=outlook,
        findings=tuple(findings),
    )


def check_possible(*, rule: GrantRule, at: datetime) -> None:
    """Refuse a rule that can never grant anything.

    :raises ImpossibleRuleError: with the `field` or `cap` that makes it so.
    """
    clash = contradiction(conditions.parse(rule.condition))
    if clash is not None:
        raise ImpossibleRuleError(pointer="/condition", field=clash)
    units_each, cost_each = _each(rule, at)
    nothing = Used()
    caps = [
        *caps_of(rule, used={}, units_each=units_each, cost_each=cost_each),
        *member_caps_of(rule, used=nothing, units_each=units_each, cost_each=cost_each),
    ]
    for cap in caps:
        if allowed([cap]) == 0:
            raise ImpossibleRuleError(
                pointer=f"/{cap.code}", cap=cap.code, limit=cap.limit, each=cap.each
            )


def check_budget(*, rule: GrantRule, at: datetime) -> None:
    """Refuse a rule that costs money and that no line pays for.

    :raises NoBudgetError: then.
    """
    on = _day(rule, at)
    if paying_line(rule=rule, at=at) is not None:
        return
    for benefit, _units in list_units(rule=rule):
        cost = list_unit_costs(benefits=[benefit.pk], on=on).get(benefit.pk, 0)
        cost += estimate_price(benefit_id=benefit.pk, on=on)
        if cost and find_line_for(kind="benefit", target_id=benefit.pk, on=on) is None:
            raise NoBudgetError(pointer="/budget_line", benefit=benefit.code)


def paying_line(*, rule: GrantRule, at: datetime) -> BudgetLine | None:
    """Return the line of the budget in force that a rule names, or that its benefit has."""
    on = _day(rule, at)
    if rule.budget_line is not None:
        return find_line(code=rule.budget_line.code, on=on)
    if rule.benefit_id is not None:
        return find_line_for(kind="benefit", target_id=rule.benefit_id, on=on)
    return None


def _day(rule: GrantRule, at: datetime) -> date:
    """Return the brand day that counts: today, or the day on which the rule begins."""
    begins = max(at, rule.starts_at) if rule.starts_at else at
    return clock.local_date(begins, current_brand().timezone)


def _refusals(rule: GrantRule, at: datetime) -> list[Finding]:
    findings = []
    units = list_units(rule=rule)
    costs = list_unit_costs(benefits=[benefit.pk for benefit, _units in units], on=_day(rule, at))
    for benefit, _units in units:
        if benefit.stage not in LIVE:
            data = {"benefit": benefit.code, "stage": benefit.stage}
            findings.append(Finding(code="benefit_not_live", severity=ERROR, data=data))
        if benefit.pk not in costs:
            data = {"benefit": benefit.code}
            findings.append(Finding(code="cost_missing", severity=ERROR, data=data))
    if rule.ends_at is not None and rule.ends_at <= at:
        findings.append(Finding(code="ended", severity=ERROR))
    for check in (check_possible, check_budget):
        try:
            check(rule=rule, at=at)
        except DomainError as refusal:
            findings.append(Finding(code=refusal.code, severity=ERROR, data=dict(refusal.data)))
    return findings


def _each(rule: GrantRule, at: datetime) -> tuple[int, int]:
    units = list_units(rule=rule)
    costs = list_unit_costs(benefits=[benefit.pk for benefit, _units in units], on=_day(rule, at))
    return (
        sum(quantity for _benefit, quantity in units),
        sum(costs.get(benefit.pk, 0) * quantity for benefit, quantity in units),
    )


def _monthly(rule: GrantRule, shown: RulePreview, at: datetime) -> MonthlyCost:
    on = _day(rule, at)
    units = list_units(rule=rule)
    keys = [benefit.pk for benefit, _units in units]
    costs = list_unit_costs(benefits=keys, on=on)
    uptake = list_uptake(benefit_ids=keys, at=at)
    grants = _grants_a_month(rule, shown, at)
    most = expected = partner = 0
    for benefit, quantity in units:
        price = estimate_price(benefit_id=benefit.pk, on=on)
        share = uptake.get(benefit.pk, WHOLE)
        whole = grants * quantity * (costs.get(benefit.pk, 0) + price)
        most += whole
        expected += whole * share // WHOLE
        partner += grants * quantity * price * share // WHOLE
    return MonthlyCost(
        grants=grants,
        most_minor=most,
        expected_minor=expected,
        partner_minor=partner,
        is_known=all(key in uptake for key in keys),
    )


def _grants_a_month(rule: GrantRule, shown: RulePreview, at: datetime) -> int:
    units_each = sum(quantity for _benefit, quantity in list_units(rule=rule)) or 1
    reached = shown.units // units_each
    if rule.cadence == GrantRule.Cadence.EVERY_N_MONTHS:
        return -(-reached // (rule.every_months or 1))
    if rule.cadence in _MONTHS_OF:
        times, months = _MONTHS_OF[GrantRule.Cadence(rule.cadence)]
        return -(-reached * times // months)
    kept = WHOLE - rule.hold_out_bp
    happened = _happened(rule, at) * kept // WHOLE
    foreseen = -(-happened * _DAYS_A_MONTH // _LOOK_BACK)
    fits = allowed(
        [
            cap
            for cap in caps_of(rule, used={}, units_each=units_each, cost_each=_each(rule, at)[1])
            if cap.code.endswith(("_period", "_total"))
        ]
    )
    return foreseen if fits is None else min(foreseen, fits)


def _happened(rule: GrantRule, at: datetime) -> int:
    return count_occasions(
        kind=_OCCASIONS[GrantRule.Cadence(rule.cadence)],
        condition=conditions.parse(rule.condition),
        event_name=rule.event_name,
        since=at - timedelta(days=_LOOK_BACK),
        at=at,
    )


def _left(line: BudgetLine | None) -> int | None:
    if line is None:
        return None
    summaries = line_summaries(budget=line.budget)
    return next(found.left for found in summaries if found.line.pk == line.pk)


def _share(cost: int, outlook: Outlook) -> int | None:
    return cost * WHOLE // outlook.revenue_minor if outlook.revenue_minor > 0 else None


def _conflicts(rule: GrantRule, at: datetime) -> list[Finding]:
    """Return the rules that give the same to some of the same members, or rank alike in a group."""
    benefits = [benefit for benefit, _units in list_units(rule=rule)]
    findings = []
    for other in _others(rule, benefits, at)[:_MOST_CONFLICTS]:
        is_rival = bool(rule.exclusivity_group) and (
            other.exclusivity_group == rule.exclusivity_group
        )
        if is_rival and other.priority != rule.priority:
            continue
        both = _count_both(rule, other, at)
        if both:
            code = "same_priority" if is_rival else "same_benefit"
            data = {"rule": other.code, "name": other.name, "members": both}
            findings.append(Finding(code=code, severity=WARNING, data=data))
    return findings


def _others(rule: GrantRule, benefits: Sequence[Benefit], at: datetime) -> list[GrantRule]:
    """Return the published rules whose dates touch this one's and that share a benefit or group."""
    others = GrantRule.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=max(at, rule.starts_at or at)),
        status=GrantRule.Status.PUBLISHED,
    ).exclude(pk=rule.pk)
    if rule.ends_at is not None:
        others = others.filter(Q(starts_at__isnull=True) | Q(starts_at__lt=rule.ends_at))
    shares = Q(benefit__in=benefits) | Q(package__units__benefit__in=benefits)
    if rule.exclusivity_group:
        shares |= Q(exclusivity_group=rule.exclusivity_group)
    return list(others.filter(shares).distinct().order_by("priority", "code"))


def _count_both(rule: GrantRule, other: GrantRule, at: datetime) -> int:
    try:
        theirs = conditions.parse(other.condition)
    except conditions.ConditionError:
        # It names something that is gone, so it matches nobody.
        return 0
    mine = conditions.parse(rule.condition)
    return count_shared(first=mine, second=theirs, at=at)
