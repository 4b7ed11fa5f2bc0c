"""What this room offers to others: its jobs."""

from django.utils.translation import gettext_lazy as _

from members.imports.jobs import run_apply, run_check, run_clean
from members.imports.operations import APPLY, CHECK
from tenants.jobs.registry import daily, register_job

register_job(CHECK, title=_("Check a file"), handler=run_check)
register_job(APPLY, title=_("Apply a file"), handler=run_apply)
register_job(
    "imports.clean",
    title=_("Files of imports past their time"),
    handler=run_clean,
    schedule=daily(hour=3, minute=50),
)
