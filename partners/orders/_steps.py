"""What every step of an order shares: its lock, who may take it, and how a refusal is answered."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from benefits.grants.models import Redemption
from partners.orders.errors import (
    InvalidOrderError,
    InvalidStateError,
    OrderNotFoundError,
    VersionMismatchError,
)
from partners.orders.models import FulfilmentOrder, OrderOffer
from partners.orders.queries import get_partner_order, represent, represent_view
from partners.orders.states import is_allowed
from partners.orders.timeline import Step
from tenants.brands.context import current_brand

REASON_LENGTH = 200


def lock(
    order: FulfilmentOrder, *, with_redemption: bool = False, member_id: int | None = None
) -> FulfilmentOrder:
    """Return the order as it is now, locked; before it the redemption, where that will change.

    :raises OrderNotFoundError: if it is not the order of `member_id`, where that is given.
    """
    redemption = None
    if with_redemption:
        redemption = Redemption.objects.select_for_update().get(pk=order.redemption_id)
    found = (
        FulfilmentOrder.objects.select_for_update(of=("self",))
        .select_related("benefit", "offering")
        .get(pk=order.pk)
    )
    if redemption is not None:
        found.redemption = redemption
    if member_id is not None and found.member_id != member_id:
        raise OrderNotFoundError
    return found


def allow(
    order: FulfilmentOrder, step: str, partner_id: int | None, if_version: int | None
) -> None:
    """Refuse a step that this caller may not take on the order as it is."""
    if partner_id is not None and order.partner_id != partner_id:
        raise lost(order, partner_id)
    if if_version is not None and if_version != order.version:
        raise VersionMismatchError(version=order.version, order=order.number)
    if not is_allowed(step, order.state):
        raise moved_on(order, order.state)


def is_in(order: FulfilmentOrder, state: str, partner_id: int | None) -> bool:
    """Tell whether this caller's very step has brought the order to where it is."""
    return order.state == state and partner_id in {None, order.partner_id}


def last_offer(order: FulfilmentOrder, partner_id: int) -> OrderOffer:
    offer = order.offers.filter(partner_id=partner_id).order_by("-number").first()
    if offer is None:
        raise OrderNotFoundError
    return offer


def moved_on(order: FulfilmentOrder, state: str) -> InvalidStateError:
    return InvalidStateError(
        order=order.number,
        state=str(state),
        version=order.version,
        current=represent(order, state=str(state)),
    )


def lost(order: FulfilmentOrder, partner_id: int) -> InvalidStateError:
    """Refuse a partner that no longer has the order, showing its own part of it only."""
    offer = last_offer(order, partner_id)
    return InvalidStateError(
        order=order.number,
        state=offer.state,
        version=order.version,
        current=represent_view(get_partner_order(number=order.number, partner_id=partner_id)),
    )


def price(minor: int | None) -> dict[str, Any]:
    return {"price": {"amount": minor, "currency": current_brand().currency}}


def fee(amount: int) -> dict[str, Any]:
    """Return what a step says of a fee (above zero) or penalty; nothing where none is due."""
    return {"charge": {"amount": amount, "currency": current_brand().currency}} if amount else {}


def step(
    order: FulfilmentOrder,
    event: str,
    state: str,
    *,
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> Step:
    return Step(
        event=event,
        to_state=state,
        partner_id=order.partner_id,
        reason=reason,
        data=data or {},
    )


def touch(order: FulfilmentOrder, at: datetime) -> None:
    """Move the order up in the list of the partner that has it."""
    order.offers.filter(state=OrderOffer.State.ACCEPTED).update(updated_at=at)


def short(text: str) -> str:
    text = text.strip()
    if len(text) > REASON_LENGTH:
        raise InvalidOrderError(_("The reason is too long."), pointer="/reason")
    return text
