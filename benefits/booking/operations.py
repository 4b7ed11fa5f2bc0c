"""Writing calendars, and booking: a place is taken by one statement that can not overbook."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from benefits.booking import queries
from benefits.booking._times import find_problem, starts_of_day
from benefits.booking.errors import (
    BookedDayError,
    BookingNotFoundError,
    CapacityInUseError,
    InvalidCalendarError,
    NoSuchSlotError,
    SlotFullError,
    SlotPastError,
)
from benefits.booking.models import BookingCalendar, ClosedDay, OpeningHours, Slot, SlotBooking
from benefits.booking.values import Appointment, Hours
from benefits.catalogue.models import Benefit
from core import clock
from core.actors import Actor
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_TAKE = """
INSERT INTO benefits_slot AS slot (calendar_id, starts_at, capacity, booked)
VALUES (%(calendar)s, %(starts_at)s, %(capacity)s, 1)
ON CONFLICT (calendar_id, starts_at) DO UPDATE SET booked = slot.booked + 1
 WHERE slot.booked < slot.capacity
RETURNING id
"""
_BOUNDS = {
    "slot_minutes": (5, 1_440),
    "capacity": (1, 1_000),
    "lead_minutes": (0, 60 * 24 * 90),
    "change_minutes": (0, 60 * 24 * 90),
    "horizon_days": (1, 366),
}


def set_calendar(
    *,
    benefit: Benefit,
    store_code: str,
    hours: Sequence[Hours],
    slot_minutes: int,
    capacity: int,
    by: Actor,
    at: datetime,
    lead_minutes: int = 60,
    change_minutes: int = 1_440,
    horizon_days: int = 30,
    is_active: bool = True,
) -> BookingCalendar:
    """Make or change the calendar of a benefit in a store. Appointments that exist stay.

    :raises InvalidCalendarError: for a part that can not be, named in `pointer`.
    :raises CapacityInUseError: if a slot to come has more bookings than `capacity`.
    """
    figures = {
        "slot_minutes": slot_minutes,
        "capacity": capacity,
        "lead_minutes": lead_minutes,
        "change_minutes": change_minutes,
        "horizon_days": horizon_days,
    }
    _check(benefit, hours, figures)
    with transaction.atomic():
        row, created = BookingCalendar.objects.select_for_update().get_or_create(
            benefit=benefit,
            store_code=store_code,
            defaults={**figures, "is_active": is_active},
        )
        if not created:
            _fit_slots(row, capacity, at)
            for name, value in figures.items():
                setattr(row, name, value)
            row.is_active = is_active
            row.save(update_fields=[*figures, "is_active"])
        OpeningHours.objects.filter(calendar=row).delete()
        OpeningHours.objects.bulk_create(
            OpeningHours(
                calendar=row,
                weekday=stretch.weekday,
                opens_minute=stretch.opens_minute,
                closes_minute=stretch.closes_minute,
            )
            for stretch in hours
        )
        Benefit.objects.filter(pk=benefit.pk).update(
            by_appointment=queries.is_bookable(benefit_id=benefit.pk)
        )
        record(
            by=by,
            at=at,
            action="calendar.set",
            target_type="benefit",
            target_id=benefit.pk,
            changes={"store": [None, store_code], "capacity": [None, capacity]},
        )
    return row


def _check(benefit: Benefit, hours: Sequence[Hours], figures: dict[str, int]) -> None:
    if benefit.channel != Benefit.Channel.STAFF:
        raise InvalidCalendarError(
            _("Only what your own staff carry out is booked here; partners plan for themselves."),
            pointer="/benefit",
        )
    for name, value in figures.items():
        low, high = _BOUNDS[name]
        if not low <= value <= high:
            raise InvalidCalendarError(
                _("A number from %(low)s to %(high)s is needed.") % {"low": low, "high": high},
                pointer=f"/{name}",
            )
    if not hours:
        raise InvalidCalendarError(_("At least one opening time is needed."), pointer="/hours")
    problem = find_problem(hours, slot_minutes=figures["slot_minutes"])
    if problem is not None:
        index, part = problem
        raise InvalidCalendarError(
            _("These opening times overlap, end before they begin, or hold no appointment."),
            pointer=f"/hours/{index}/{part}",
        )


def _fit_slots(calendar: BookingCalendar, capacity: int, at: datetime) -> None:
    """Give slots to come the new capacity; the one that has more bookings refuses it."""
    coming = Slot.objects.select_for_update().filter(calendar=calendar, starts_at__gt=at)
    too_full = [slot for slot in coming.order_by("starts_at") if slot.booked > capacity]
    if too_full:
        raise CapacityInUseError(
            starts_at=too_full[0].starts_at.isoformat(), booked=too_full[0].booked
        )
    Slot.objects.filter(calendar=calendar, starts_at__gt=at).update(capacity=capacity)


def close_day(
    *, calendar: BookingCalendar, on: date, by: Actor, at: datetime, reason: str = ""
) -> ClosedDay:
    """Take nobody on a day; closing it again changes nothing.

    :raises BookedDayError: if members have appointments on it.
    """
    with transaction.atomic():
        # Whoever books holds the calendar shared: no appointment arrives meanwhile.
        BookingCalendar.objects.select_for_update().get(pk=calendar.pk)
        booked = queries.list_appointments(
            calendars=[calendar], from_on=on, to_on=on + timedelta(days=1)
        )[calendar.pk]
        if booked:
            raise BookedDayError(bookings=len(booked))
        row, created = ClosedDay.objects.get_or_create(
            calendar=calendar, closed_on=on, defaults={"reason": reason[:120]}
        )
        if created:
            _audit_day("calendar.day_closed", calendar, on, by, at, reason)
    return row


def open_day(*, calendar: BookingCalendar, on: date, by: Actor, at: datetime) -> None:
    """Take bookings on a closed day again."""
    with transaction.atomic():
        if ClosedDay.objects.filter(calendar=calendar, closed_on=on).delete()[0]:
            _audit_day("calendar.day_opened", calendar, on, by, at, "")


def _audit_day(
    action: str, calendar: BookingCalendar, on: date, by: Actor, at: datetime, reason: str
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="benefit",
        target_id=calendar.benefit_id,
        changes={"store": [None, calendar.store_code], "day": [None, on.isoformat()]},
        reason=reason,
    )


def book(
    *, benefit_id: int, store_code: str, starts_at: datetime, taken_for: str, at: datetime
) -> Appointment:
    """Take one place of a slot, in the caller's transaction.

    :raises UnknownCalendarError: if the benefit takes no bookings in the store.
    :raises SlotPastError, NoSuchSlotError, SlotFullError: with the next free time.
    """
    with transaction.atomic():
        calendar = _shared(benefit_id, store_code)
        slot_id = _take(calendar, starts_at, at)
        booking = SlotBooking.objects.create(slot_id=slot_id, taken_for=taken_for, made_at=at)
    return queries.appointment_of(booking)


def move(
    *, taken_for: str, benefit_id: int, store_code: str, starts_at: datetime, at: datetime
) -> Appointment:
    """Exchange the place taken for something for another, or change nothing.

    Both slots are locked in the order of their keys, so that two people who change places do not
    wait for each other.

    :raises BookingNotFoundError: if nothing is booked for it.
    :raises UnknownCalendarError, SlotPastError, NoSuchSlotError, SlotFullError: as `book`.
    """
    with transaction.atomic():
        calendar = _shared(benefit_id, store_code)
        old = _locked_booking(taken_for)
        if (old.slot.calendar_id, old.slot.starts_at) == (calendar.pk, starts_at):
            return queries.appointment_of(old)
        Slot.objects.get_or_create(
            calendar=calendar, starts_at=starts_at, defaults={"capacity": calendar.capacity}
        )
        pair = Slot.objects.select_for_update().filter(starts_at=starts_at, calendar=calendar)
        pair |= Slot.objects.select_for_update().filter(pk=old.slot_id)
        list(pair.order_by("pk"))
        slot_id = _take(calendar, starts_at, at)
        _give_back(old, at)
        booking = SlotBooking.objects.create(slot_id=slot_id, taken_for=taken_for, made_at=at)
    return queries.appointment_of(booking)


def cancel(*, taken_for: str, at: datetime) -> bool:
    """Give back the place taken for something; False when none is."""
    with transaction.atomic():
        try:
            booking = _locked_booking(taken_for)
        except BookingNotFoundError:
            return False
        _give_back(booking, at)
    return True


def mark_reminded(*, until: datetime, at: datetime, limit: int = 1_000) -> list[Appointment]:
    """Note that those who come before `until` are reminded now; return them, each once for ever."""
    with transaction.atomic():
        rows = list(
            SlotBooking.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("slot__calendar")
            .filter(
                cancelled_at__isnull=True,
                reminded_at__isnull=True,
                slot__starts_at__gt=at,
                slot__starts_at__lte=until,
            )
            .order_by("pk")[:limit]
        )
        SlotBooking.objects.filter(pk__in=[row.pk for row in rows]).update(reminded_at=at)
    return [queries.appointment_of(row) for row in rows]


def _shared(benefit_id: int, store_code: str) -> BookingCalendar:
    """Return the calendar, which cannot be changed until the caller's transaction ends."""
    calendar = queries.get_calendar(benefit_id=benefit_id, store_code=store_code)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM benefits_bookingcalendar WHERE id = %s FOR SHARE", [calendar.pk]
        )
    calendar.refresh_from_db()
    return calendar


