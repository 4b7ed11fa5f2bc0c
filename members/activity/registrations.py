"""What this room holds about members."""

from django.utils.translation import gettext_lazy as _

from members.profiles.registry import MemberTable, register_member_table

for _table in (
    MemberTable(model="members.Purchase", title=_("Purchases")),
    MemberTable(
        model="members.PurchaseLine",
        title=_("Lines of purchases"),
        member="purchase__member_id",
        hidden=frozenset({"cost_minor"}),
    ),
    MemberTable(model="members.Refund", title=_("Refunds"), member="purchase__member_id"),
    MemberTable(model="members.MemberDay", title=_("Days with purchases")),
    MemberTable(model="members.ActivityEvent", title=_("What you did"), erase={"properties": {}}),
):
    register_member_table(_table)
