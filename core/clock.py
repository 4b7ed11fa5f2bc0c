"""The one place that reads the time; only edges (views, commands, tasks) call it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

_fixed: ContextVar[datetime | None] = ContextVar("fixed_clock", default=None)


def now() -> datetime:
    """Return the present instant, aware, in UTC; or the instant set by `at`."""
    return _fixed.get() or timezone.now()


def today(zone: str | ZoneInfo) -> date:
    """Return today's date in the given time zone."""
    return local_date(now(), zone)


def local_date(instant: datetime, zone: str | ZoneInfo) -> date:
    """Return the calendar date of an aware instant in the given time zone."""
    return instant.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone).date()


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Set the clock inside the block; for tests and for making the demo's history."""
    token = _fixed.set(instant)
    try:
        yield
    finally:
        _fixed.reset(token)
