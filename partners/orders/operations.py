"""Fulfilment orders: asked for by a redemption, moved on by partners, staff and the clock.

Each operation locks the redemption where it changes it, then the order, then capacity days.
Calls that come late, twice or out of order never have a second effect: the same step again
gets the same answer, any other is refused with the present state.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from benefits.grants import operations as grants
from core.actors import SYSTEM, Actor
from core.clock import local_date
from partners.orders import charges, codes, dispatch
from partners.orders._steps import allow as _allow
from partners.orders._steps import fee as _fee
from partners.orders._steps import is_in as _is_in
from partners.orders._steps import last_offer as _last_offer
from partners.orders._steps import lock as _lock
from partners.orders._steps import moved_on as _moved_on
from partners.orders._steps import price as _price
from partners.orders._steps import short as _short
from partners.orders._steps import step as _step
from partners.orders._steps import touch as _touch
from partners.orders.errors import (
    CodeRequiredError,
    InvalidOrderError,
    InvalidPolicyError,
)
from partners.orders.models import DispatchPolicy, FulfilmentOrder, OrderOffer
from partners.orders.scoring import PARTS
from partners.orders.states import is_allowed
from partners.orders.timeline import advance
from partners.pool.queries import get_price
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_State = FulfilmentOrder.State
_FAR = timedelta(days=366)
_MAX_EVIDENCE = 20


def request_order(*, redemption_id: int, at: datetime) -> FulfilmentOrder | None:
    """Make the fulfilment order of a redemption and offer it to the best partner, once.

    Without a partner that could take it, the order waits for staff as `unassigned`. Return None
    when the redemption was closed before anybody was asked.
    """
    with transaction.atomic():
        return dispatch.open_order(redemption_id=redemption_id, at=at)


def accept(
    *,
    order: FulfilmentOrder,
    partner_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Accept the open offer; the price in force today is the one that will be settled.

    With `partner_id` the caller is that partner; without, staff act for the partner asked.

    :raises OrderNotFoundError: if it was never offered to this partner.
    :raises InvalidStateError: if the offer is answered, withdrawn or has run out.
    :raises VersionMismatchError: if the order is not in version `if_version`.
    """
    with transaction.atomic():
        found = _lock(order, with_redemption=True)
        if _is_in(found, _State.ACCEPTED, partner_id):
            return found
        _allow(found, "accepted", partner_id, if_version)
        if found.accept_by is not None and at >= found.accept_by:
            raise _moved_on(found, OrderOffer.State.TIMED_OUT)
        today = local_date(at, current_brand().timezone)
        price = get_price(offering_id=found.offering_id or 0, on=today)
        assert found.offering is not None  # noqa: S101  (an offered order has one, by constraint)
        begin = max(at, found.wanted_at) if found.wanted_at else at
        found.offers.filter(state=OrderOffer.State.OFFERED).update(
            state=OrderOffer.State.ACCEPTED, answered_at=at, updated_at=at
        )
        advance(
            found,
            [_step(found, "accepted", _State.ACCEPTED, data=_price(price))],
            by=by,
            at=at,
            accepted_at=at,
            price_minor=price,
            due_at=begin + timedelta(hours=found.offering.sla_hours),
        )
        grants.confirm(redemption=found.redemption, by=by, at=at)
    return found


