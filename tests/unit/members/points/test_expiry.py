"""Until when points are good."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.points.expiry import expires_on
from members.points.models import NEVER

days = st.dates(min_value=date(2000, 1, 1), max_value=date(2200, 12, 31))


@pytest.mark.parametrize(
    ("policy", "months", "earned_on", "last_good_day"),
    [
        ("none", 0, date(2026, 3, 15), NEVER),
        ("months", 12, date(2026, 3, 15), date(2027, 3, 15)),
        ("months", 1, date(2026, 1, 31), date(2026, 2, 28)),
        ("months", 1, date(2028, 1, 31), date(2028, 2, 29)),
        ("months", 12, date(2028, 2, 29), date(2029, 2, 28)),
        ("months", 48, date(2028, 2, 29), date(2032, 2, 29)),
        ("months", 1, date(2026, 12, 31), date(2027, 1, 31)),
        ("end_of_month", 0, date(2026, 2, 1), date(2026, 2, 28)),
        ("end_of_month", 0, date(2028, 2, 29), date(2028, 2, 29)),
        ("end_of_month", 1, date(2026, 1, 31), date(2026, 2, 28)),
        ("end_of_month", 24, date(2026, 2, 10), date(2028, 2, 29)),
        ("end_of_quarter", 0, date(2026, 1, 1), date(2026, 3, 31)),
        ("end_of_quarter", 0, date(2026, 3, 31), date(2026, 3, 31)),
        ("end_of_quarter", 12, date(2026, 11, 22), date(2027, 12, 31)),
        ("end_of_year", 0, date(2026, 12, 31), date(2026, 12, 31)),
        ("end_of_year", 1, date(2026, 12, 31), date(2027, 12, 31)),
        ("end_of_year", 12, date(2026, 1, 1), date(2027, 12, 31)),
    ],
)
def test_last_good_day(policy: str, months: int, earned_on: date, last_good_day: date) -> None:
    assert expires_on(policy=policy, months=months, earned_on=earned_on) == last_good_day


@given(earned_on=days, months=st.integers(0, 60))
def test_ends_lie_on_or_after_the_plain_number_of_months(earned_on: date, months: int) -> None:
    plain = expires_on(policy="months", months=months, earned_on=earned_on)
    month = expires_on(policy="end_of_month", months=months, earned_on=earned_on)
    quarter = expires_on(policy="end_of_quarter", months=months, earned_on=earned_on)
    year = expires_on(policy="end_of_year", months=months, earned_on=earned_on)
    assert earned_on <= plain <= month <= quarter <= year
    assert (year.month, year.day) == (12, 31)
    assert quarter.month in {3, 6, 9, 12}
    assert (plain.year * 12 + plain.month) - (earned_on.year * 12 + earned_on.month) == months
