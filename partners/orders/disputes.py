"""A member's objection to a service said to be delivered, and what staff find out about it.

While it is open the order is on no statement. Found to be delivered, it is settled with the month
of the answer; found not to be, the member gets the unit back, and what was paid for it on a
statement is taken off the next.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from benefits.grants import operations as grants
from core.actors import Actor
from partners.orders import charges, dispatch
from partners.orders._steps import allow, fee, is_in, lock, short, step, touch
from partners.orders.errors import DisputeTooLateError, InvalidOrderError
from partners.orders.models import FulfilmentOrder
from partners.orders.timeline import advance

_State = FulfilmentOrder.State
# A member may object for so long after the service.
OBJECTION = timedelta(days=30)


def dispute(
    *,
    order: FulfilmentOrder,
    reason: str,
    member_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Say that a fulfilled order was not delivered as promised; once more changes nothing.

    With `member_id` the caller is that member; without, staff speak for the member.

    :raises InvalidOrderError: without a reason.
    :raises OrderNotFoundError: if it is another member's.
    :raises InvalidStateError: unless it is fulfilled.
    :raises DisputeTooLateError: later than 30 days after the service; says until when.
    """
    reason = short(reason)
    if not reason:
        raise InvalidOrderError(_("Say what was not as promised."), pointer="/reason")
    with transaction.atomic():
        found = lock(order, member_id=member_id)
        if is_in(found, _State.DISPUTED, None):
            return found
        allow(found, "disputed", None, if_version)
        until = (found.fulfilled_at or at) + OBJECTION
        if at > until:
            raise DisputeTooLateError(until=until)
        touch(found, at)
        advance(found, [step(found, "disputed", _State.DISPUTED, reason=reason)], by=by, at=at)
    return found


def resolve(
    *,
    order: FulfilmentOrder,
    delivered: bool,
    reason: str,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """End a dispute: it was delivered and stays so, or it was not and the member gets it back.

    :raises InvalidOrderError: without a reason.
    :raises InvalidStateError: unless it is disputed.
    """
    reason = short(reason)
    if not reason:
        raise InvalidOrderError(_("Say what you found out."), pointer="/reason")
    with transaction.atomic():
        found = lock(order, with_redemption=True)
        if delivered:
            allow(found, "confirmed", None, if_version)
            touch(found, at)
            advance(
                found,
                [step(found, "confirmed", _State.FULFILLED, reason=reason)],
                by=by,
                at=at,
                closed_at=at,
            )
            return found
        allow(found, "undone", None, if_version)
        touch(found, at)
        data = fee(charges.charge_failure(order=found, handed_back=False, at=at))
        advance(
            found,
            [step(found, "undone", _State.FAILED, reason=reason, data=data)],
            by=by,
            at=at,
            closed_at=at,
            failure_reason=reason,
        )
        dispatch.let_go(found)
        grants.reverse(
            redemption=found.redemption, reason="not_delivered", give_back=True, by=by, at=at
        )
    return found
