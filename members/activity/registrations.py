"""What this room offers to others: what it holds about members, and the roll-up made anew."""

from django.utils.translation import gettext_lazy as _

from members.activity.rebuild import REBUILD, run_rebuild
from members.profiles.registry import MemberTable, register_member_table
from tenants.jobs.registry import register_job

register_job(REBUILD, title=_("Daily figures from the purchases"), handler=run_rebuild)
for _table in (
    MemberTable(model="members.Purchase", title=_("Purchases")),
    MemberTable(
        model="members.PurchaseLine",
        title=_("Lines of purchases"),
        member="purchase__member_id",
        hidden=frozenset({"cost_minor"}),
    ),
    MemberTable(model="members.Refund", title=_("Refunds"), member="purchase__member_id"),
    MemberTable(
        model="members.RefundLine",
        title=_("Lines of refunds"),
        member="refund__purchase__member_id",
    ),
    MemberTable(model="members.MemberDay", title=_("Days with purchases")),
    MemberTable(model="members.ActivityEvent", title=_("What you did"), erase={"properties": {}}),
):
    register_member_table(_table)
