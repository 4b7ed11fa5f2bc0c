"""Reading calendars: what is free, who comes when."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from benefits.booking._times import starts_of_day
from benefits.booking.errors import UnknownCalendarError
from benefits.booking.models import BookingCalendar, ClosedDay, Slot, SlotBooking
from benefits.booking.values import Appointment, DayOfSlots, FreeSlot, Hours
from core import clock
from tenants.brands.context import current_brand

_MOST_DAYS = 62


def list_calendars(*, benefit_id: int, active_only: bool = True) -> list[BookingCalendar]:
    """Return the calendars of a benefit by store."""
    found = BookingCalendar.objects.filter(benefit_id=benefit_id)
    if active_only:
        found = found.filter(is_active=True)
    return list(found.prefetch_related("hours", "closed_days").order_by("store_code"))


def is_bookable(*, benefit_id: int) -> bool:
    """Return whether a benefit is used by appointment."""
    return BookingCalendar.objects.filter(benefit_id=benefit_id, is_active=True).exists()


def get_calendar(*, benefit_id: int, store_code: str) -> BookingCalendar:
    """Return the active calendar of a benefit in a store.

    :raises UnknownCalendarError: if there is none.
    """
    found = BookingCalendar.objects.filter(
        benefit_id=benefit_id, store_code=store_code, is_active=True
    ).first()
    if found is None:
        raise UnknownCalendarError(store=store_code)
    return found


def list_hours(*, calendar: BookingCalendar) -> list[Hours]:
    """Return the opening hours of a calendar in the order of the week."""
    return sorted(
        Hours(row.weekday, row.opens_minute, row.closes_minute) for row in calendar.hours.all()
    )


def list_closed_days(*, calendar: BookingCalendar, since: date) -> list[ClosedDay]:
    """Return the closed days from a day on."""
    found = [row for row in calendar.closed_days.all() if row.closed_on >= since]
    return sorted(found, key=lambda row: row.closed_on)


def list_free_slots(
    *, calendar: BookingCalendar, from_on: date, days: int, at: datetime
) -> list[DayOfSlots]:
    """Return the days from `from_on` on, each with the times that can be booked at `at`.

    Three queries, however many days; at most 62 days, none past the calendar's horizon.
    """
    zone = ZoneInfo(current_brand().timezone)
    today = clock.local_date(at, zone)
    first = max(from_on, today)
    last = min(
        first + timedelta(days=min(days, _MOST_DAYS)),
        today + timedelta(days=calendar.horizon_days + 1),
    )
    if first >= last:
        return []
    hours = list_hours(calendar=calendar)
    closed = {row.closed_on for row in list_closed_days(calendar=calendar, since=first)}
    taken = _taken(calendar, first, last, zone)
    earliest = at + timedelta(minutes=calendar.lead_minutes)
    found = []
    for number in range((last - first).days):
        on = first + timedelta(days=number)
        starts = (
            ()
            if on in closed
            else starts_of_day(hours, on=on, slot_minutes=calendar.slot_minutes, zone=zone)
        )
        found.append(DayOfSlots(on, tuple(_free(starts, taken, calendar.capacity, earliest))))
    return found


def _taken(
    calendar: BookingCalendar, first: date, last: date, zone: ZoneInfo
) -> Mapping[datetime, tuple[int, int]]:
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    end = datetime(last.year, last.month, last.day, tzinfo=zone)
    rows = Slot.objects.filter(calendar=calendar, starts_at__gte=begin, starts_at__lt=end)
    return {row.starts_at: (row.capacity, row.booked) for row in rows}


def _free(
    starts: Iterable[datetime],
    taken: Mapping[datetime, tuple[int, int]],
    capacity: int,
    earliest: datetime,
) -> Iterable[FreeSlot]:
    for starts_at in starts:
        places, booked = taken.get(starts_at, (capacity, 0))
        if starts_at >= earliest and booked < places:
            yield FreeSlot(starts_at, places - booked)


def next_free_at(
    *, calendar: BookingCalendar, at: datetime, since: datetime | None = None
) -> datetime | None:
    """Return the first time that can be booked, after `since` where given; None when none can."""
    zone = ZoneInfo(current_brand().timezone)
    from_on = clock.local_date(max(since or at, at), zone)
    for day in list_free_slots(calendar=calendar, from_on=from_on, days=_MOST_DAYS, at=at):
        for slot in day.slots:
            if since is None or slot.starts_at > since:
                return slot.starts_at
    return None


def get_appointment(*, taken_for: str) -> Appointment | None:
    """Return what is booked for something; None when nothing is."""
    found = _bookings().filter(taken_for=taken_for).first()
    return None if found is None else appointment_of(found)


def list_appointments(
    *, calendars: Sequence[BookingCalendar], from_on: date, to_on: date
) -> dict[int, list[Appointment]]:
    """Return the appointments of the days [`from_on`, `to_on`) by calendar, in their order."""
    zone = ZoneInfo(current_brand().timezone)
    rows = _bookings().filter(
        Q(slot__starts_at__gte=datetime(from_on.year, from_on.month, from_on.day, tzinfo=zone)),
        Q(slot__starts_at__lt=datetime(to_on.year, to_on.month, to_on.day, tzinfo=zone)),
        slot__calendar__in=calendars,
    )
    found: dict[int, list[Appointment]] = {calendar.pk: [] for calendar in calendars}
    for row in rows.order_by("slot__starts_at", "pk"):
        found[row.slot.calendar_id].append(appointment_of(row))
    return found


def _bookings() -> QuerySet[SlotBooking]:
    return SlotBooking.objects.filter(cancelled_at__isnull=True).select_related("slot__calendar")


def appointment_of(booking: SlotBooking) -> Appointment:
    """Return a booking without its rows."""
    calendar, starts_at = booking.slot.calendar, booking.slot.starts_at
    return Appointment(
        taken_for=booking.taken_for,
        store_code=calendar.store_code,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=calendar.slot_minutes),
        change_until=starts_at - timedelta(minutes=calendar.change_minutes),
    )
