"""What this room offers to others: fields of conditions and the nightly job."""

from django.utils.translation import gettext_lazy as _

from members.profiles.registry import DELETE, MemberTable, register_member_table
from members.segments import activity_fields, attribute_fields, fields
from members.segments.jobs import run_recompute, run_store
from members.segments.operations import STORE
from members.segments.scoring import RECOMPUTE
from tenants.jobs.registry import daily, register_job

fields.register()
activity_fields.register()
attribute_fields.register()
register_job(
    STORE,
    title=_("Members of saved segments"),
    handler=run_store,
    schedule=daily(hour=4, minute=0),
)
register_job(
    RECOMPUTE,
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
register_member_table(MemberTable(model="members.SegmentMember", title=_("Segments"), erase=DELETE))
register_member_table(
    MemberTable(model="members.SegmentChange", title=_("Segments entered and left"))
)
