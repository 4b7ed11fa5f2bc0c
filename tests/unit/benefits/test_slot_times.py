"""Opening hours become instants; the clock's two odd nights included."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from benefits.booking._times import find_problem, starts_of_day
from benefits.booking.values import Hours

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
SUNDAY = 6


def _walls(hours: list[Hours], on: date, minutes: int, zone: ZoneInfo) -> list[str]:
    found = starts_of_day(hours, on=on, slot_minutes=minutes, zone=zone)
    return [f"{instant.astimezone(zone):%H:%M}" for instant in found]


def test_appointments_fit_wholly_into_the_hours_of_the_weekday() -> None:
    monday = [Hours(0, 600, 700), Hours(0, 540, 570), Hours(1, 540, 600)]
    on = date(2026, 3, 16)  # a Monday
    assert _walls(monday, on, 30, SHANGHAI) == ["09:00", "10:00", "10:30", "11:00"]
    assert _walls(monday, on.replace(day=17), 30, SHANGHAI) == ["09:00", "09:30"]
    assert _walls(monday, on.replace(day=18), 30, SHANGHAI) == []
    (first, *_rest) = starts_of_day(monday, on=on, slot_minutes=30, zone=SHANGHAI)
    assert first == datetime(2026, 3, 16, 1, 0, tzinfo=UTC)


def test_the_hour_that_summer_time_leaves_out_is_left_out() -> None:
    night = [Hours(SUNDAY, 60, 240)]
    assert _walls(night, date(2026, 3, 8), 60, NEW_YORK) == ["01:00", "03:00"]


def test_the_hour_that_comes_twice_is_meant_once() -> None:
    night = [Hours(SUNDAY, 60, 180)]
    found = list(starts_of_day(night, on=date(2026, 11, 1), slot_minutes=60, zone=NEW_YORK))
    assert found == [
        datetime(2026, 11, 1, 5, 0, tzinfo=UTC),  # 01:00 the first time
        datetime(2026, 11, 1, 7, 0, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        ([Hours(0, 540, 600), Hours(0, 600, 660)], None),
        ([Hours(0, 540, 600), Hours(1, 540, 600)], None),
        ([Hours(7, 540, 600)], (0, "weekday")),
        ([Hours(0, 600, 600)], (0, "closes")),
        ([Hours(0, 540, 1_441)], (0, "closes")),
        ([Hours(0, 540, 569)], (0, "closes")),
        ([Hours(0, 540, 600), Hours(0, 570, 660)], (1, "opens")),
    ],
)
def test_hours_that_can_not_be_are_named(
    hours: list[Hours], problem: tuple[int, str] | None
) -> None:
    assert find_problem(hours, slot_minutes=30) == problem
