"""What this room offers to others: its jobs."""

from django.utils.translation import gettext_lazy as _

from members.points.jobs import activate_due, expire_due, release_due_holds
from tenants.jobs.registry import daily, every, register_job

register_job(
    "points.activate",
    title=_("Points that become available"),
    handler=activate_due,
    schedule=daily(hour=0, minute=10),
)
register_job(
    "points.expire",
    title=_("Points that expire"),
    handler=expire_due,
    schedule=daily(hour=0, minute=20),
)
register_job(
    "points.release_holds",
    title=_("Held points past their time"),
    handler=release_due_holds,
    schedule=every(minutes=5),
)
