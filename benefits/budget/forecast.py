"""What if: other plans or other use, and where each line and the budget would end.

The method is the tracker's, line by line, so that finance can check it by hand: the mean spend per
day of the last 28 whole days, times the change in use, goes on until the period ends; a rule that
is not live yet adds its own cost a month (30 days). What is committed is a part of what will be
spent and is not added again. The band of the whole is one standard deviation of the daily spend
times the root of the days left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import isqrt
from statistics import pvariance

from benefits.budget import queries
from benefits.budget.models import Budget, BudgetLine
from benefits.budget.tracker import WINDOW_DAYS
from core import clock
from tenants.brands.context import current_brand

_WHOLE = 10_000
_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What is to be different for a line: plan (minor units), use (basis points), cost a month."""

    plan_minor: int = 0
    use_bp: int = _WHOLE
    added_per_month_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineForecast:
    """Where a line ends, as things are and as assumed; amounts in minor units.

    `exhausted_on` is the first day on which its money would be used up, None if it lasts.
    """

    line: BudgetLine
    funded: int
    funded_then: int
    spent: int
    projected: int
    projected_then: int
    exhausted_on: date | None

    @property
    def left_then(self) -> int:
        """Return what the line would have left at the end; below zero it would be short."""
        return self.funded_then - self.projected_then


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Where a budget ends, as things are and as assumed; `low`, `high` are the band of the latter.

    `unplanned_then` below zero means that the assumed plans do not fit.
    """

    budget: Budget
    days_left: int
    days_seen: int
    projected: int
    projected_then: int
    low: int
    high: int
    unplanned_then: int
    lines: tuple[LineForecast, ...]

    @property
    def is_over_plan(self) -> bool:
        """Say whether the plans pass what can be planned."""
        return self.unplanned_then < 0

    @property
    def short(self) -> tuple[LineForecast, ...]:
        """Return the lines that would not last."""
        return tuple(line for line in self.lines if line.left_then < 0)


def forecast(*, budget: Budget, assumptions: Mapping[str, Assumption], at: datetime) -> Forecast:
    """Project a budget by line under assumptions by line code; nothing is written. Two queries."""
    today = clock.local_date(at, current_brand().timezone)
    start = max(budget.starts_on, today - timedelta(days=WINDOW_DAYS))
    end = max(min(today, budget.ends_on), start)
    days_seen = (end - start).days
    days_left = max((budget.ends_on - max(today, budget.starts_on)).days, 0)
    spends = queries.daily_spend_by_line(budget=budget, start=start, end=end)
    summaries = queries.line_summaries(budget=budget)
    lines = tuple(
        _line(
            found,
            spends.get(found.line.pk, []),
            assumptions.get(found.line.code, Assumption()),
            days_seen=days_seen,
            days_left=days_left,
            today=today,
        )
        for found in summaries
    )
    daily = _together(
        spends, assumptions, {one.line.pk: one.line.code for one in summaries}, days_seen
    )
    margin = isqrt(int(pvariance(daily) * days_left)) if daily else 0
    then = sum(line.projected_then for line in lines)
    spent = sum(line.spent for line in lines)
    planned = sum(found.planned for found in summaries)
    more = sum(given.plan_minor for given in assumptions.values())
    return Forecast(
        budget=budget,
        days_left=days_left,
        days_seen=days_seen,
        projected=sum(line.projected for line in lines),
        projected_then=then,
        low=max(then - margin, spent),
        high=then + margin,
        unplanned_then=budget.plannable_minor - planned - more,
        lines=lines,
    )


def _line(
    found: queries.LineSummary,
    daily: Sequence[int],
    given: Assumption,
    *,
    days_seen: int,
    days_left: int,
    today: date,
) -> LineForecast:
    recent = sum(daily)
    goes_on = recent * days_left // days_seen if days_seen else 0
    # Per day, times days_seen x 10,000 x 30: whole numbers until the last division.
    used = recent * given.use_bp * _MONTH
    added = given.added_per_month_minor * _WHOLE * days_seen
    unit = max(days_seen, 1) * _WHOLE * _MONTH
    pace = used + (added if days_seen else given.added_per_month_minor * _WHOLE)
    then = pace * days_left // unit
    funded = found.funded + given.plan_minor
    left = funded - found.spent
    exhausted_on = None
    if pace > 0 and then > left:
        exhausted_on = today + timedelta(days=max(left, 0) * unit // pace)
    return LineForecast(
        line=found.line,
        funded=found.funded,
        funded_then=funded,
        spent=found.spent,
        projected=found.spent + goes_on,
        projected_then=found.spent + then,
        exhausted_on=exhausted_on,
    )


def _together(
    spends: Mapping[int, Sequence[int]],
    assumptions: Mapping[str, Assumption],
    codes: Mapping[int, str],
    days: int,
) -> list[int]:
    whole = [0] * days
    for line_id, daily in spends.items():
        use = assumptions.get(codes[line_id], Assumption()).use_bp
        for number, amount in enumerate(daily):
            whole[number] += amount * use // _WHOLE
    return whole
