"""Days as members read them: without the year where it goes without saying."""

from datetime import date, datetime, timedelta

from core import clock
from core.templatetags.tessera import day, day_short
from tenants.brands.context import current_brand

# Within this time a day and a month name one day only.
_NEAR = timedelta(days=300)


def near_day(value: date | datetime) -> str:
    """Return `1 Dec` for a day that is near, and `1 Dec 2028` for one that is not."""
    zone = current_brand().timezone
    found = clock.local_date(value, zone) if isinstance(value, datetime) else value
    return day_short(found) if abs(found - clock.today(zone)) < _NEAR else day(found)


def last_day(ends_at: datetime) -> str:
    """Return the last day before an end that is not included: midnight belongs to the day before."""
    return near_day(ends_at - timedelta(microseconds=1))
