"""What the reserve's money brought: each draw with the benefits it pays for, and their figures."""

from dataclasses import dataclass
from datetime import date, datetime

from benefits.budget.models import Budget, ReserveDraw
from benefits.budget.queries import LineSummary, line_summaries
from benefits.catalogue.models import Benefit
from benefits.insights import measures
from benefits.insights.models import BenefitMonth
from benefits.insights.months import first_of
from benefits.rules.models import GrantRule
from core import clock
from tenants.brands.context import current_brand


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotFigures:
    """A benefit paid from a draw, with its measures of the last whole month; None: no data."""

    benefit: Benefit
    month: date
    users: int
    penetration: float | None
    consumption: float | None
    cost_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundedPilot:
    """A draw that was approved, what its line has spent of it, and what it pays for."""

    draw: ReserveDraw
    line: LineSummary
    figures: tuple[PilotFigures, ...]


def funded_pilots(*, budget: Budget, at: datetime) -> list[FundedPilot]:
    """Return the approved draws of a budget with the benefits they fund; five queries.

    A draw funds what its line is made for, and what rules name the line as theirs.
    """
    month = first_of(clock.local_date(at, current_brand().timezone), back=1)
    draws = list(
        ReserveDraw.objects.filter(
            budget=budget, state__in=(ReserveDraw.State.APPROVED, ReserveDraw.State.RETURNED)
        )
        .select_related("line")
        .order_by("-pk")
    )
    if not draws:
        return []
    lines = {found.line.pk: found for found in line_summaries(budget=budget)}
    funds = _funded_benefits({draw.line.code for draw in draws})
    for draw in draws:
        if draw.line.kind == "benefit" and draw.line.target_id is not None:
            funds.setdefault(draw.line.code, set()).add(draw.line.target_id)
    keys = {key for found in funds.values() for key in found}
    benefits = {row.pk: row for row in Benefit.objects.filter(pk__in=keys).order_by("pk")}
    facts = {
        fact.benefit_id: fact
        for fact in BenefitMonth.objects.filter(month=month, benefit_id__in=keys)
    }
    return [
        FundedPilot(
            draw=draw,
            line=lines[draw.line_id],
            figures=tuple(
                _figures(benefits[key], facts.get(key), month)
                for key in sorted(funds.get(draw.line.code, ()))
            ),
        )
        for draw in draws
    ]


def _funded_benefits(codes: set[str]) -> dict[str, set[int]]:
    funds: dict[str, set[int]] = {}
    rules = GrantRule.objects.filter(budget_line__code__in=codes, benefit__isnull=False)
    for code, benefit_id in rules.values_list("budget_line__code", "benefit_id"):
        if benefit_id is not None:
            funds.setdefault(code, set()).add(benefit_id)
    return funds


def _figures(benefit: Benefit, fact: BenefitMonth | None, month: date) -> PilotFigures:
    if fact is None:
        return PilotFigures(
            benefit=benefit, month=month, users=0, penetration=None, consumption=None,
            cost_minor=None,
        )  # fmt: skip
    return PilotFigures(
        benefit=benefit,
        month=month,
        users=fact.users,
        penetration=measures.share(fact.users, fact.target_members),
        consumption=measures.share(fact.units_used, fact.units_issued),
        cost_minor=fact.cost_minor,
    )
