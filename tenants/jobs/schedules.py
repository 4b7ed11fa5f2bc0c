"""When jobs fall due, in a brand's own time zone. Pure: takes instants, returns instants."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a job falls due; `key` names the period and makes it happen once."""

    key: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Daily or monthly at a local time of day, or every so many minutes.

    A local time that a day skips (clocks go forward) falls due at the instant after the gap;
    one that a day has twice falls due the first time. The key is the local date, so a day or
    month has exactly one occurrence either way.
    """

    unit: Literal["day", "month", "minutes"]
    hour: int = 0
    minute: int = 0
    day: int = 1
    minutes: int = 0

    @staticmethod
    def daily(*, hour: int, minute: int = 0) -> "Schedule":
        """Once a day at a local time."""
        return Schedule(unit="day", hour=hour, minute=minute)

    @staticmethod
    def monthly(*, day: int = 1, hour: int = 0, minute: int = 0) -> "Schedule":
        """Once a month; a day past the end of a month means its last day."""
        return Schedule(unit="month", day=day, hour=hour, minute=minute)

    @staticmethod
    def every(*, minutes: int) -> "Schedule":
        """Every so many minutes, counted from midnight UTC; `minutes` divides a day."""
        if minutes < 1 or 1440 % minutes:
            raise ValueError("minutes must divide a day")
        return Schedule(unit="minutes", minutes=minutes)

    def latest(self, *, at: datetime, zone: ZoneInfo) -> Occurrence:
        """Return the last occurrence that is not after `at`.

        Earlier ones that were missed are not made up for: each job brings its brand up to date.
        """
        if self.unit == "minutes":
            instant = at.astimezone(UTC)
            passed = instant.hour * 60 + instant.minute
            start = instant.replace(hour=0, minute=0, second=0, microsecond=0)
            due_at = start + timedelta(minutes=passed - passed % self.minutes)
            return Occurrence(key=due_at.strftime("%Y-%m-%dT%H:%MZ"), due_at=due_at)
        today = at.astimezone(zone).date()
        on = today if self.unit == "day" else self._day_of_month(today)
        if self._instant(on, zone) > at:
            before = today - timedelta(days=1)
            if self.unit == "month":
                before = self._day_of_month(today.replace(day=1) - timedelta(days=1))
            on = before
        key = on.isoformat() if self.unit == "day" else on.strftime("%Y-%m")
        return Occurrence(key=key, due_at=self._instant(on, zone))

    def _day_of_month(self, on: date) -> date:
        return on.replace(day=min(self.day, monthrange(on.year, on.month)[1]))

    def _instant(self, on: date, zone: ZoneInfo) -> datetime:
        return datetime.combine(on, time(self.hour, self.minute), tzinfo=zone).astimezone(UTC)


daily = Schedule.daily
monthly = Schedule.monthly
every = Schedule.every
