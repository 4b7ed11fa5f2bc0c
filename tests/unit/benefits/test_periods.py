"""Periods of rules: exact days, month ends, leap years, clocks that change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from benefits.rules.periods import Period, ends_at, next_start, period_on

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("cadence", "on", "expected"),
    [
        ("monthly", date(2026, 3, 1), Period("2026-03", date(2026, 3, 1), date(2026, 4, 1))),
        ("monthly", date(2026, 12, 31), Period("2026-12", date(2026, 12, 1), date(2027, 1, 1))),
        ("monthly", date(2024, 2, 29), Period("2024-02", date(2024, 2, 1), date(2024, 3, 1))),
        ("quarterly", date(2026, 3, 31), Period("2026-Q1", date(2026, 1, 1), date(2026, 4, 1))),
        ("quarterly", date(2026, 10, 1), Period("2026-Q4", date(2026, 10, 1), date(2027, 1, 1))),
        ("yearly", date(2026, 7, 9), Period("2026", date(2026, 1, 1), date(2027, 1, 1))),
        ("weekly", date(2026, 3, 15), Period("2026-W11", date(2026, 3, 9), date(2026, 3, 16))),
        # The first days of 2027 belong to the last week of 2026.
        ("weekly", date(2027, 1, 3), Period("2026-W53", date(2026, 12, 28), date(2027, 1, 4))),
        (
            "birthday_month",
            date(2026, 3, 15),
            Period("birthday-2026", date(2026, 3, 1), date(2026, 4, 1)),
        ),
        ("once", date(2026, 3, 15), Period("once", None, None)),
    ],
)
def test_period_on(cadence: str, on: date, expected: Period) -> None:
    assert period_on(cadence=cadence, on=on) == expected


@pytest.mark.parametrize(
    ("on", "key", "starts_on", "ends_on"),
    [
        (date(2026, 2, 28), "2026-02/3", date(2026, 2, 1), date(2026, 5, 1)),
        (date(2026, 4, 30), "2026-02/3", date(2026, 2, 1), date(2026, 5, 1)),
        (date(2026, 5, 1), "2026-05/3", date(2026, 5, 1), date(2026, 8, 1)),
        (date(2027, 1, 31), "2026-11/3", date(2026, 11, 1), date(2027, 2, 1)),
        # Before the rule began, the same grid goes on.
        (date(2026, 1, 31), "2025-11/3", date(2025, 11, 1), date(2026, 2, 1)),
    ],
)
def test_every_n_months_counts_from_the_rules_month(
    on: date, key: str, starts_on: date, ends_on: date
) -> None:
    found = period_on(cadence="every_n_months", on=on, every_months=3, since=date(2026, 2, 17))
    assert found == Period(key, starts_on, ends_on)


def test_every_day_lies_in_exactly_one_period_of_each_cadence() -> None:
    days = [date.fromordinal(date(2023, 12, 1).toordinal() + n) for n in range(800)]
    for cadence in ("weekly", "monthly", "quarterly", "yearly", "every_n_months"):
        every = 5 if cadence == "every_n_months" else None
        seen: dict[str, tuple[date | None, date | None]] = {}
        for day in days:
            period = period_on(cadence=cadence, on=day, every_months=every, since=days[0])
            assert period.starts_on is not None
            assert period.ends_on is not None
            assert period.starts_on <= day < period.ends_on
            assert seen.setdefault(period.key, (period.starts_on, period.ends_on)) == (
                period.starts_on,
                period.ends_on,
            )


def test_events_have_no_period() -> None:
    with pytest.raises(ValueError, match="on_join"):
        period_on(cadence="on_join", on=date(2026, 3, 15))


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        ("monthly", date(2026, 4, 1)),
        ("weekly", date(2026, 3, 16)),
        ("once", None),
        ("birthday_month", None),
        ("on_purchase", None),
    ],
)
def test_next_start(cadence: str, expected: date | None) -> None:
    assert next_start(cadence=cadence, on=date(2026, 3, 15)) == expected


def test_a_grant_ends_at_the_brands_midnight() -> None:
    period = Period("2026-03", date(2026, 3, 1), date(2026, 4, 1))
    on = date(2026, 3, 15)

    # New York is four hours behind UTC from 8 March on, Shanghai always eight ahead.
    assert ends_at(period=period, on=on, validity_days=None, zone=SHANGHAI) == datetime(
        2026, 3, 31, 16, tzinfo=UTC
    )
    assert ends_at(period=period, on=on, validity_days=None, zone=NEW_YORK) == datetime(
        2026, 4, 1, 4, tzinfo=UTC
    )
    assert ends_at(period=period, on=on, validity_days=30, zone=NEW_YORK) == datetime(
        2026, 4, 15, 4, tzinfo=UTC
    )
    assert (
        ends_at(period=Period("join", None, None), on=on, validity_days=None, zone=SHANGHAI) is None
    )
