"""Quintile boundaries from counts, as `percentile_disc` gives them from the values."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from members.segments._rolling import pick, ranks


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_boundaries_are_the_values_at_their_places(values: list[int]) -> None:
    ordered = sorted(values)
    # The place is ⌈q·n⌉, counted from one; in whole numbers, so without rounding.
    expected = [ordered[-(-step * len(values) // 5) - 1] for step in (1, 2, 3, 4)]
    assert pick(Counter(values), ranks(len(values))) == expected


def test_without_values_there_are_no_boundaries() -> None:
    assert pick({}, ranks(0)) == []
