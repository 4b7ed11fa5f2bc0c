"""Appointments of redemptions: under which key they are booked, moving them, reminding of them."""

from datetime import datetime, timedelta

from django.db import transaction

from benefits.booking import operations as booking
from benefits.booking import queries as calendars
from benefits.booking.errors import BookingNotFoundError
from benefits.booking.values import Appointment
from benefits.grants._audit import note
from benefits.grants._events import tell
from benefits.grants.errors import ChangeTooLateError, InvalidStateError, SlotAfterEndError
from benefits.grants.models import Redemption, RedemptionStep
from benefits.grants.states import OPEN
from core.actors import Actor
from tenants.jobs.registry import JobRun

REMIND_AHEAD = timedelta(hours=24)
_PREFIX = "redemption:"


def booking_key(redemption: Redemption) -> str:
    """Return what a redemption's place is taken for."""
    return f"{_PREFIX}{redemption.pk}"


def get_appointment(*, redemption: Redemption) -> Appointment | None:
    """Return the appointment of a redemption; None without one."""
    if redemption.slot_at is None or (not redemption.store_code and redemption.channel != "staff"):
        return None
    return calendars.get_appointment(taken_for=booking_key(redemption))


def redemption_id_of(appointment: Appointment) -> int:
    """Return the key of the redemption that an appointment was made for."""
    return int(appointment.taken_for.removeprefix(_PREFIX))


def reschedule(
    *,
    redemption: Redemption,
    slot_at: datetime,
    by: Actor,
    at: datetime,
    store_code: str | None = None,
) -> Redemption:
    """Exchange the appointment for another time or store; the old place is free at once.

    Members can until the calendar's deadline, staff always.

    :raises InvalidStateError: if it is not open any more.
    :raises BookingNotFoundError: if it has no appointment.
    :raises ChangeTooLateError: for a member after the deadline.
    :raises SlotAfterEndError, SlotPastError, NoSuchSlotError, SlotFullError,
        UnknownCalendarError: if the new time can not be; nothing has changed.
    """
    with transaction.atomic():
        row = (
            Redemption.objects.select_for_update(of=("self",))
            .select_related("benefit", "grant")
            .get(pk=redemption.pk)
        )
        if row.state not in OPEN:
            raise InvalidStateError(state=row.state)
        held = calendars.get_appointment(taken_for=booking_key(row))
        if held is None:
            raise BookingNotFoundError
        if by.kind == "member" and at > held.change_until:
            raise ChangeTooLateError(change_until=held.change_until.isoformat())
        if row.grant.ends_at is not None and slot_at >= row.grant.ends_at:
            raise SlotAfterEndError(ends_at=row.grant.ends_at.isoformat())
        store = held.store_code if store_code is None else store_code
        if (store, slot_at) == (held.store_code, held.starts_at):
            return row
        booking.move(
            taken_for=booking_key(row),
            benefit_id=row.benefit_id,
            store_code=store,
            starts_at=slot_at,
            at=at,
        )
        before, row.slot_at, row.store_code = row.slot_at, slot_at, store
        row.save(update_fields=["slot_at", "store_code"])
        _note_move(row, before, by, at)
    return row


def _note_move(row: Redemption, before: datetime | None, by: Actor, at: datetime) -> None:
    old = None if before is None else before.isoformat()
    new = None if row.slot_at is None else row.slot_at.isoformat()
    RedemptionStep.objects.create(
        redemption=row,
        from_state=row.state,
        to_state=row.state,
        actor=by.key,
        evidence={"slot_at": [old, new], "store": row.store_code},
        at=at,
    )
    tell("redemption.rescheduled", row, at=at, slot_at=new, store=row.store_code)
    note(
        "redemption.rescheduled",
        target=("redemption", row.pk),
        by=by,
        at=at,
        changes={"slot_at": [old, new]},
    )


def remind(run: JobRun) -> None:
    """Job `grants.remind`: say `redemption.reminder` a day before each appointment, once."""
    told = 0
    while True:
        with transaction.atomic():
            due = booking.mark_reminded(until=run.at + REMIND_AHEAD, at=run.at)
            keys = [redemption_id_of(appointment) for appointment in due]
            rows = Redemption.objects.select_related("benefit").filter(pk__in=keys)
            for row in rows.order_by("pk"):
                tell(
                    "redemption.reminder",
                    row,
                    at=run.at,
                    slot_at=row.slot_at.isoformat() if row.slot_at else None,
                    store=row.store_code,
                )
            told += len(due)
            if not due:
                run.complete({"reminded": told})
                return
        run.progress(told, told)
