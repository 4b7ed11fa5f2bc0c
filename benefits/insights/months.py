"""Calendar months in a brand's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month: its days `[first, after)` and the instants `[starts_at, ends_at)`."""

    first: date
    after: date
    starts_at: datetime
    ends_at: datetime

    @property
    def key(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def days90(self) -> date:
        """Return the first of the 90 days that end with this month."""
        return self.after - timedelta(days=90)


def first_of(day: date, *, back: int = 0) -> date:
    """Return the first day of the month `back` months before the day's own."""
    index = day.year * 12 + day.month - 1 - back
    return date(index // 12, index % 12 + 1, 1)


def month_of(day: date, zone: str) -> Month:
    """Return the month that holds the day."""
    first = first_of(day)
    after = first_of(day, back=-1)
    tz = ZoneInfo(zone)
    return Month(
        first=first,
        after=after,
        starts_at=datetime(first.year, first.month, 1, tzinfo=tz),
        ends_at=datetime(after.year, after.month, 1, tzinfo=tz),
    )


def last_months(day: date, count: int) -> list[date]:
    """Return the first days of the last `count` months, the day's own the last."""
    return [first_of(day, back=back) for back in range(count - 1, -1, -1)]