def decline(
    *,
    order: FulfilmentOrder,
    partner_id: int | None = None,
    reason: str = "",
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Decline the open offer; the order goes to the next best partner at once.

    :raises OrderNotFoundError: if it was never offered to this partner.
    :raises InvalidStateError: if the offer was answered otherwise, or has run out.
    :raises VersionMismatchError: if the order is not in version `if_version`.
    """
    reason = _short(reason)
    with transaction.atomic():
        found = _lock(order)
        if (
            partner_id is not None
            and found.partner_id != partner_id
            and _last_offer(found, partner_id).state == OrderOffer.State.DECLINED
        ):
            return found
        _allow(found, "declined", partner_id, if_version)
        dispatch.pass_on(
            found,
            _step(found, "declined", _State.UNASSIGNED, reason=reason),
            offer_state=OrderOffer.State.DECLINED,
            by=by,
            at=at,
        )
    return found


def schedule(
    *,
    order: FulfilmentOrder,
    when: datetime,
    partner_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Set the time of the service, or another one; the reserved day moves along.

    :raises InvalidOrderError: for a time gone by or more than a year ahead.
    :raises NoCapacityError: if nothing is left on that day.
    :raises OrderNotFoundError, InvalidStateError, VersionMismatchError: as `accept`.
    """
    if not at - timedelta(minutes=5) <= when <= at + _FAR:
        raise InvalidOrderError(
            _("The time must lie between now and a year from now."), pointer="/when"
        )
    with transaction.atomic():
        found = _lock(order)
        if found.scheduled_for == when and _is_in(found, _State.SCHEDULED, partner_id):
            return found
        _allow(found, "scheduled", partner_id, if_version)
        service_on = local_date(when, current_brand().timezone)
        dispatch.change_day(found, service_on)
        _touch(found, at)
        advance(
            found,
            [_step(found, "scheduled", _State.SCHEDULED, data={"scheduled_for": when.isoformat()})],
            by=by,
            at=at,
            scheduled_for=when,
            service_on=service_on,
        )
    return found


def start(
    *,
    order: FulfilmentOrder,
    partner_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Say that the service has begun; from now on it can no longer be cancelled.

    :raises OrderNotFoundError, InvalidStateError, VersionMismatchError: as `accept`.
    """
    with transaction.atomic():
        found = _lock(order)
        if _is_in(found, _State.IN_PROGRESS, partner_id):
            return found
        _allow(found, "started", partner_id, if_version)
        _touch(found, at)
        advance(found, [_step(found, "started", _State.IN_PROGRESS)], by=by, at=at, started_at=at)
    return found


def verify_code(*, order: FulfilmentOrder, partner_id: int, code: str, at: datetime) -> None:
    """Pass when the code is the one that the member shows; nothing changes.

    :raises OrderNotFoundError, InvalidStateError: as `accept`.
    :raises WrongCodeError: if it is another.
    :raises TooManyCodesError: after five wrong ones in 15 minutes.
    """
    found = FulfilmentOrder.objects.select_related("benefit").get(pk=order.pk)
    if found.state != _State.FULFILLED or found.partner_id != partner_id:
        _allow(found, "fulfilled", partner_id, None)
    codes.check(order=found, code=code, at=at)


def fulfil(
    *,
    order: FulfilmentOrder,
    partner_id: int | None = None,
    code: str = "",
    evidence: Mapping[str, Any] | None = None,
    override_reason: str = "",
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Close the order as delivered; the redemption books its cost at the price accepted.

    A partner proves it with the member's verification code. Staff may give a reason instead,
    which is audited. `evidence` holds references to files and notes, without personal data.

    :raises CodeRequiredError: if there is no code (and no reason of staff).
    :raises WrongCodeError, TooManyCodesError: as `verify_code`.
    :raises InvalidOrderError: if the evidence is too large.
    :raises OrderNotFoundError, InvalidStateError, VersionMismatchError: as `accept`.
    """
    proof = _evidence(evidence)
    reason = _short(override_reason)
    with transaction.atomic():
        found = _lock(order, with_redemption=True)
        if _is_in(found, _State.FULFILLED, partner_id):
            return found
        _allow(found, "fulfilled", partner_id, if_version)
        if code:
            codes.check(order=found, code=code, at=at)
            proof["proof"] = "code"
        elif partner_id is None and reason:
            proof["proof"] = "override"
        else:
            raise CodeRequiredError(pointer="/code")
        _touch(found, at)
        data = {"proof": proof["proof"], **_fee(charges.charge_lateness(order=found, at=at))}
        advance(
            found,
            [_step(found, "fulfilled", _State.FULFILLED, reason=reason, data=data)],
            by=by,
            at=at,
            fulfilled_at=at,
            closed_at=at,
            evidence=proof,
        )
        grants.fulfil(
            redemption=found.redemption,
            partner_price_minor=found.price_minor,
            evidence={"order": found.number, "proof": proof["proof"]},
            by=by,
            at=at,
        )
    return found


def hand_back(
    *,
    order: FulfilmentOrder,
    reason: str,
    partner_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Let a partner give an accepted order back before it has begun; it goes to the next at once.

    The contract's penalty for it is charged. The partner is not asked again in this round.

    :raises InvalidOrderError: without a reason.
    :raises OrderNotFoundError, InvalidStateError, VersionMismatchError: as `accept`.
    """
    reason = _short(reason)
    if not reason:
        raise InvalidOrderError(_("Say why it is handed back."), pointer="/reason")
    with transaction.atomic():
        found = _lock(order)
        if (
            partner_id is not None
            and found.partner_id != partner_id
            and _last_offer(found, partner_id).state == OrderOffer.State.HANDED_BACK
        ):
            return found
        _allow(found, "handed_back", partner_id, if_version)
        data = _fee(charges.charge_failure(order=found, handed_back=True, at=at))
        dispatch.pass_on(
            found,
            _step(found, "handed_back", _State.UNASSIGNED, reason=reason, data=data),
            offer_state=OrderOffer.State.HANDED_BACK,
            by=by,
            at=at,
        )
    return found


def fail(
    *,
    order: FulfilmentOrder,
    reason: str,
    partner_id: int | None = None,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Say that the service can not be delivered; the member gets the unit back.

    :raises InvalidOrderError: without a reason.
    :raises OrderNotFoundError, InvalidStateError, VersionMismatchError: as `accept`.
    """
    reason = _short(reason)
    if not reason:
        raise InvalidOrderError(_("Say why it can not be delivered."), pointer="/reason")
    with transaction.atomic():
        found = _lock(order, with_redemption=True)
        if _is_in(found, _State.FAILED, partner_id):
            return found
        _allow(found, "failed", partner_id, if_version)
        _touch(found, at)
        data = _fee(charges.charge_failure(order=found, handed_back=False, at=at))
        advance(
            found,
            [_step(found, "failed", _State.FAILED, reason=reason, data=data)],
            by=by,
            at=at,
            closed_at=at,
            failure_reason=reason,
        )
        dispatch.let_go(found)
        grants.fail(redemption=found.redemption, reason="partner_failed", by=by, at=at)
    return found


def cancel(
    *,
    order: FulfilmentOrder,
    reason: str,
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Cancel the redemption and its order, before the service has begun.

    :raises InvalidStateError: if the service has begun or the order is closed.
    :raises VersionMismatchError: if the order is not in version `if_version`.
    """
    with transaction.atomic():
        found = _lock(order, with_redemption=True)
        if _is_in(found, _State.CANCELLED, None):
            return found
        _allow(found, "cancelled", None, if_version)
        _cancel(found, reason=_short(reason), by=by, at=at)
        grants.cancel(redemption=found.redemption, by=by, at=at)
    return found


def withdraw_order(*, redemption_id: int, reason: str, by: Actor, at: datetime) -> bool:
    """Cancel the order of a redemption that was cancelled or has expired; say whether this did.

    For the channel: the redemption itself is the caller's. A closed order stays as it is.
    """
    with transaction.atomic():
        order = FulfilmentOrder.objects.filter(redemption_id=redemption_id).first()
        if order is None:
            return False
        found = _lock(order, with_redemption=True)
        if not is_allowed("withdrawn", found.state):
            return False
        _cancel(found, reason=_short(reason), by=by, at=at)
    return True


def redispatch(
    *,
    order: FulfilmentOrder,
    reason: str = "",
    if_version: int | None = None,
    by: Actor,
    at: datetime,
) -> FulfilmentOrder:
    """Take the order from its partner, if it has one, and ask the whole pool again (staff).

    The partner that has it now is asked only when nobody else can take it.

    :raises InvalidStateError: if the service has begun or the order is closed.
    :raises VersionMismatchError: if the order is not in version `if_version`.
    """
    with transaction.atomic():
        found = _lock(order)
        _allow(found, "redispatched", None, if_version)
        dispatch.pass_on(
            found,
            _step(found, "redispatched", _State.UNASSIGNED, reason=_short(reason)),
            offer_state=OrderOffer.State.WITHDRAWN,
            new_round=True,
            by=by,
            at=at,
        )
    return found


def time_out(*, order_id: int, at: datetime) -> bool:
    """Take an unanswered offer back when its time is over; say whether it was."""
    with transaction.atomic():
        found = (
            FulfilmentOrder.objects.select_for_update(of=("self",))
            .select_related("benefit")
            .filter(pk=order_id, state=_State.OFFERED, accept_by__lte=at)
            .first()
        )
        if found is None:
            return False
        dispatch.pass_on(
            found,
            _step(found, "timed_out", _State.UNASSIGNED),
            offer_state=OrderOffer.State.TIMED_OUT,
            by=SYSTEM,
            at=at,
        )
    return True


def set_policy(
    *,
    weights: Mapping[str, int],
    accept_minutes: int,
    horizon_days: int,
    newcomer_percent: int = 5,
    newcomer_offers: int = 10,
    by: Actor,
    at: datetime,
) -> DispatchPolicy:
    """Set the brand's weights (`scoring.PARTS`, 0 to 100 each) and limits for coming dispatches.

    Of 100 orders, `newcomer_percent` (0 to 50) go first to the best partner with fewer than
    `newcomer_offers` answers.

    :raises InvalidPolicyError: if a weight is missing or unknown, all are 0, or one is out of range.
    """
    if set(weights) != set(PARTS):
        raise InvalidPolicyError(_("Give a weight for each part."), pointer="/weights")
    if not all(0 <= weight <= 100 for weight in weights.values()) or not any(weights.values()):
        raise InvalidPolicyError(
            _("Weights are 0 to 100, and at least one is above 0."), pointer="/weights"
        )
    if not 1 <= accept_minutes <= 60 * 24 * 7:
        raise InvalidPolicyError(_("This time is out of range."), pointer="/accept_minutes")
    if not 1 <= horizon_days <= 60:
        raise InvalidPolicyError(_("This horizon is out of range."), pointer="/horizon_days")
    if not 0 <= newcomer_percent <= 50:
        raise InvalidPolicyError(_("This share is out of range."), pointer="/newcomer_percent")
    if not 1 <= newcomer_offers <= 1_000:
        raise InvalidPolicyError(_("This number is out of range."), pointer="/newcomer_offers")
    values = {f"weight_{name}": weights[name] for name in PARTS}
    values |= {
        "accept_minutes": accept_minutes,
        "horizon_days": horizon_days,
        "newcomer_percent": newcomer_percent,
        "newcomer_offers": newcomer_offers,
    }
    with transaction.atomic():
        before = DispatchPolicy.objects.select_for_update().first() or DispatchPolicy()
        policy, _created = DispatchPolicy.objects.update_or_create(singleton=True, defaults=values)
        record(
            by=by,
            at=at,
            action="dispatch_policy.set",
            target_type="dispatch_policy",
            changes={
                name: [getattr(before, name), value]
                for name, value in values.items()
                if getattr(before, name) != value
            },
        )
    return policy


def _cancel(order: FulfilmentOrder, *, reason: str, by: Actor, at: datetime) -> None:
    order.offers.filter(state=OrderOffer.State.OFFERED).update(
        state=OrderOffer.State.WITHDRAWN, reason=reason, answered_at=at, updated_at=at
    )
    _touch(order, at)
    data = _fee(charges.charge_cancellation(order=order, at=at))
    advance(
        order,
        [_step(order, "cancelled", _State.CANCELLED, reason=reason, data=data)],
        by=by,
        at=at,
        closed_at=at,
    )
    dispatch.let_go(order)


def _evidence(evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    found = dict(evidence or {})
    if len(found) > _MAX_EVIDENCE or any(
        not isinstance(value, str) or len(value) > 500 or len(str(key)) > 40
        for key, value in found.items()
    ):
        raise InvalidOrderError(_("The evidence is too large."), pointer="/evidence")
    return found
