"""The nightly copy of list prices whose day has come."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.operations import show_prices
from core import clock
from tenants.brands.context import current_brand
from tenants.jobs.registry import JobRun, daily, register_job


def show_due_prices(run: JobRun) -> None:
    """Show the list prices in force on the brand's day; again changes nothing."""
    with transaction.atomic():
        changed = show_prices(on=clock.local_date(run.at, current_brand().timezone))
        run.complete({"changed": changed})


def register() -> None:
    """Make the job known; called once at start."""
    register_job(
        "catalogue.prices",
        title=_("Show list prices whose day has come"),
        handler=show_due_prices,
        schedule=daily(hour=0, minute=10),
    )