def _take(calendar: BookingCalendar, starts_at: datetime, at: datetime) -> int:
    if starts_at < at + timedelta(minutes=calendar.lead_minutes):
        raise SlotPastError(next_at=_next(calendar, at, None))
    if not _is_offered(calendar, starts_at, at):
        raise NoSuchSlotError(next_at=_next(calendar, at, starts_at))
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {"calendar": calendar.pk, "starts_at": starts_at, "capacity": calendar.capacity},
        )
        taken = cursor.fetchone()
    if taken is None:
        raise SlotFullError(next_at=_next(calendar, at, starts_at))
    return int(taken[0])


def _is_offered(calendar: BookingCalendar, starts_at: datetime, at: datetime) -> bool:
    zone = ZoneInfo(current_brand().timezone)
    on = clock.local_date(starts_at, zone)
    if (on - clock.local_date(at, zone)).days > calendar.horizon_days:
        return False
    if ClosedDay.objects.filter(calendar=calendar, closed_on=on).exists():
        return False
    hours = queries.list_hours(calendar=calendar)
    return starts_at in starts_of_day(hours, on=on, slot_minutes=calendar.slot_minutes, zone=zone)


def _next(calendar: BookingCalendar, at: datetime, since: datetime | None) -> str | None:
    found = queries.next_free_at(calendar=calendar, at=at, since=since)
    return None if found is None else found.isoformat()


def _locked_booking(taken_for: str) -> SlotBooking:
    found = (
        SlotBooking.objects.select_for_update(of=("self",))
        .select_related("slot__calendar")
        .filter(taken_for=taken_for, cancelled_at__isnull=True)
        .first()
    )
    if found is None:
        raise BookingNotFoundError
    return found


def _give_back(booking: SlotBooking, at: datetime) -> None:
    SlotBooking.objects.filter(pk=booking.pk).update(cancelled_at=at)
    Slot.objects.filter(pk=booking.slot_id).update(booked=F("booked") - 1)
