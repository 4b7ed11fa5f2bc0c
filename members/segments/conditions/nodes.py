"""The tree of a condition and its parser. Pure: values in, values out.

Grammar: `{"all": […]}`, `{"any": […]}`, `{"not": …}`, `{"field": …, "op": …, "value": …}`.

Logic is two-valued: a comparison with something unknown (null) is false, so `not` of it is true;
`!=` and `not_in` are exactly the opposite of `=` and `in`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from django.utils.translation import gettext as _

from core.errors import InvalidError
from members.segments.conditions.fields import FIELDS, Catalogue, Field, FieldType

_MAX_DEPTH = 12
_MAX_COMPARISONS = 200
_MAX_VALUES = 1_000
_MAX_TEXT = 200
_MAX_INTEGER = 10**15

Value: TypeAlias = int | str | bool | tuple[int, ...] | tuple[str, ...]


class ConditionError(InvalidError):
    """The tree is no condition; `pointer` in the data names the place (RFC 6901)."""

    code = "invalid_condition"


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field of the catalogue compared with a value of its type."""

    field: Field
    op: str
    value: Value


Condition: TypeAlias = All | AnyOf | Not | Comparison

EVERYBODY = All(())


def parse(tree: Any, *, catalogue: Catalogue = FIELDS) -> Condition:
    """Read a condition from its JSON tree; None and `{}` mean everybody.

    :raises ConditionError: with a JSON pointer to the place that is wrong.
    """
    if tree is None or tree == {}:
        return EVERYBODY
    return _Parser(catalogue).node(tree, "", 1)


def fields_of(condition: Condition) -> set[str]:
    """Return the names of the fields that a condition reads."""
    return {comparison.field.name for comparison in comparisons(condition)}


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Give the comparisons of a condition, in their order."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part):
            yield from comparisons(part)
        case Comparison():
            yield condition


def to_tree(condition: Condition) -> dict[str, Any]:
    """Return the JSON tree of a condition; `parse` of it gives the condition back."""
    match condition:
        case All(()):
            return {}
        case All(parts):
            return {"all": [to_tree(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [to_tree(part) for part in parts]}
        case Not(part):
            return {"not": to_tree(part)}
        case Comparison(found, op, value):
            plain = list(value) if isinstance(value, tuple) else value
            return {"field": found.name, "op": op, "value": plain}


@dataclass(slots=True)
class _Parser:
    catalogue: Catalogue
    count: int = field(default=0)

    def node(self, tree: Any, pointer: str, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise ConditionError(_("The condition is nested too deeply."), pointer=pointer)
        if not isinstance(tree, dict):
            raise ConditionError(_("A condition is a JSON object."), pointer=pointer)
        kinds = [name for name in ("all", "any", "not", "field") if name in tree]
        if len(kinds) != 1:
            raise ConditionError(
                _("A condition has exactly one of “all”, “any”, “not” and “field”."),
                pointer=pointer,
            )
        kind = kinds[0]
        if kind == "field":
            return self._comparison(tree, pointer)
        self._only(tree, {kind}, pointer)
        if kind == "not":
            return Not(self.node(tree["not"], f"{pointer}/not", depth + 1))
        parts = tree[kind]
        if not isinstance(parts, list) or not parts:
            raise ConditionError(
                _("“%(kind)s” takes a list of at least one condition.") % {"kind": kind},
                pointer=f"{pointer}/{kind}",
            )
        nodes = tuple(
            self.node(part, f"{pointer}/{kind}/{index}", depth + 1)
            for index, part in enumerate(parts)
        )
        return All(nodes) if kind == "all" else AnyOf(nodes)

    def _comparison(self, tree: dict[Any, Any], pointer: str) -> Comparison:
        self.count += 1
        if self.count > _MAX_COMPARISONS:
            raise ConditionError(_("The condition has too many comparisons."), pointer=pointer)
        self._only(tree, {"field", "op", "value"}, pointer)
        name = tree["field"]
        found = self.catalogue.get(name) if isinstance(name, str) else None
        if found is None:
            raise ConditionError(
                _("There is no field %(name)s.") % {"name": f"{name!r:.60}"},
                pointer=f"{pointer}/field",
            )
        op = tree.get("op")
        if not isinstance(op, str) or op not in found.ops:
            raise ConditionError(
                _("“%(field)s” is compared by one of %(ops)s.")
                % {"field": found.name, "ops": ", ".join(found.ops)},
                pointer=f"{pointer}/op",
            )
        if "value" not in tree:
            raise ConditionError(_("A comparison needs a value."), pointer=pointer)
        return Comparison(found, op, _value(found, op, tree["value"], f"{pointer}/value"))

    @staticmethod
    def _only(tree: dict[Any, Any], known: set[str], pointer: str) -> None:
        for name in tree:
            if name not in known:
                escaped = str(name).replace("~", "~0").replace("/", "~1")
                raise ConditionError(
                    _("%(name)s does not belong here.") % {"name": f"{str(name)!r:.60}"},
                    pointer=f"{pointer}/{escaped}",
                )


def _value(found: Field, op: str, value: Any, pointer: str) -> Value:
    if op == "is_set":
        if not isinstance(value, bool):
            raise ConditionError(_("“is_set” takes true or false."), pointer=pointer)
        return value
    if op in {"in", "not_in", "contains_any", "contains_all", "between"}:
        return _list(found, op, value, pointer)
    return _scalar(found, value, pointer)


def _list(found: Field, op: str, value: Any, pointer: str) -> Value:
    if not isinstance(value, list) or not value:
        raise ConditionError(_("“%(op)s” takes a list of values.") % {"op": op}, pointer=pointer)
    if len(value) > _MAX_VALUES:
        raise ConditionError(
            _("At most %(most)s values are possible.") % {"most": _MAX_VALUES}, pointer=pointer
        )
    if op == "between" and len(value) != 2:
        raise ConditionError(_("“between” takes two values."), pointer=pointer)
    items = [_scalar(found, item, f"{pointer}/{index}") for index, item in enumerate(value)]
    if found.type in {FieldType.INTEGER, FieldType.MONEY}:
        numbers = tuple(item for item in items if isinstance(item, int))
        if op == "between" and numbers[0] > numbers[1]:
            raise ConditionError(_("“between” takes the lower value first."), pointer=pointer)
        return numbers
    return tuple(item for item in items if isinstance(item, str))


def _scalar(found: Field, value: Any, pointer: str) -> int | str:
    if found.type in {FieldType.INTEGER, FieldType.MONEY}:
        return _integer(found, value, pointer)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not _is_storable(value):
        raise ConditionError(
            _("“%(field)s” takes a short text.") % {"field": found.name}, pointer=pointer
        )
    if found.choices is not None and value not in found.choices():
        raise ConditionError(
            _("“%(field)s” has no value %(value)s.")
            % {"field": found.name, "value": f"{value!r:.60}"},
            pointer=pointer,
        )
    return value


def _integer(found: Field, value: Any, pointer: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConditionError(
            _("“%(field)s” takes a whole number.") % {"field": found.name}, pointer=pointer
        )
    low = -_MAX_INTEGER if found.low is None else found.low
    high = _MAX_INTEGER if found.high is None else found.high
    if not low <= value <= high:
        raise ConditionError(
            _("“%(field)s” takes a number from %(low)s to %(high)s.")
            % {"field": found.name, "low": low, "high": high},
            pointer=pointer,
        )
    return value


def _is_storable(text: str) -> bool:
    """Say whether PostgreSQL can hold the text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
