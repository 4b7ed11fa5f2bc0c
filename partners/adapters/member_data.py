"""What this room holds about members: for their export, and for erasing them."""

from django.utils.translation import gettext_lazy as _

from members.profiles.registry import MemberTable, register_member_table


def register() -> None:
    """Register everything; called once when the application is ready."""
    register_member_table(
        MemberTable(
            model="partners.PartnerCall",
            title=_("Calls to partners’ systems"),
            member="order__member_id",
            erase={"last_error": ""},
            hidden=frozenset({"key", "connection", "last_status", "last_error"}),
        )
    )
