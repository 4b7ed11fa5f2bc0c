"""What this room holds about members: for their export, and for erasing them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.mall.models import MallOrder
from members.profiles.registry import (
    DELETE,
    MemberTable,
    register_member_table,
    register_obstacle,
)
from members.profiles.words import refuse_naming
from tenants.audit.registry import guard_words

_State = MallOrder.State
_OPEN = (_State.PLACED, _State.CONFIRMED, _State.SHIPPED)


def register() -> None:
    """Register everything; called once when the application is ready."""
    for table in (
        MemberTable(
            model="benefits.MallOrder",
            title=_("Mall orders"),
            # What staff typed, and the carrier's number that leads to the door.
            erase={"reason": "", "tracking": ""},
            hidden=frozenset(
                {"hold_key", "debit_key", "refund_key", "committed_minor", "cost_minor"}
            ),
        ),
        MemberTable(
            model="benefits.MallAddress",
            title=_("Addresses"),
            member="order__member_id",
            erase=DELETE,
        ),
        MemberTable(model="benefits.MemberAddress", title=_("Addresses kept"), erase=DELETE),
        MemberTable(model="benefits.WaitingEntry", title=_("Waiting list")),
        MemberTable(
            model="benefits.MallPayment",
            title=_("Payments of mall orders"),
            member="order__member_id",
        ),
        MemberTable(
            model="benefits.DrawTicket",
            title=_("Lucky draws"),
            # Without the words the roll cannot be done again; all else of the draw stays.
            erase={"lucky_words": ""},
        ),
    ):
        register_member_table(table)
    register_obstacle(_open_orders)
    guard_words("mall_order", _refuse_for_order)


def _open_orders(member_id: int) -> str | Promise | None:
    count = MallOrder.objects.filter(member_id=member_id, state__in=_OPEN).count()
    if not count:
        return None
    return _("Complete or cancel the open mall orders first (%(count)s).") % {"count": count}


def _refuse_for_order(target_id: str, text: str) -> None:
    found = MallOrder.objects.filter(pk=int(target_id)).values_list("member_id", flat=True).first()
    if found is not None:
        refuse_naming(member_id=found, text=text)
