"""What settlement holds about members: what was written of the orders delivered to them."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from members.profiles.registry import MemberTable, register_member_table
from partners.orders.models import FulfilmentOrder
from partners.settlements.models import DisputeMessage, LineDispute, StatementLine


def register() -> None:
    """Register everything; called once when the application is ready."""
    register_member_table(
        MemberTable(
            model="partners.DisputeMessage",
            title=_("Messages about disputed lines"),
            rows=_messages,
            erase={"text": ""},
            hidden=frozenset({"by_key", "by_label"}),
        )
    )


def _messages(member_id: int) -> "QuerySet[DisputeMessage]":
    orders = FulfilmentOrder.objects.filter(member_id=member_id).values("pk")
    lines = StatementLine.objects.filter(order_id__in=orders).values("pk")
    disputes = LineDispute.objects.filter(line_id__in=lines).values("pk")
    return DisputeMessage.objects.filter(dispute_id__in=disputes)
