"""Work of the clock: calls to partners' systems that are due."""

from django.db import transaction

from partners.adapters.sending import make_calls
from tenants.jobs.runs import JobRun


def run_calls(run: JobRun) -> None:
    """Job `partners.calls`: make what is due; each call notes itself."""
    made = make_calls(at=run.at)
    with transaction.atomic():
        run.complete({"calls": made})
