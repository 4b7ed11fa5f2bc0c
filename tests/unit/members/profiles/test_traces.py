"""Values of a person are found in texts, however written, and taken out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.profiles._traces import GONE, Traces, mentions, texts_in, worth_seeking

VALUES = ["wang@example.com", "+8613800138000", "王小明", "CUST-77812", "Li"]


@pytest.mark.parametrize(
    "text",
    [
        "Called 王小明 back",
        "mail to WANG@example.com",
        "phone 138-0013-8000",
        "(+86) 138 0013 8000",
        "see cust-77812",
        "Li was angry",
        "１３８００１３８０００",
    ],
)
def test_a_text_that_names_the_person_is_found(text: str) -> None:
    assert mentions(text, VALUES)


@pytest.mark.parametrize(
    "text", ["A goodwill gesture", "Line 4 of the list", "王先生", "order 138", ""]
)
def test_other_texts_pass(text: str) -> None:
    assert not mentions(text, VALUES)


def test_values_go_from_json_and_their_neighbours_stay() -> None:
    content: dict[str, Any] = {
        "name": "Li",
        "list": "Link",
        "deep": [{"to": "x wang@example.com y"}, 13800138000, None, True],
        "王小明": "key",
    }
    assert Traces(tuple(VALUES)).clean_json(content) == {
        "name": GONE,
        "list": "Link",
        "deep": [{"to": f"x {GONE} y"}, 13800138000, None, True],
        "王小明": "key",
    }


def test_words_go_as_a_whole_and_are_stored_apart() -> None:
    traces = Traces(("王小明",), ("ring twice",))
    assert Traces.from_stored(traces.as_stored()) == traces
    assert traces.clean_json(["ring twice", "please ring twice"]) == [GONE, "please ring twice"]


def test_values_worth_seeking_are_distinct_and_longest_first() -> None:
    assert worth_seeking(["a", "bb", None, "", "ccc", "bb", 7]) == ["ccc", "bb"]


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
)


@given(_JSON, st.lists(st.text(alphabet="abc王小明@", min_size=6, max_size=8), max_size=3))
def test_nothing_telling_is_left(content: Any, values: list[str]) -> None:
    planted = {"content": content, "planted": [f"x{value}y" for value in values]}
    cleaned = Traces(tuple(values)).clean_json(planted)

    assert not [text for text in texts_in(cleaned) for value in values if value in text]
    assert Traces().clean_json(content) == content
