"""One member: a condition against the facts known about the member. Pure."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from members.segments.conditions.fields import FieldType
from members.segments.conditions.nodes import All, AnyOf, Comparison, Condition, Not

Facts = Mapping[str, Any]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda fact, value: fact == value,
    "<": lambda fact, value: fact < value,
    "<=": lambda fact, value: fact <= value,
    ">": lambda fact, value: fact > value,
    ">=": lambda fact, value: fact >= value,
    "between": lambda fact, value: value[0] <= fact <= value[1],
    "in": lambda fact, value: fact in value,
    "within": lambda fact, value: any(f"{fact}/".startswith(f"{path}/") for path in value),
    "is": lambda fact, value: fact is value,
    "contains": lambda fact, value: value in fact,
    "contains_any": lambda fact, value: not set(value).isdisjoint(fact),
    "contains_all": lambda fact, value: set(value) <= set(fact),
}
_OPPOSITE = {"!=": "=", "not_in": "in"}


def evaluate(condition: Condition, facts: Facts) -> bool:
    """Say whether the condition holds for these facts.

    `facts` maps each field the condition reads to its value, None for "not known"; a missing
    one is a mistake of the caller (KeyError).
    """
    match condition:
        case All(parts):
            return all(evaluate(part, facts) for part in parts)
        case AnyOf(parts):
            return any(evaluate(part, facts) for part in parts)
        case Not(part):
            return not evaluate(part, facts)
        case Comparison():
            return _compare(condition, facts[condition.field.name])


def _compare(comparison: Comparison, fact: Any) -> bool:
    if comparison.op == "is_set":
        is_set = bool(fact) if comparison.field.type is FieldType.TEXTS else fact is not None
        return is_set == comparison.value
    value = _of_type(comparison.field.type, comparison.value)
    opposite = _OPPOSITE.get(comparison.op)
    if opposite:
        return fact is None or not _COMPARE[opposite](fact, value)
    return fact is not None and _COMPARE[comparison.op](fact, value)


def _of_type(kind: FieldType, value: Any) -> Any:
    """Return a value of a condition as facts of its field are."""
    if kind not in {FieldType.DATE, FieldType.NUMBER}:
        return value
    if isinstance(value, tuple):
        return tuple(_of_type(kind, item) for item in value)
    return date.fromisoformat(value) if kind is FieldType.DATE else Decimal(str(value))
