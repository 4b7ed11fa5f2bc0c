"""Conditions that can hold for nobody are told from those that can."""

from typing import Any

import pytest

from benefits.rules.impossible import contradiction
from members.segments import conditions


def one(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    (
        {"all": [one("spend_30d", ">", 500), one("spend_30d", "<", 400)]},
        "spend_30d",
    ),
    ({"all": [one("orders_30d", "=", 1), one("orders_30d", "=", 2)]}, "orders_30d"),
    ({"all": [one("orders_30d", ">", 1), one("orders_30d", "<", 2)]}, "orders_30d"),
    (
        {"all": [one("orders_30d", "between", [1, 2]), one("orders_30d", "not_in", [1, 2])]},
        "orders_30d",
    ),
    (
        {
            "all": [
                one("orders_30d", ">=", 1),
                one("orders_30d", "<=", 5),
                {"not": one("orders_30d", "between", [0, 3])},
                one("orders_30d", "not_in", [4, 5]),
            ]
        },
        "orders_30d",
    ),
    ({"all": [one("region", "=", "a"), one("region", "!=", "a")]}, "region"),
    ({"all": [one("region", "in", ["a", "b"]), one("region", "=", "c")]}, "region"),
    ({"all": [one("region", "is_set", False), one("region", "=", "c")]}, "region"),
    ({"all": [one("region", "=", "a"), {"not": one("region", "in", ["a"])}]}, "region"),
    ({"all": [one("m_score", ">", 5)]}, "m_score"),
    ({"all": [one("region", "within", ["cn/gd"]), one("region", "=", "cn/gx")]}, "region"),
    ({"all": [one("birthday_month", "not_in", list(range(1, 13))),
              one("birthday_month", "is_set", True)]}, "birthday_month"),
    ({"all": [one("tags", "contains", "x"), {"not": one("tags", "contains", "x")}]}, "tags"),
    ({"all": [one("tags", "contains_any", ["x", "y"]),
              {"not": one("tags", "contains_any", ["x", "y", "z"])}]}, "tags"),
    ({"all": [one("tags", "is_set", False), one("tags", "contains", "x")]}, "tags"),
    # Each alternative for another reason; the first is told.
    (
        {
            "any": [
                {"all": [one("region", "=", "a"), one("region", "=", "b")]},
                {"all": [one("orders_30d", "<", 1), one("orders_30d", ">", 3)]},
            ]
        },
        "region",
    ),
    # Not (a or b) with a: the negation is spread.
    (
        {
            "all": [
                one("region", "=", "a"),
                {"not": {"any": [one("region", "=", "a"), one("store", "=", "s")]}},
            ]
        },
        "region",
    ),
]  # fmt: skip
POSSIBLE: list[dict[str, Any]] = [
    {},
    one("region", "=", "a"),
    {"all": [one("region", "within", ["cn"]), one("region", "=", "cn/gx")]},
    {"all": [one("spend_30d", ">=", 400), one("spend_30d", "<=", 400)]},
    {"all": [one("orders_30d", "!=", 0), one("orders_30d", "<", 1)]},
    {"all": [one("region", "!=", "a"), one("region", "not_in", ["b"])]},
    # What is unknown is neither at least 5 nor below it.
    {"all": [{"not": one("days_since_last_purchase", ">=", 5)},
             {"not": one("days_since_last_purchase", "<", 5)}]},
    {"any": [{"all": [one("region", "=", "a"), one("region", "=", "b")]},
             one("region", "=", "c")]},
    {"all": [one("tags", "contains_any", ["x", "y"]), {"not": one("tags", "contains", "x")}]},
    {"all": [one("tags", "contains", "x"), {"not": one("tags", "contains_all", ["x", "y"])}]},
    {"not": one("tags", "is_set", True)},
]  # fmt: skip


@pytest.mark.parametrize(("tree", "field"), IMPOSSIBLE)
def test_what_contradicts_itself_is_told_with_the_field(tree: dict[str, Any], field: str) -> None:
    assert contradiction(conditions.parse(tree)) == field


@pytest.mark.parametrize("tree", POSSIBLE)
def test_what_may_hold_is_left_alone(tree: dict[str, Any]) -> None:
    assert contradiction(conditions.parse(tree)) is None
