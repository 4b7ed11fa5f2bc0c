"""The reserve tracker: daily, and on demand."""

from datetime import datetime, timedelta

from django.db import transaction

from benefits.budget import queries
from benefits.budget.models import Budget, ReserveSnapshot
from benefits.budget.operations import return_due
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
    """Job `budget.track`: end draws whose exit date has come, then write today's snapshot."""
    ended = return_due(at=run.at)
    today = clock.local_date(run.at, current_brand().timezone)
    budget = queries.current_budget(on=today)
    with transaction.atomic():
        snapshot = take_snapshot(budget=budget, at=run.at) if budget is not None else None
        run.complete(
            {
                "draws_ended": ended,
                "budget": budget.pk if budget is not None else None,
                "reserve_left_minor": snapshot.left_minor if snapshot is not None else None,
            }
        )
