"""Facts of past months after two members became one, or two again: counts of members change."""

from datetime import timedelta

from django.db import transaction

from benefits.insights.models import ProgrammeMonth
from benefits.insights.operations import compute_month
from core.actors import SYSTEM
from tenants.events.models import Event
from tenants.jobs.operations import enqueue
from tenants.jobs.registry import JobRun

JOB = "insights.recount"


def on_members_merged(event: Event) -> None:
    """Have all months counted anew, once for all merges of an hour."""
    hour = event.at.replace(minute=0, second=0, microsecond=0)
    enqueue(
        kind=JOB,
        dedupe_key=hour.isoformat(),
        due_at=hour + timedelta(hours=1),
        by=SYSTEM,
        at=event.at,
    )


def recount_months(run: JobRun) -> None:
    """Job: compute every month that has facts again, as of the same instant; month by month."""
    months = list(ProgrammeMonth.objects.order_by("month").values_list("month", "computed_at"))
    for number, (month, computed_at) in enumerate(months):
        run.progress(number, len(months))
        with transaction.atomic():
            compute_month(day=month, at=computed_at)
    with transaction.atomic():
        run.complete({"months": len(months)})
