"""The grammar of conditions: what parses, where it is wrong, what it means for one member."""

from typing import Any

import pytest

from members.segments.conditions import (
    Catalogue,
    ConditionError,
    Field,
    FieldType,
    describe,
    evaluate,
    fields_of,
    parse,
    to_tree,
)

CATALOGUE = Catalogue()
CATALOGUE.add(Field(name="age", type=FieldType.INTEGER, label="Age", sql="age", low=0, high=150))
CATALOGUE.add(Field(name="spend", type=FieldType.MONEY, label="Spend", sql="spend"))
CATALOGUE.add(Field(name="region", type=FieldType.TEXT, label="Region", sql="region"))
CATALOGUE.add(Field(name="tags", type=FieldType.TEXTS, label="Tags", sql="tags"))
CATALOGUE.add(
    Field(
        name="size",
        type=FieldType.TEXT,
        label="Size",
        sql="size",
        choices=lambda: {"s": "Small", "l": "Large"},
    )
)


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


OLD = leaf("age", ">=", 60)


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        ("text", ""),
        ([], ""),
        ({"all": []}, "/all"),
        ({"all": OLD}, "/all"),
        ({"all": [OLD], "any": [OLD]}, ""),
        ({"nothing": 1}, ""),
        ({"all": [OLD, {"not": {"any": [OLD, 3]}}]}, "/all/1/not/any/1"),
        ({"all": [OLD], "extra": 1}, "/extra"),
        ({"not": OLD, "a/b~c": 1}, "/a~1b~0c"),
        ({**OLD, "note": "x"}, "/note"),
        (leaf("height", "=", 3), "/field"),
        (leaf(["age"], "=", 3), "/field"),  # type: ignore[arg-type]
        (leaf("age", "~", 3), "/op"),
        (leaf("age", None, 3), "/op"),  # type: ignore[arg-type]
        (leaf("region", ">", "north"), "/op"),
        (leaf("tags", "=", "vip"), "/op"),
        ({"field": "age", "op": "="}, ""),
        (leaf("age", "=", "3"), "/value"),
        (leaf("age", "=", 3.0), "/value"),
        (leaf("age", "=", True), "/value"),
        (leaf("age", "=", None), "/value"),
        (leaf("age", "=", -1), "/value"),
        (leaf("age", "=", 151), "/value"),
        (leaf("spend", "=", 10**15 + 1), "/value"),
        (leaf("age", "in", []), "/value"),
        (leaf("age", "in", [1, "2"]), "/value/1"),
        (leaf("age", "in", list(range(1001))), "/value"),
        (leaf("age", "between", [1]), "/value"),
        (leaf("age", "between", [2, 1]), "/value"),
        (leaf("region", "=", ""), "/value"),
        (leaf("region", "=", "x" * 201), "/value"),
        (leaf("region", "=", "a\x00b"), "/value"),
        (leaf("region", "=", "a\ud800"), "/value"),
        (leaf("region", "=", 3), "/value"),
        (leaf("size", "=", "m"), "/value"),
        (leaf("size", "in", ["s", "m"]), "/value/1"),
        (leaf("age", "is_set", 1), "/value"),
    ],
)
def test_parse_names_the_place_of_an_error(tree: Any, pointer: str) -> None:
    with pytest.raises(ConditionError) as refused:
        parse(tree, catalogue=CATALOGUE)
    assert refused.value.data["pointer"] == pointer
    assert refused.value.code == "invalid_condition"
    assert refused.value.status == 422


def test_parse_refuses_deep_and_large_trees() -> None:
    deep: dict[str, Any] = OLD
    for _ in range(12):
        deep = {"not": deep}
    with pytest.raises(ConditionError, match="nested too deeply"):
        parse(deep, catalogue=CATALOGUE)
    with pytest.raises(ConditionError, match="too many comparisons"):
        parse({"all": [OLD] * 201}, catalogue=CATALOGUE)
    assert len(fields_of(parse({"all": [OLD] * 200}, catalogue=CATALOGUE))) == 1


