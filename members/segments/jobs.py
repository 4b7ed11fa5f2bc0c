"""The nightly job of this room."""

from django.db import transaction

from core.clock import local_date
from members.segments.operations import recompute_scores
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun


def run_recompute(run: JobRun) -> None:
    """Score all members as of today in the brand's time zone."""
    with transaction.atomic():
        done = recompute_scores(on=local_date(run.at, current_brand().timezone), at=run.at)
        run.complete({"scored": done.scored, "changed": done.changed})
