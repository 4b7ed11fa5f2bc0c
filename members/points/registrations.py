"""What this room offers to others: its jobs."""

from django.utils.translation import gettext_lazy as _

from members.points.handlers import extend_points
from members.points.jobs import (
    activate_due,
    expire_due,
    open_wallet,
    release_due_holds,
    snapshot,
    tell_expiring,
)
from tenants.events.registry import on_events
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
    "points.tell_expiring",
    title=_("Notices of points about to expire"),
    handler=tell_expiring,
    schedule=daily(hour=7, minute=30),
)
register_job(
    "points.liability",
    title=_("Liability and expected breakage of points"),
    handler=snapshot,
    schedule=daily(hour=1, minute=5),
)
register_job("points.open_accounts", title=_("Accounts of a new wallet"), handler=open_wallet)
register_job(
    "points.release_holds",
    title=_("Held points past their time"),
    handler=release_due_holds,
    schedule=every(minutes=5),
)

on_events("purchase.recorded", "activity.recorded", name="points.extend")(extend_points)