@pytest.mark.parametrize(
    "tree",
    [
        {},
        OLD,
        {"all": [OLD, {"any": [leaf("size", "in", ["s", "l"]), {"not": OLD}]}]},
        leaf("age", "between", [1, 2]),
        leaf("tags", "contains_all", ["vip", "press"]),
        leaf("region", "is_set", False),
    ],
)
def test_tree_of_a_parsed_condition_is_the_tree_given(tree: dict[str, Any]) -> None:
    assert to_tree(parse(tree, catalogue=CATALOGUE)) == tree


def test_nothing_means_everybody() -> None:
    assert evaluate(parse(None), {}) is True
    assert evaluate(parse({}), {}) is True
    assert to_tree(parse(None)) == {}


@pytest.mark.parametrize(
    ("field", "op", "value", "fact", "expected"),
    [
        ("age", "=", 60, 60, True),
        ("age", "=", 60, 61, False),
        ("age", "!=", 60, 61, True),
        ("age", "<", 60, 60, False),
        ("age", "<=", 60, 60, True),
        ("age", ">", 60, 60, False),
        ("age", ">=", 60, 60, True),
        ("age", "between", [10, 20], 10, True),
        ("age", "between", [10, 20], 20, True),
        ("age", "between", [10, 20], 21, False),
        ("age", "in", [1, 2], 2, True),
        ("age", "not_in", [1, 2], 2, False),
        ("age", "is_set", True, 0, True),
        ("age", "is_set", False, None, True),
        # Unknown: no comparison holds, the opposites do.
        ("age", "=", 60, None, False),
        ("age", "<", 60, None, False),
        ("age", "between", [0, 150], None, False),
        ("age", "in", [1], None, False),
        ("age", "!=", 60, None, True),
        ("age", "not_in", [1], None, True),
        ("region", "=", "north", "north", True),
        ("region", "!=", "north", None, True),
        ("tags", "contains", "vip", ["vip"], True),
        ("tags", "contains", "vip", [], False),
        ("tags", "contains_any", ["a", "b"], ["b", "c"], True),
        ("tags", "contains_any", ["a", "b"], ["c"], False),
        ("tags", "contains_all", ["a", "b"], ["b", "c"], False),
        ("tags", "contains_all", ["a", "b"], ["b", "a", "c"], True),
        ("tags", "is_set", True, [], False),
        ("tags", "is_set", True, ["a"], True),
    ],
)
def test_comparison_with_one_fact(
    field: str, op: str, value: Any, fact: Any, expected: bool
) -> None:
    condition = parse(leaf(field, op, value), catalogue=CATALOGUE)
    assert evaluate(condition, {field: fact}) is expected
    assert evaluate(parse({"not": leaf(field, op, value)}, catalogue=CATALOGUE), {field: fact}) is (
        not expected
    )


def test_evaluate_asks_for_each_fact() -> None:
    with pytest.raises(KeyError):
        evaluate(parse(OLD, catalogue=CATALOGUE), {})


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({}, "All members"),
        (OLD, "Age is at least 60"),
        (leaf("spend", ">=", 50_000), "Spend is at least CN¥500.00"),
        (leaf("spend", "between", [100, 200]), "Spend is from CN¥1.00 to CN¥2.00"),
        (leaf("size", "in", ["s", "l"]), "Size is one of Small, Large"),
        (leaf("region", "is_set", False), "Region is not known"),
        (leaf("tags", "contains", "vip"), "Tags include vip"),
        ({"all": [OLD]}, "Age is at least 60"),
        (
            {"all": [OLD, {"any": [leaf("size", "=", "s"), {"not": leaf("age", "<", 70)}]}]},
            "Age is at least 60 and (size is Small or not (age is less than 70))",
        ),
    ],
)
def test_describe_gives_a_sentence(tree: dict[str, Any], sentence: str) -> None:
    assert describe(parse(tree, catalogue=CATALOGUE), currency="CNY") == sentence


def test_catalogue_refuses_two_fields_of_one_name() -> None:
    with pytest.raises(ValueError, match="twice"):
        CATALOGUE.add(Field(name="age", type=FieldType.INTEGER, label="Age", sql="x"))
    with pytest.raises(ValueError, match="unknown source"):
        CATALOGUE.add(
            Field(name="weight", type=FieldType.INTEGER, label="W", sql="x", source="scale")
        )
