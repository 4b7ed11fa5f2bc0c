"""What this room offers to others: fields of conditions and the nightly job."""

from django.utils.translation import gettext_lazy as _

from members.profiles.registry import DELETE, MemberTable, register_member_table
from members.segments import fields
from members.segments.jobs import run_recompute
from tenants.jobs.registry import daily, register_job

fields.register()
register_job(
    "segments.recompute",
    title=_("Value segments"),
    handler=run_recompute,
    schedule=daily(hour=3, minute=30),
)
register_member_table(
    MemberTable(model="members.MemberScore", title=_("Value segment"), erase=DELETE)
)
register_member_table(
    MemberTable(model="members.LateActivity", title=_("Days to be counted again"))
)
