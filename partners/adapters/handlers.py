"""What happens to orders, heard from the outbox: partners with systems of their own are told."""

from partners.adapters.models import Connection, PartnerCall
from partners.adapters.operations import open_call, wake
from partners.adapters.sending import stop_calls
from partners.orders.models import OrderOffer
from tenants.events.models import Event
from tenants.events.registry import on_event

_OVER = (
    "partner_order.cancelled",
    "partner_order.declined",
    "partner_order.failed",
    "partner_order.redispatched",
    "partner_order.timed_out",
)


@on_event("partner_order.offered", name="adapters.request")
def request_of_partner(event: Event) -> None:
    """Ask a partner's system to take what it was offered."""
    offer = _find_offer(event)
    connection = _find_connection(event)
    if offer is None or connection is None or not connection.is_enabled:
        return
    if offer.state == OrderOffer.State.OFFERED:
        open_call(
            connection=connection,
            offer=offer,
            action=PartnerCall.Action.REQUEST,
            due_at=event.at,
        )
        wake(at=event.at)


@on_event(*_OVER, name="adapters.cancel")
def cancel_at_partner(event: Event) -> None:
    """Tell a partner's system that an order is no longer its own."""
    offer = _find_offer(event)
    if offer is None:
        return
    calls = PartnerCall.objects.select_for_update(of=("self",)).select_related("connection")
    found = list(calls.filter(order_id=offer.order_id, offer_number=offer.number).order_by("pk"))
    if found:
        stop_calls(calls=found, offer=offer, at=event.at)
        wake(at=event.at)


@on_event("partner_order.fulfilled", name="adapters.close")
def stop_asking(event: Event) -> None:
    """Ask no more about what is done."""
    offer = _find_offer(event)
    if offer is not None:
        PartnerCall.objects.filter(
            order_id=offer.order_id, state=PartnerCall.State.PENDING
        ).exclude(action=PartnerCall.Action.CANCEL).update(
            state=PartnerCall.State.DROPPED, closed_at=event.at
        )


def _find_offer(event: Event) -> OrderOffer | None:
    return (
        OrderOffer.objects.filter(
            order__number=event.data["order"], partner_id=event.data.get("partner_id")
        )
        .order_by("-number")
        .first()
    )


def _find_connection(event: Event) -> Connection | None:
    return Connection.objects.filter(partner_id=event.data.get("partner_id")).first()
