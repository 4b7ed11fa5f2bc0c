"""What the adapters room offers to lower rooms: handlers, the job, cards for staff."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from benefits.insights.registry import Todo, register_todo
from partners.adapters import (
    handlers,  # noqa: F401  (registers itself)
    member_data,
)
from partners.adapters.jobs import run_calls
from partners.adapters.operations import JOB
from partners.adapters.queries import count_trouble
from tenants.jobs.registry import every, register_job


def connections_for_staff(at: datetime) -> list[Todo]:
    """Return a card when a partner's system is off, or could not be told of a cancellation."""
    off, untold = count_trouble(at=at)
    cards = []
    if off:
        text = ngettext_lazy(
            "%(count)d partner system is switched off",
            "%(count)d partner systems are switched off",
            off,
        ) % {"count": off}
        cards.append(Todo(kind="connections.off", text=text, badge=_("Partners"), count=off))
    if untold:
        text = ngettext_lazy(
            "%(count)d cancellation did not reach the partner: call them",
            "%(count)d cancellations did not reach the partner: call them",
            untold,
        ) % {"count": untold}
        cards.append(
            Todo(
                kind="connections.untold",
                text=text,
                badge=_("Partners"),
                severity="danger",
                count=untold,
            )
        )
    return cards


def register() -> None:
    """Register everything; called once when the application is ready."""
    member_data.register()
    register_todo(connections_for_staff)
    register_job(
        JOB, title=_("Call partners’ systems"), handler=run_calls, schedule=every(minutes=1)
    )
