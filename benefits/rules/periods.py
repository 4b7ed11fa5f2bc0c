"""Periods of grant rules in the brand's own days. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from benefits.rules.models import GrantRule

_Cadence = GrantRule.Cadence

# Rules of these cadences are issued by the nightly job; the others by events.
ISSUED_BY_JOB: frozenset[str] = frozenset(
    {
        _Cadence.ONCE,
        _Cadence.WEEKLY,
        _Cadence.MONTHLY,
        _Cadence.QUARTERLY,
        _Cadence.YEARLY,
        _Cadence.BIRTHDAY_MONTH,
        _Cadence.EVERY_N_MONTHS,
    }
)
_MONTHS = {_Cadence.MONTHLY: 1, _Cadence.QUARTERLY: 3, _Cadence.YEARLY: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """A period, half-open `[starts_on, ends_on)`; both empty for what has no period."""

    key: str
    starts_on: date | None
    ends_on: date | None


def period_on(
    *, cadence: str, on: date, every_months: int | None = None, since: date | None = None
) -> Period:
    """Return the period of a cadence that a day lies in.

    `every_n_months` counts months from the month of `since` (the rule's start), or from January
    of year 1 without one. `once` has one period for ever.
    """
    match cadence:
        case _Cadence.ONCE:
            return Period("once", None, None)
        case _Cadence.WEEKLY:
            monday = on - timedelta(days=on.weekday())
            year, week, _day = on.isocalendar()
            return Period(f"{year}-W{week:02d}", monday, monday + timedelta(days=7))
        case _Cadence.BIRTHDAY_MONTH:
            first = on.replace(day=1)
            # The year alone: a corrected birthday brings no second gift in the same year.
            return Period(f"birthday-{on.year}", first, add_months(first, 1))
        case _Cadence.EVERY_N_MONTHS:
            length = every_months or 1
            origin = _month_number(since) if since is not None else 0
            passed = (_month_number(on) - origin) // length
            first = _first_of(origin + passed * length)
            return Period(f"{first:%Y-%m}/{length}", first, add_months(first, length))
        case _Cadence.MONTHLY | _Cadence.QUARTERLY | _Cadence.YEARLY:
            length = _MONTHS[_Cadence(cadence)]
            first = date(on.year, (on.month - 1) // length * length + 1, 1)
            return Period(_key(cadence, first), first, add_months(first, length))
    raise ValueError(f"{cadence} has no periods")


def next_start(
    *, cadence: str, on: date, every_months: int | None = None, since: date | None = None
) -> date | None:
    """Return the first day of the period after the one that `on` lies in, where there is one."""
    if cadence not in ISSUED_BY_JOB or cadence in {_Cadence.ONCE, _Cadence.BIRTHDAY_MONTH}:
        return None
    return period_on(cadence=cadence, on=on, every_months=every_months, since=since).ends_on


def ends_at(
    *, period: Period, on: date, validity_days: int | None, zone: ZoneInfo
) -> datetime | None:
    """Return when a grant made on a brand day ends: at a local midnight, or never.

    `validity_days` counts whole days after the day of the grant; without it the period's end.
    """
    last = on + timedelta(days=validity_days + 1) if validity_days is not None else period.ends_on
    return None if last is None else midnight(last, zone)


def midnight(on: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)


def add_months(first: date, months: int) -> date:
    """Return the first day of a month so many months later."""
    return _first_of(_month_number(first) + months)


def _month_number(on: date) -> int:
    return (on.year - 1) * 12 + on.month - 1


def _first_of(number: int) -> date:
    return date(number // 12 + 1, number % 12 + 1, 1)


def _key(cadence: str, first: date) -> str:
    match cadence:
        case _Cadence.QUARTERLY:
            return f"{first.year}-Q{(first.month + 2) // 3}"
        case _Cadence.YEARLY:
            return f"{first.year}"
    return f"{first:%Y-%m}"
