"""The nightly job of this room."""

from django.db import transaction

from core.clock import local_date
from members.segments.operations import recompute_scores
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

_SUNDAY = 6


def run_recompute(run: JobRun) -> None:
    """Score all members as of today in the brand's time zone; on Sundays from all their days.

    Rolled scores do not drift; if they ever did, it would not last longer than a week.
    """
    on = local_date(run.at, current_brand().timezone)
    with transaction.atomic():
        done = recompute_scores(on=on, at=run.at, full=on.weekday() == _SUNDAY)
        run.complete({"scored": done.scored, "changed": done.changed})
