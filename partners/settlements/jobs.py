"""Work of the clock: the statements of the month gone by, and what is left of money paid ahead."""

from datetime import date

from django.db import transaction

from partners.settlements.generation import Made, make_statements, month_before
from partners.settlements.prepaid import tell_low_floats
from tenants.jobs.runs import JobRun


def run_month(run: JobRun) -> None:
    """Job `settlements.month`: draft the statements of a month (by default the last one)."""
    asked = run.parameters.get("month")
    month = date.fromisoformat(asked) if asked else month_before(run.at)

    def close(made: Made) -> None:
        run.complete(
            {"month": f"{month:%Y-%m}", "statements": made.statements, "orders": made.orders}
        )

    make_statements(month=month, at=run.at, progress=run.progress, last=close)


def run_floats(run: JobRun) -> None:
    """Job `settlements.floats`: tell where less than agreed is left of what was paid ahead."""
    with transaction.atomic():
        run.complete({"low": tell_low_floats(at=run.at)})
