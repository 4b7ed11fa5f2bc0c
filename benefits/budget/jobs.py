"""The reserve tracker: daily, and on demand."""

from datetime import date, datetime, timedelta

from django.db import transaction

from benefits.budget import queries
from benefits.budget.models import Budget, ReserveSnapshot
from benefits.budget.operations import return_due
from benefits.budget.points_cost import accrue_points
from benefits.budget.tracker import WINDOW_DAYS, project
from core import clock
from tenants.brands.context import current_brand
from tenants.events.operations import emit
from tenants.jobs.registry import JobRun


def take_snapshot(*, budget: Budget, at: datetime) -> ReserveSnapshot:
    """Write what the budget looks like now; the pace is taken from whole days before today.

    One row a day: run again, it is written anew. Below the floor, the event
    `budget.reserve_low` tells; its listeners open one alert per period.
    """
    today = clock.local_date(at, current_brand().timezone)
    found = queries.summary(budget=budget, before=today + timedelta(days=1))
    start = max(budget.starts_on, today - timedelta(days=WINDOW_DAYS))
    pace = project(
        daily_spend=queries.daily_spend(budget=budget, start=start, end=today),
        spent=found.spent,
        total=budget.total_minor,
        today=today,
        ends_on=budget.ends_on,
    )
    with transaction.atomic():
        snapshot, _created = ReserveSnapshot.objects.update_or_create(
            budget=budget,
            on_date=today,
            defaults={
                "target_minor": budget.opening_reserve_minor,
                "left_minor": found.reserve_left,
                "planned_minor": found.planned,
                "committed_minor": found.committed,
                "spent_minor": found.spent,
                "burn_per_day_minor": pace.burn_per_day,
                "exhausted_on": pace.exhausted_on,
                "projected_low_minor": pace.low,
                "projected_minor": pace.expected,
                "projected_high_minor": pace.high,
                "free_share_bp": found.reserve_left * 10_000 // budget.total_minor,
                "computed_at": at,
            },
        )
        if found.reserve_below_floor:
            emit(
                type="budget.reserve_low",
                subject=f"budget:{budget.pk}",
                data={"left_minor": found.reserve_left, "floor_minor": budget.floor_minor},
                at=at,
            )
    return snapshot


def track_reserve(run: JobRun) -> None:
    """Job `budget.track`: end draws at their exit date, bring points up to date, write snapshots.

    Every open budget whose period has begun gets one, so that the last day of a period that ended
    last night is written too. Each step can be repeated: a job cut off goes on where it was.
    """
    today = clock.local_date(run.at, current_brand().timezone)
    ended = return_due(at=run.at)
    run.progress(1, 3)
    lines = accrue_points(at=run.at)
    run.progress(2, 3)
    with transaction.atomic():
        found = [take_snapshot(budget=one, at=run.at) for one in queries.list_running(on=today)]
        left = {f"{one.budget_id}": one.left_minor for one in found}
        run.complete(
            {
                "draws_ended": ended,
                "points_lines": lines,
                "late_spends": tell_late_spends(on=today - timedelta(days=1), at=run.at),
                "reserve_left_minor": left,
            }
        )


def tell_late_spends(*, on: date, at: datetime) -> int:
    """Tell of what closed budgets spent on a day after their close: event `budget.late_spend`.

    Called in the transaction that ends the day's job, so once a day.
    """
    found = queries.late_spends(on=on)
    for budget_id, amount in sorted(found.items()):
        emit(
            type="budget.late_spend",
            subject=f"budget:{budget_id}",
            data={"on": on.isoformat(), "amount_minor": amount},
            at=at,
        )
    return len(found)
