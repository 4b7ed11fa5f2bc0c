"""Moving a redemption forward. Each move locks the one row, and repeating it changes nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from benefits.booking import operations as booking
from benefits.catalogue.kinds import Use, get_kind
from benefits.catalogue.models import Benefit
from benefits.catalogue.stock import give_back
from benefits.grants import _money
from benefits.grants._audit import note
from benefits.grants._events import tell
from benefits.grants.appointments import booking_key, get_appointment
from benefits.grants.errors import InvalidGrantError, InvalidStateError
from benefits.grants.fulfilment import get_channel
from benefits.grants.models import Grant, Redemption, RedemptionNote, RedemptionStep
from benefits.grants.states import OPEN, may_follow
from core.actors import SYSTEM, Actor
from core.money import MAX_MINOR
from members.profiles.operations import require_present
from tenants.audit.operations import verify_identity

_State = Redemption.State
_MAX_COMMENT = 2_000


def confirm(
    *,
    redemption: Redemption,
    by: Actor,
    at: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> Redemption:
    """Say that it will be carried out.

    :raises InvalidStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(redemption.pk, to=_State.CONFIRMED)
        if moves:
            row.confirmed_at = at
            _finish(row, _State.CONFIRMED, by=by, at=at, evidence=evidence)
    return row


