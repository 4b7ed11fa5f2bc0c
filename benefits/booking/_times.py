"""From opening hours to instants. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from benefits.booking.values import Hours


def starts_of_day(
    hours: Iterable[Hours], *, on: date, slot_minutes: int, zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield the instants at which an appointment begins on a day, in order.

    Appointments fit wholly into a stretch of opening hours by the clock on the wall. A time that
    the change to summer time leaves out is left out; one that comes twice in autumn is meant
    the first time.
    """
    midnight = datetime.combine(on, time())
    for stretch in sorted(hours):
        if stretch.weekday != on.weekday():
            continue
        minute = stretch.opens_minute
        while minute + slot_minutes <= stretch.closes_minute:
            wall = midnight + timedelta(minutes=minute)
            instant = wall.replace(tzinfo=zone).astimezone(UTC)
            if instant.astimezone(zone).replace(tzinfo=None) == wall:
                yield instant
            minute += slot_minutes


def find_problem(hours: Iterable[Hours], *, slot_minutes: int) -> tuple[int, str] | None:
    """Return the place of the first stretch that can not be, and which part; None when all can."""
    seen: list[Hours] = []
    for index, stretch in enumerate(hours):
        if not 0 <= stretch.weekday <= 6:
            return index, "weekday"
        if not 0 <= stretch.opens_minute < stretch.closes_minute <= 1_440:
            return index, "closes"
        if stretch.closes_minute - stretch.opens_minute < slot_minutes:
            return index, "closes"
        for other in seen:
            if (
                other.weekday == stretch.weekday
                and other.opens_minute < stretch.closes_minute
                and stretch.opens_minute < other.closes_minute
            ):
                return index, "opens"
        seen.append(stretch)
    return None
