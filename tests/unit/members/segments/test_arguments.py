"""Fields with arguments, days, numbers, paths and yes/no: what parses, where it is wrong."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.segments.conditions import (
    Argument,
    Catalogue,
    ConditionError,
    Field,
    FieldType,
    Labels,
    Template,
    describe,
    evaluate,
    parse,
    to_tree,
)
from members.segments.conditions.naming import key_of, read_key


def _bind(args: Any, alias: str) -> tuple[str, str]:
    return f"{alias}.n", f"LEFT JOIN x AS {alias} ON TRUE"


NAMES = {"tea": "Tea box", "50%": "Half off"}
CATALOGUE = Catalogue()
CATALOGUE.add(Field(name="born", type=FieldType.DATE, label="Day of birth", sql="born"))
CATALOGUE.add(Field(name="size", type=FieldType.NUMBER, label="Shoe size", sql="size"))
CATALOGUE.add(Field(name="vip", type=FieldType.BOOLEAN, label="VIP guest", sql="vip"))
CATALOGUE.add(Field(name="place", type=FieldType.PATH, label="Place", sql="place"))
CATALOGUE.add_template(
    Template(
        name="used",
        type=FieldType.BOOLEAN,
        label="Used a benefit",
        arguments=(
            Argument(name="benefit", label="Benefit", names=lambda: NAMES, is_closed=True),
            Argument(name="days", label="Days", is_number=True, default=90),
        ),
        phrases=("has used %(benefit)s in %(days)s", "has not used %(benefit)s in %(days)s"),
        bind=_bind,
    )
)
CATALOGUE.add_template(
    Template(
        name="times",
        type=FieldType.INTEGER,
        label="Times",
        arguments=(Argument(name="event", label="Event"),),
        phrase="number of “%(event)s”",
        bind=_bind,
    )
)


def used(op: str = "is", value: Any = True, **args: Any) -> dict[str, Any]:
    return {"field": "used", "args": args, "op": op, "value": value}


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        (used(), "/args"),
        (used(benefit=""), "/args/benefit"),
        (used(benefit=3), "/args/benefit"),
        (used(benefit="x" * 201), "/args/benefit"),
        (used(benefit=None), "/args/benefit"),
        (used(benefit="tea", days=0), "/args/days"),
        (used(benefit="tea", days=731), "/args/days"),
        (used(benefit="tea", days=True), "/args/days"),
        (used(benefit="tea", days="30"), "/args/days"),
        (used(benefit="tea", hours=1), "/args/hours"),
        (used(benefit="tea", op="=", value=1), "/op"),
        (used(benefit="tea", value="yes"), "/value"),
        ({**used(benefit="tea"), "args": "tea"}, "/args"),
        ({**leaf("vip", "is", True), "args": {}}, "/args"),
        (leaf("used(benefit=tea)", "is", True), "/field"),
        (leaf("used(days=90,benefit=tea)", "is", True), "/field"),
        (leaf("used(benefit=tea,days=x)", "is", True), "/field"),
        (leaf("other(benefit=tea)", "is", True), "/field"),
        (leaf("used(", "is", True), "/field"),
        (leaf("born", "=", "2026-02-30"), "/value"),
        (leaf("born", "=", "20260301"), "/value"),
        (leaf("born", "=", 20260301), "/value"),
        (leaf("born", "between", ["2026-03-02", "2026-03-01"]), "/value"),
        (leaf("size", "=", "38"), "/value"),
        (leaf("size", "=", True), "/value"),
        (leaf("size", "=", float("inf")), "/value"),
        (leaf("size", "=", float("nan")), "/value"),
        (leaf("size", "between", [2.5, 2]), "/value"),
        (leaf("place", "within", "cn"), "/value"),
        ({"any": [leaf("times", "=", 1)]}, "/any/0/args"),
    ],
)
def test_parse_names_the_place_of_an_error(tree: Any, pointer: str) -> None:
    with pytest.raises(ConditionError) as refused:
        parse(tree, catalogue=CATALOGUE)
    assert refused.value.data["pointer"] == pointer


def test_an_argument_left_out_has_its_usual_value() -> None:
    condition = parse(used(benefit="tea"), catalogue=CATALOGUE)
    assert to_tree(condition) == used(benefit="tea", days=90)
    assert parse(leaf("used(benefit=tea,days=90)", "is", True), catalogue=CATALOGUE) == condition


def test_only_new_conditions_are_held_to_what_is_there() -> None:
    assert parse(used(benefit="gone"), catalogue=CATALOGUE)
    with pytest.raises(ConditionError) as refused:
        parse({"not": used(benefit="gone")}, catalogue=CATALOGUE, is_new=True)
    assert refused.value.data["pointer"] == "/not/args/benefit"
    assert parse(used(benefit="50%"), catalogue=CATALOGUE, is_new=True)


def test_too_many_fields_with_arguments_are_refused() -> None:
    many = [used(benefit="tea", days=days) for days in range(1, 27)]
    with pytest.raises(ConditionError, match="At most 25"):
        parse({"any": many}, catalogue=CATALOGUE)
    assert parse({"any": [*many[:25], many[0]]}, catalogue=CATALOGUE)


@pytest.mark.parametrize(
    ("tree", "fact", "expected"),
    [
        (leaf("vip", "is", True), True, True),
        (leaf("vip", "is", True), False, False),
        (leaf("vip", "is", False), False, True),
        # Never asked: neither yes nor no.
        (leaf("vip", "is", False), None, False),
        (leaf("vip", "is_set", False), None, True),
        (leaf("born", ">=", "2026-03-01"), date(2026, 3, 1), True),
        (leaf("born", "in", ["2026-03-01"]), date(2026, 3, 2), False),
        (leaf("size", "=", 38.1), Decimal("38.1"), True),
        (leaf("size", "=", 38), Decimal("38.0"), True),
        (leaf("size", "between", [38, 38.5]), Decimal("38.500001"), False),
        (leaf("place", "within", ["cn/gd"]), "cn/gd", True),
        (leaf("place", "within", ["cn/gd"]), "cn/gd/sz", True),
        (leaf("place", "within", ["cn/gd"]), "cn/gds", False),
        (leaf("place", "within", ["cn/g_"]), "cn/gd", False),
        (leaf("place", "within", ["us", "cn"]), "cn/gd", True),
        (leaf("place", "within", ["cn/gd"]), "cn", False),
        (leaf("place", "within", ["cn"]), None, False),
    ],
)
def test_comparison_with_one_fact(tree: dict[str, Any], fact: Any, expected: bool) -> None:
    condition = parse(tree, catalogue=CATALOGUE)
    assert evaluate(condition, {tree["field"]: fact}) is expected
    assert (
        evaluate(parse({"not": tree}, catalogue=CATALOGUE), {tree["field"]: fact}) is not expected
    )


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)


@given(TEXT | st.integers(-(10**17), 10**17), TEXT)
def test_names_with_arguments_read_back_and_hold_nothing_that_sql_minds(
    first: Any, second: str
) -> None:
    key = key_of("used", [("a", first), ("b", second)])
    assert read_key(key) == ("used", {"a": first, "b": second})
    assert not set(key) & set("'\"%\\;:$ \n\t") - {";"}


@pytest.mark.parametrize("key", ["", "used", "used(a)", "used(a=1,a=2)", "used(a=01)", "Used(a=1)"])
def test_other_texts_are_no_names(key: str) -> None:
    with pytest.raises(ValueError, match="is n"):
        read_key(key)


def test_each_name_has_an_alias_and_a_source_of_its_own() -> None:
    tea = CATALOGUE.get("used(benefit=tea,days=90)")
    other = CATALOGUE.get("used(benefit=tea,days=91)")
    assert tea is not None
    assert other is not None
    assert (tea.template, dict(tea.args)) == ("used", {"benefit": "tea", "days": 90})
    assert tea.sql != other.sql
    assert CATALOGUE.source(tea.source).sql != CATALOGUE.source(other.source).sql


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (used(benefit="tea", days=1), "Has used Tea box in 1 day"),
        (used(benefit="gone", value=False), "Has not used gone in 90 days"),
        ({"field": "times", "args": {"event": "visit"}, "op": ">=", "value": 3},
         "Number of “visit” is at least 3"),
        (leaf("vip", "is", True), "VIP guest is yes"),
        (leaf("born", ">=", "2026-03-01"), "Day of birth is Mar 1, 2026 or after"),
        (leaf("size", "between", [38, 39.5]), "Shoe size is from 38 to 39.5"),
        (leaf("place", "within", ["cn", "us"]), "Place is cn, us or a part of it"),
    ],
)  # fmt: skip
def test_describe_gives_names_for_codes(tree: dict[str, Any], sentence: str) -> None:
    found = describe(parse(tree, catalogue=CATALOGUE), currency="CNY", labels=Labels(CATALOGUE))
    assert found == sentence
