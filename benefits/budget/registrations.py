"""What the budget room offers at start: the tracker's job."""

from django.utils.translation import gettext_lazy as _

from benefits.budget.jobs import track_reserve
from tenants.jobs.registry import daily, register_job


def register() -> None:
    """Register everything; called once when the application is ready."""
    register_job(
        "budget.track",
        title=_("Track the agile reserve"),
        handler=track_reserve,
        schedule=daily(hour=4),
    )
