"""What the values of a brand's own attributes may be."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.profiles._attributes import (
    apply_changes,
    clean_choices,
    clean_definition,
    clean_value,
    read_text,
    refuse_missing,
)
from members.profiles.errors import InvalidAttributeError, InvalidMemberError
from members.profiles.values import Attribute, AttributeType, Choice

SKIN = Attribute(
    code="skin",
    type=AttributeType.CHOICE,
    label={"en": "Skin"},
    choices=(Choice("dry", {"en": "Dry", "zh-hans": "干性"}), Choice("oily", {"en": "Oily"})),
)


def of(type_: str, **options: Any) -> Attribute:
    return Attribute(code="x", type=AttributeType(type_), label={"en": "X"}, **options)


@pytest.mark.parametrize(
    ("attribute", "given_", "stored"),
    [
        (of("text"), "  été ", "été"),
        (of("number"), 12, 12),
        (of("number"), 12.0, 12),
        (of("number"), Decimal("0.5"), 0.5),
        (of("number"), -0.000001, -0.000001),
        (of("date"), "2026-02-28", "2026-02-28"),
        (of("date"), date(2026, 2, 28), "2026-02-28"),
        (of("boolean"), False, False),
        (SKIN, "dry", "dry"),
    ],
)
def test_values_are_stored_by_their_type(attribute: Attribute, given_: object, stored: Any) -> None:
    found = clean_value(attribute, given_)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (of("text"), 1),
        (of("text"), "  "),
        (of("text"), "a\nb"),
        (of("text"), "x" * 501),
        (of("text"), "\ud800"),
        (of("number"), "12"),
        (of("number"), True),
        (of("number"), float("nan")),
        (of("number"), float("inf")),
        (of("number"), 10**12),
        (of("number"), 0.0000001),
        (of("number"), Decimal("12345678901.123456")),
        (of("date"), "28.02.2026"),
        (of("date"), "2026-02-30"),
        (of("date"), date(1899, 12, 31)),
        (of("date"), datetime(2026, 1, 1)),  # noqa: DTZ001
        (of("boolean"), 1),
        (of("boolean"), "yes"),
        (SKIN, "Dry"),
        (SKIN, ["dry"]),
        (SKIN, "sensitive"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_place(
    attribute: Attribute, value: object
) -> None:
    with pytest.raises(InvalidMemberError) as refused:
        clean_value(attribute, value)
    assert refused.value.data == {"pointer": f"/attributes/{attribute.code}"}


@pytest.mark.parametrize(
    ("attribute", "text", "value"),
    [
        (of("number"), "1,250.5", 1250.5),
        (of("boolean"), "是", True),
        (of("boolean"), "No", False),
        (SKIN, "干性", "dry"),
        (SKIN, "OILY", "oily"),
        (of("date"), " 2026-03-15 ", "2026-03-15"),
    ],
)
def test_texts_of_files_are_read(attribute: Attribute, text: str, value: object) -> None:
    assert clean_value(attribute, read_text(attribute, text)) == value


@pytest.mark.parametrize(
    ("attribute", "text"), [(of("number"), "many"), (of("boolean"), "maybe"), (SKIN, "soft")]
)
def test_texts_that_stand_for_nothing_are_refused(attribute: Attribute, text: str) -> None:
    with pytest.raises(InvalidMemberError):
        clean_value(attribute, read_text(attribute, text))


@given(st.decimals(-(10**9) + 1, 10**9 - 1, places=6))
def test_a_number_is_stored_exactly(number: Decimal) -> None:
    stored = clean_value(of("number"), number)
    assert Decimal(str(stored)) == number
    assert clean_value(of("number"), stored) == stored


def test_changes_replace_empty_and_leave_the_rest() -> None:
    attributes = {"skin": SKIN, "size": of("number"), "old": of("text", is_active=False)}
    old = {"skin": "dry", "size": 3, "old": "kept", "gone": "kept"}
    assert apply_changes(old=old, given={"skin": "oily", "size": None}, attributes=attributes) == {
        "skin": "oily",
        "old": "kept",
        "gone": "kept",
    }
    assert old["size"] == 3
    assert apply_changes(old=old, given={"old": "kept"}, attributes=attributes) == old
    for wrong in ({"old": "new"}, {"nobody": 1}, {"old": None}):
        with pytest.raises(InvalidMemberError):
            apply_changes(old=old, given=wrong, attributes=attributes)


def test_a_required_value_can_be_changed_but_not_emptied() -> None:
    required = of("text", is_required=True)
    attributes = {"x": required}
    assert apply_changes(old={"x": "a"}, given={"x": "b"}, attributes=attributes) == {"x": "b"}
    with pytest.raises(InvalidMemberError):
        apply_changes(old={"x": "a"}, given={"x": ""}, attributes=attributes)
    with pytest.raises(InvalidMemberError) as missing:
        refuse_missing({}, attributes=[required])
    assert missing.value.data == {"pointer": "/attributes/x"}
    refuse_missing({}, attributes=[of("text", is_required=True, is_active=False)])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": "Skin"}, "/code"),
        ({"code": "1st"}, "/code"),
        ({"code": "x" * 41}, "/code"),
        ({"type": "colour"}, "/type"),
        ({"label": {}}, "/label"),
        ({"label": {"en": "x" * 81}}, "/label/en"),
        ({"choices": []}, "/choices"),
        ({"choices": "ab"}, "/choices"),
        ({"choices": [{"code": "a b", "label": {"en": "A"}}]}, "/choices/0/code"),
        ({"choices": [{"code": "a", "label": {}}]}, "/choices/0/label"),
        ({"choices": [{"code": "a", "label": {"en": "A"}}] * 2}, "/choices"),
        ({"type": "text"}, "/choices"),
    ],
)
def test_a_definition_is_refused_by_its_place(change: dict[str, Any], pointer: str) -> None:
    parts: dict[str, Any] = {
        "code": "skin",
        "type": "choice",
        "label": {"en": "Skin"},
        "choices": [{"code": "dry", "label": {"en": "Dry"}}],
    }
    with pytest.raises(InvalidAttributeError) as refused:
        clean_definition(**parts | change)
    assert refused.value.data["pointer"] == pointer


def test_choices_keep_their_order() -> None:
    found = clean_choices(
        [{"code": code, "label": {"EN": f" {code} "}} for code in "ba"], AttributeType.CHOICE
    )
    assert found == (Choice("b", {"en": "b"}), Choice("a", {"en": "a"}))