def fulfil(
    *,
    redemption: Redemption,
    by: Actor,
    at: datetime,
    partner_price_minor: int | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Redemption:
    """Say that it was carried out; the benefit takes effect and its cost is booked.

    Cost = unit cost in force on the brand's day + the partner's price + points credited.

    :raises InvalidStateError: from a state that it cannot follow.
    :raises InvalidGrantError: if the price is negative or absurd.
    """
    if partner_price_minor is not None and not 0 <= partner_price_minor <= MAX_MINOR:
        raise InvalidGrantError("The price is out of range.", pointer="/partner_price_minor")
    with transaction.atomic():
        verify_identity()
        row, moves = _begin(redemption.pk, to=_State.FULFILLED)
        if not moves:
            return row
        effect = get_kind(row.benefit.kind).redeem(_use(row, at))
        row.unit_cost_minor = _money.cost_of_unit(row.benefit_id, on=_money.brand_day(at))
        row.partner_price_minor = partner_price_minor
        row.points_cost_minor = effect.points_cost_minor
        row.cost_minor = row.unit_cost_minor + (partner_price_minor or 0) + effect.points_cost_minor
        row.confirmed_at = row.confirmed_at or at
        row.fulfilled_at = at
        _finish(row, _State.FULFILLED, by=by, at=at, evidence=evidence)
        _money.spend(row, by=by, at=at)
    return row


def cancel(
    *,
    redemption: Redemption,
    by: Actor,
    at: datetime,
    reason: str = "",
    give_back: bool | None = None,
) -> Redemption:
    """Call it off. For a member the unit comes back when the terms allow that and, with an
    appointment, until its deadline; for others always; unless `give_back` says otherwise.

    :raises InvalidStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(redemption.pk, to=_State.CANCELLED)
        if moves:
            returned = _comes_back(row, by, at) if give_back is None else give_back
            _close(row, _State.CANCELLED, returned=returned, by=by, at=at, reason=reason)
    return row


def fail(
    *,
    redemption: Redemption,
    by: Actor,
    at: datetime,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
) -> Redemption:
    """Say that it could not be carried out; the unit always comes back to the member.

    `reason` is a short code, such as `no_show_of_partner`.

    :raises InvalidStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(redemption.pk, to=_State.FAILED)
        if moves:
            row.failure_code = reason[:40]
            _close(
                row, _State.FAILED, returned=True, by=by, at=at, reason=reason, evidence=evidence
            )
    return row


def expire(*, redemption_id: int, at: datetime) -> Redemption:
    """End one that nobody took up in time; its unit is gone with its grant.

    :raises InvalidStateError: from a state that it cannot follow.
    """
    with transaction.atomic():
        row, moves = _begin(redemption_id, to=_State.EXPIRED)
        if moves:
            _close(row, _State.EXPIRED, returned=False, by=SYSTEM, at=at)
    return row


def reverse(
    *,
    redemption: Redemption,
    reason: str,
    by: Actor,
    at: datetime,
    give_back: bool = False,
) -> Redemption:
    """Undo a fulfilled one, such as points credited by mistake. Its cost has arisen and stays.

    :raises InvalidStateError: if it is not fulfilled.
    """
    with transaction.atomic():
        verify_identity()
        row, moves = _begin(redemption.pk, to=_State.REVERSED)
        if moves:
            get_kind(row.benefit.kind).revoke(_use(row, at))
            row.closed_at = at
            row.unit_returned = give_back and _return_unit(row)
            _finish(row, _State.REVERSED, by=by, at=at, reason=reason)
    return row


def rate(
    *,
    redemption: Redemption,
    rating: int,
    by: Actor,
    at: datetime,
    nps: int | None = None,
    comment: str = "",
) -> Redemption:
    """Store what the member thinks of a fulfilled one: 1–5, and 0–10 for recommending it.

    The last answer counts.

    :raises InvalidStateError: if it is not fulfilled.
    :raises InvalidGrantError: if a number is out of range; `pointer` names it.
    """
    if not 1 <= rating <= 5:
        raise InvalidGrantError("A rating from 1 to 5 is needed.", pointer="/rating")
    if nps is not None and not 0 <= nps <= 10:
        raise InvalidGrantError("A number from 0 to 10 is needed.", pointer="/nps")
    if len(comment) > _MAX_COMMENT:
        raise InvalidGrantError("The comment is too long.", pointer="/comment")
    with transaction.atomic():
        row = _lock(redemption.pk)
        if row.state != _State.FULFILLED:
            raise InvalidStateError(state=row.state)
        if comment:
            require_present(member_id=row.member_id)
            RedemptionNote.objects.update_or_create(redemption=row, defaults={"comment": comment})
        if (row.rating, row.nps) != (rating, nps):
            row.rating, row.nps, row.rated_at = rating, nps, at
            row.save(update_fields=["rating", "nps", "rated_at"])
            tell("redemption.rated", row, at=at, rating=rating, nps=nps)
    return row


def _comes_back(row: Redemption, by: Actor, at: datetime) -> bool:
    if by.kind != "member":
        return True
    appointment = get_appointment(redemption=row)
    in_time = appointment is None or at <= appointment.change_until
    return in_time and bool(row.grant.terms.content["cancel_returns_unit"])


def _lock(redemption_id: int) -> Redemption:
    return (
        Redemption.objects.select_for_update(of=("self",))
        .select_related("benefit", "grant__terms", "budget_line")
        .get(pk=redemption_id)
    )


def _begin(redemption_id: int, *, to: str) -> tuple[Redemption, bool]:
    """Lock the row; return it and whether it moves, which it does not when it is there already.

    :raises InvalidStateError: if the state cannot follow.
    """
    row = _lock(redemption_id)
    if row.state == to:
        return row, False
    if not may_follow(to, after=row.state):
        raise InvalidStateError(state=row.state, to=to)
    return row, True


def _close(
    row: Redemption,
    to: str,
    *,
    returned: bool,
    by: Actor,
    at: datetime,
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """End an open one without a service: unit back or not, promise released, carrier told."""
    row.closed_at = at
    row.unit_returned = returned and _return_unit(row)
    _finish(row, to, by=by, at=at, reason=reason, evidence=evidence)
    _money.give_up(row, by=by, at=at)
    carrier = get_channel(row.channel)
    if carrier.inline:
        carrier.cancel(row, at=at)
    if row.slot_at is not None and row.channel == Benefit.Channel.STAFF:
        booking.cancel(taken_for=booking_key(row), at=at)


def _finish(
    row: Redemption,
    to: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> None:
    before, row.state = row.state, to
    row.save(update_fields=_MOVING)
    RedemptionStep.objects.create(
        redemption=row,
        from_state=before,
        to_state=to,
        actor=by.key,
        reason=reason[:200],
        evidence=dict(evidence or {}),
        at=at,
    )
    more: dict[str, Any] = {}
    if to == _State.FULFILLED:
        more["cost_minor"] = row.cost_minor
    if to not in OPEN and to != _State.FULFILLED:
        more.update(unit_returned=row.unit_returned, reason=reason)
    tell(f"redemption.{to}", row, at=at, **more)
    note(
        f"redemption.{to}",
        target=("redemption", row.pk),
        by=by,
        at=at,
        changes={"state": [before, to]},
        reason=reason,
    )


_MOVING = [
    "state",
    "confirmed_at",
    "fulfilled_at",
    "closed_at",
    "unit_returned",
    "failure_code",
    "unit_cost_minor",
    "partner_price_minor",
    "points_cost_minor",
    "cost_minor",
]


def _return_unit(row: Redemption) -> bool:
    changed = Grant.objects.filter(pk=row.grant_id, used__gte=1).update(used=F("used") - 1)
    if changed and row.benefit.is_stocked:
        give_back(taken_for=f"redemption:{row.pk}")
    return bool(changed)


def _use(row: Redemption, at: datetime) -> Use:
    return Use(
        redemption_id=row.pk,
        member_id=row.member_id,
        parameters=row.grant.terms.content["parameters"],
        at=at,
    )
