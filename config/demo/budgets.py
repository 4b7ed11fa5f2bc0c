"""A budget as in a running business: rules, a revision that waits, the next period prepared."""

from datetime import datetime, timedelta

from benefits.budget import operations, revisions, settings
from benefits.budget.models import Budget
from benefits.budget.plan_files import PlannedLine
from benefits.budget.queries import line_summaries
from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from members.points.operations import snapshot_liability


def prepare_budget(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Set the rules and open the next period, once the running one has its plan."""
    running = made.budget
    if running is None:
        return
    settings.set_policy(
        reserve_share_bp=2_000,
        floor_share_bp=800,
        approval_limit_minor=spec.budget_minor // 100,
        by=made.actor("owner"),
        at=at,
    )
    operations.create_budget(
        name=f"{spec.budget_name} {running.ends_on.year}",
        starts_on=running.ends_on,
        ends_on=running.ends_on.replace(year=running.ends_on.year + 1),
        total_minor=spec.budget_minor * 11 // 10,
        by=made.actor("finance"),
        at=at,
    )


def ask_for_more(spec: BrandSpec, budget: Budget, made: Programme, *, at: datetime) -> None:
    """Have finance ask for a revision above the limit; the owner may approve it."""
    unplanned = budget.plannable_minor - sum(
        found.planned for found in line_summaries(budget=budget)
    )
    found = next(one for one in line_summaries(budget=budget) if one.line.code == "service")
    more = unplanned * 9 // 10
    revisions.revise_plan(
        budget=budget,
        lines=[PlannedLine(code="service", planned_minor=found.planned + more)],
        reason=spec.draw_reason[1],
        by=made.actor("finance"),
        at=at,
    )


def count_liability(budget: Budget, *, until: datetime) -> None:
    """Compute what points were worth at the ends of the days, which the budget's line follows."""
    before = budget.starts_on - timedelta(days=1)
    snapshot_liability(since=before, until=until.date(), at=until)
