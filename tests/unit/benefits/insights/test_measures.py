"""Measures by hand; months at their edges."""

from datetime import UTC, date, datetime

import pytest

from benefits.insights.measures import nps, share, triangle
from benefits.insights.months import first_of, last_months, month_of
from benefits.insights.operations import low_streak


def test_a_share_of_nothing_is_no_data() -> None:
    assert share(0, 0) is None
    assert share(3, 0) is None
    assert share(0, 5) == 0.0
    assert share(3, 12) == 0.25


def test_nps_is_promoters_less_detractors() -> None:
    assert nps(5, 2, 10) == 30
    assert nps(0, 10, 10) == -100
    assert nps(0, 0, 0) is None


def test_the_triangle_is_the_cube_root_of_its_corners() -> None:
    # u = 0.2, n = (60 + 100) / 200 = 0.8, r = 0.5: the root of 0.08.
    assert triangle(0.2, 60, 0.5) == pytest.approx(0.08 ** (1 / 3))
    assert triangle(None, 60, 0.5) is None
    assert triangle(0.2, None, 0.5) is None


@pytest.mark.parametrize(
    ("values", "streak"),
    [
        ([], 0),
        ([0.5, 0.14], 1),
        ([0.5, 0.14, 0.149], 2),
        ([0.1, 0.15, 0.1], 1),
        ([0.1, 0.15], 0),
        ([0.1, None, 0.1], 1),
        ([0.1, 0.1, None], 0),
        ([0.1] * 13, 13),
    ],
)
def test_low_months_in_a_row(values: list[float | None], streak: int) -> None:
    assert low_streak(values) == streak


def test_months_go_round_the_year() -> None:
    assert first_of(date(2026, 1, 31), back=1) == date(2025, 12, 1)
    assert first_of(date(2026, 12, 1), back=-1) == date(2027, 1, 1)
    assert last_months(date(2026, 2, 10), 3) == [
        date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1),
    ]  # fmt: skip


def test_a_month_begins_at_the_brands_midnight() -> None:
    month = month_of(date(2026, 3, 20), "America/New_York")
    assert month.starts_at == datetime(2026, 3, 1, 5, tzinfo=UTC)
    # Clocks went forward on 8 March.
    assert month.ends_at == datetime(2026, 4, 1, 4, tzinfo=UTC)
    assert month.days90 == date(2026, 1, 1)
