"""Parts of names in any script are found by their grams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.profiles._names import MAX_GRAMS, fold, grams, needed


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("王小明", ["小", "小明", "明", "王", "王小"]),
        ("Li", ["li"]),
        ("A", []),
        ("", []),
        ("ＡＢ", ["ab"]),
        ("Jo  An", [" a", "an", "jo", "o "]),
    ],
)
def test_grams_of_a_name(name: str, found: list[str]) -> None:
    assert grams(name) == sorted(found)


def test_a_single_letter_says_nothing_but_a_single_character_does() -> None:
    assert needed("a") == []
    assert needed("王") == ["王"]


@given(st.text(max_size=120), st.integers(0, 120), st.integers(0, 120))
def test_a_part_needs_no_gram_that_its_name_lacks(name: str, start: int, length: int) -> None:
    folded = fold(name)
    part = folded[start : start + length]
    if fold(part) == part and len(grams(name)) < MAX_GRAMS:
        assert set(needed(part)) <= set(grams(name))
