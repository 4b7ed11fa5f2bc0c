"""When jobs fall due: time zones, clock changes, ends of months."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.jobs.schedules import daily, every, monthly

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [
    "UTC", "Asia/Shanghai", "Asia/Hong_Kong", "America/New_York", "Europe/Berlin",
    "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe",
]  # fmt: skip


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "at", "key", "due_at"),
    [
        # A local day, not a UTC day.
        (daily(hour=2), SHANGHAI, _utc(2026, 3, 14, 18), "2026-03-15", _utc(2026, 3, 14, 18)),
        (daily(hour=2), SHANGHAI, _utc(2026, 3, 14, 17, 59), "2026-03-14", _utc(2026, 3, 13, 18)),
        # 29 March 2026: 02:00–03:00 does not exist in Berlin; due at the instant after the gap.
        (daily(hour=2, minute=30), BERLIN, _utc(2026, 3, 29, 1, 30), "2026-03-29", _utc(2026, 3, 29, 1, 30)),
        (daily(hour=2, minute=30), BERLIN, _utc(2026, 3, 29, 1, 29), "2026-03-28", _utc(2026, 3, 28, 1, 30)),
        # 25 October 2026: 02:30 comes twice; due the first time, and once.
        (daily(hour=2, minute=30), BERLIN, _utc(2026, 10, 25, 0, 30), "2026-10-25", _utc(2026, 10, 25, 0, 30)),
        (daily(hour=2, minute=30), BERLIN, _utc(2026, 10, 25, 1, 30), "2026-10-25", _utc(2026, 10, 25, 0, 30)),
        (daily(hour=0), SHANGHAI, _utc(2027, 12, 31, 16), "2028-01-01", _utc(2027, 12, 31, 16)),
        (daily(hour=0), ZoneInfo("UTC"), _utc(2028, 2, 29, 5), "2028-02-29", _utc(2028, 2, 29)),
        # Months.
        (monthly(hour=3), SHANGHAI, _utc(2026, 2, 28, 19), "2026-03", _utc(2026, 2, 28, 19)),
        (monthly(hour=3), SHANGHAI, _utc(2026, 2, 28, 18, 59), "2026-02", _utc(2026, 1, 31, 19)),
        (monthly(day=31), ZoneInfo("UTC"), _utc(2026, 2, 28), "2026-02", _utc(2026, 2, 28)),
        (monthly(day=31), ZoneInfo("UTC"), _utc(2026, 2, 27), "2026-01", _utc(2026, 1, 31)),
        (monthly(day=29), ZoneInfo("UTC"), _utc(2028, 3, 1), "2028-02", _utc(2028, 2, 29)),
        (monthly(), ZoneInfo("UTC"), _utc(2027, 1, 1), "2027-01", _utc(2027, 1, 1)),
        # Minutes.
        (every(minutes=15), SHANGHAI, _utc(2026, 3, 15, 4, 14, 59), "2026-03-15T04:00Z", _utc(2026, 3, 15, 4)),
        (every(minutes=15), BERLIN, _utc(2026, 3, 15, 4, 15), "2026-03-15T04:15Z", _utc(2026, 3, 15, 4, 15)),
        (every(minutes=1440), BERLIN, _utc(2026, 3, 15, 23, 59), "2026-03-15T00:00Z", _utc(2026, 3, 15)),
    ],
)  # fmt: skip
def test_latest_occurrence(schedule, zone, at, key, due_at):
    found = schedule.latest(at=at, zone=zone)

    assert (found.key, found.due_at) == (key, due_at)


@given(
    st.sampled_from(ZONES),
    st.integers(0, 23),
    st.integers(0, 59),
    st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1)),  # noqa: DTZ001
)
def test_every_local_day_has_one_occurrence_in_order(zone, hour, minute, start):
    """Walked hour by hour over three days, keys never go back and never skip a date that exists."""
    schedule, where = daily(hour=hour, minute=minute), ZoneInfo(zone)
    at = start.replace(tzinfo=UTC)
    seen = [schedule.latest(at=at + timedelta(hours=n), zone=where) for n in range(72)]

    for n, one in enumerate(seen):
        assert at - timedelta(hours=51) < one.due_at <= at + timedelta(hours=n)
    assert sorted(one.key for one in seen) == [one.key for one in seen]
    assert len({one.key for one in seen}) in {3, 4}
    assert len({(one.key, one.due_at) for one in seen}) == len({one.key for one in seen})


@pytest.mark.parametrize("minutes", [0, -5, 7, 1441])
def test_minutes_must_divide_a_day(minutes):
    with pytest.raises(ValueError, match="divide"):
        every(minutes=minutes)
