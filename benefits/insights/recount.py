"""Facts of past months after late data: purchases, refunds, uses, merges of members."""

from datetime import timedelta

from django.db import transaction

from benefits.insights.facts import compute_month, mark_stale_months, refresh_used
from core.actors import SYSTEM
from tenants.events.models import Event
from tenants.jobs.operations import enqueue
from tenants.jobs.registry import JobRun

JOB = "insights.recount"


def on_members_merged(event: Event) -> None:
    """Have months looked at anew, once for all merges of an hour: counts of members change."""
    hour = event.at.replace(minute=0, second=0, microsecond=0)
    enqueue(
        kind=JOB,
        dedupe_key=hour.isoformat(),
        due_at=hour + timedelta(hours=1),
        by=SYSTEM,
        at=event.at,
    )


def recount_months(run: JobRun) -> None:
    """Job: mark the months that late data changed, and compute each again, month by month.

    A month that is done is no longer stale, so a job that was stopped goes on where it was.
    """
    stale = mark_stale_months(at=run.at)
    for number, month in enumerate(stale):
        run.progress(number, len(stale))
        compute_month(day=month, at=run.at)
    refresh_used(at=run.at)
    with transaction.atomic():
        run.complete({"months": [f"{month:%Y-%m}" for month in stale]})
