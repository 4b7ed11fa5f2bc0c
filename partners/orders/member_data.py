"""What this room holds about members: for their export, and for erasing them."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from members.profiles.registry import MemberTable, register_member_table
from members.profiles.words import refuse_naming
from partners.orders.models import (
    CodeAttempts,
    FulfilmentOrder,
    OrderCharge,
    OrderTransition,
)
from tenants.audit.registry import guard_words


def register() -> None:
    """Register everything; called once when the application is ready."""
    for table in (
        MemberTable(
            model="partners.FulfilmentOrder",
            title=_("Fulfilment orders"),
            # What partners wrote and photographed at the member's door.
            erase={"note": "", "failure_reason": "", "evidence": {}},
            hidden=frozenset({"verification_digest", "price_minor"}),
        ),
        MemberTable(
            model="partners.OrderOffer",
            title=_("Partners asked"),
            member="order__member_id",
            erase={"reason": ""},
            hidden=frozenset({"price_minor", "score", "parts"}),
        ),
        MemberTable(
            model="partners.OrderTransition",
            title=_("Steps of fulfilment orders"),
            rows=_transitions,
            erase={"reason": ""},
            erase_where=~Q(actor_kind="system"),
            hidden=frozenset({"actor_id", "actor_label", "data"}),
        ),
        MemberTable(
            model="partners.CodeAttempts", title=_("Wrong verification codes"), rows=_attempts
        ),
        MemberTable(
            model="partners.OrderCharge",
            title=_("Fees and penalties of fulfilment orders"),
            rows=_charges,
            hidden=frozenset({"amount_minor", "contract_id"}),
        ),
    ):
        register_member_table(table)
    guard_words("fulfilment_order", _refuse_for_order)


def _orders(member_id: int) -> "QuerySet[FulfilmentOrder, int]":
    return FulfilmentOrder.objects.filter(member_id=member_id).values_list("pk", flat=True)


def _transitions(member_id: int) -> "QuerySet[OrderTransition]":
    return OrderTransition.objects.filter(order_id__in=_orders(member_id))


def _attempts(member_id: int) -> "QuerySet[CodeAttempts]":
    return CodeAttempts.objects.filter(order_id__in=_orders(member_id))


def _charges(member_id: int) -> "QuerySet[OrderCharge]":
    return OrderCharge.objects.filter(order_id__in=_orders(member_id))


def _refuse_for_order(target_id: str, text: str) -> None:
    found = FulfilmentOrder.objects.filter(number=target_id).values_list("member_id", flat=True)
    member_id = found.first()
    if member_id is not None:
        refuse_naming(member_id=member_id, text=text)
