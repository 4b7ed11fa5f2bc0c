"""Where a budget's spend leads, by hand."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from benefits.budget.tracker import Projection, project

TODAY, END = date(2026, 3, 11), date(2026, 4, 1)  # 21 days left


def test_a_steady_spend_goes_on_without_a_band() -> None:
    found = project(daily_spend=[100] * 28, spent=2_800, total=10_000, today=TODAY, ends_on=END)
    assert found == Projection(
        burn_per_day=100, exhausted_on=None, low=4_900, expected=4_900, high=4_900
    )


def test_the_day_of_exhaustion_lies_within_the_period() -> None:
    found = project(daily_spend=[500] * 10, spent=5_000, total=10_000, today=TODAY, ends_on=END)
    assert found.exhausted_on == date(2026, 3, 21)


def test_the_band_is_one_deviation_of_the_days_left() -> None:
    # Mean 100, variance 10,000, 21 days left: the root of 210,000 is 458.
    found = project(daily_spend=[0, 200] * 14, spent=2_800, total=10_000, today=TODAY, ends_on=END)
    assert (found.expected, found.low, found.high) == (4_900, 4_442, 5_358)


def test_only_the_last_28_days_count() -> None:
    found = project(
        daily_spend=[9_000] + [10] * 28, spent=9_280, total=20_000, today=TODAY, ends_on=END
    )
    assert found.burn_per_day == 10


def test_the_first_day_has_no_pace() -> None:
    found = project(daily_spend=[], spent=0, total=10_000, today=TODAY, ends_on=END)
    assert found == Projection(0, None, 0, 0, 0)


def test_an_ended_period_projects_what_was_spent() -> None:
    found = project(daily_spend=[100] * 28, spent=700, total=1_000, today=END, ends_on=END)
    assert (found.expected, found.exhausted_on) == (700, None)


@given(
    daily=st.lists(st.integers(0, 10**9), max_size=60),
    spent=st.integers(0, 10**11),
    total=st.integers(1, 10**12),
)
def test_the_band_holds_what_is_expected(daily: list[int], spent: int, total: int) -> None:
    found = project(daily_spend=daily, spent=spent, total=total, today=TODAY, ends_on=END)
    assert spent <= found.low <= found.expected <= found.high
