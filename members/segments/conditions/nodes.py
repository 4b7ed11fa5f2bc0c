"""The tree of a condition and its parser. Pure: values in, values out.

Grammar: `{"all": […]}`, `{"any": […]}`, `{"not": …}`, `{"field": …, "op": …, "value": …}`; a field
with arguments has them beside its name: `{"field": …, "args": {…}, "op": …, "value": …}`.

Logic is two-valued: a comparison with something unknown (null) is false, so `not` of it is true;
`!=` and `not_in` are exactly the opposite of `=` and `in`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from django.utils.translation import gettext as _

from core.errors import InvalidError
from members.segments.conditions.fields import (
    FIELDS,
    WHOLE,
    Argument,
    Catalogue,
    Field,
    FieldType,
    Names,
    Template,
)
from members.segments.conditions.naming import Scalar

_MAX_DEPTH = 12
_MAX_COMPARISONS = 200
_MAX_VALUES = 1_000
_MAX_TEXT = 200
_MAX_INTEGER = 10**15
# Each reads rows of its own.
_MAX_WITH_ARGUMENTS = 25
_LISTS = frozenset({"in", "not_in", "contains_any", "contains_all", "within", "between"})

Value: TypeAlias = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


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


def parse(tree: Any, *, catalogue: Catalogue = FIELDS, is_new: bool = False) -> Condition:
    """Read a condition from its JSON tree; None and `{}` mean everybody.

    With `is_new`, values have to exist now: a tier, a benefit, a segment by its code. A stored
    condition reads for ever.

    :raises ConditionError: with a JSON pointer to the place that is wrong.
    """
    if tree is None or tree == {}:
        return EVERYBODY
    return _Parser(catalogue, is_new=is_new).node(tree, "", 1)


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
            if found.template:
                args = dict(found.args)
                return {"field": found.template, "args": args, "op": op, "value": plain}
            return {"field": found.name, "op": op, "value": plain}


@dataclass(slots=True)
class _Parser:
    catalogue: Catalogue
    is_new: bool = False
    count: int = 0
    with_arguments: set[str] = field(default_factory=set)
    known: dict[Names, Mapping[str, Any]] = field(default_factory=dict)

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
        self._only(tree, {"field", "args", "op", "value"}, pointer)
        found = self._field(tree, pointer)
        op = tree.get("op")
        if not isinstance(op, str) or op not in found.ops:
            raise ConditionError(
                _("“%(field)s” is compared by one of %(ops)s.")
                % {"field": found.name, "ops": ", ".join(found.ops)},
                pointer=f"{pointer}/op",
            )
        if "value" not in tree:
            raise ConditionError(_("A comparison needs a value."), pointer=pointer)
        value = _value(found, op, tree["value"], f"{pointer}/value")
        if self.is_new and found.is_closed and found.names is not None and op != "is_set":
            self._check_known(found.name, found.names, value, f"{pointer}/value")
        return Comparison(found, op, value)

    def _field(self, tree: dict[Any, Any], pointer: str) -> Field:
        name = tree["field"]
        template = self.catalogue.template(name) if isinstance(name, str) else None
        if template is not None:
            found: Field | None = self.catalogue.bind(
                template, self._arguments(template, tree.get("args", {}), f"{pointer}/args")
            )
        else:
            found = self.catalogue.get(name) if isinstance(name, str) else None
            if found is not None and "args" in tree:
                raise ConditionError(
                    _("“%(field)s” takes no arguments.") % {"field": found.name},
                    pointer=f"{pointer}/args",
                )
        if found is None:
            raise ConditionError(
                _("There is no field %(name)s.") % {"name": f"{name!r:.60}"},
                pointer=f"{pointer}/field",
            )
        if found.template:
            self.with_arguments.add(found.name)
            if len(self.with_arguments) > _MAX_WITH_ARGUMENTS:
                raise ConditionError(
                    _("At most %(most)s different fields with arguments are possible.")
                    % {"most": _MAX_WITH_ARGUMENTS},
                    pointer=pointer,
                )
        return found

    def _arguments(self, template: Template, given: Any, pointer: str) -> dict[str, Scalar]:
        if not isinstance(given, dict):
            raise ConditionError(_("Arguments are a JSON object."), pointer=pointer)
        self._only(given, {argument.name for argument in template.arguments}, pointer)
        return {
            argument.name: self._argument(template, argument, given, pointer)
            for argument in template.arguments
        }

    def _argument(
        self, template: Template, argument: Argument, given: dict[str, Any], pointer: str
    ) -> Scalar:
        value = given.get(argument.name, argument.default)
        if value is None:
            raise ConditionError(
                _("“%(field)s” needs “%(argument)s”.")
                % {"field": template.name, "argument": argument.name},
                pointer=pointer if argument.name not in given else f"{pointer}/{argument.name}",
            )
        place = f"{pointer}/{argument.name}"
        if argument.is_number:
            if type(value) is not int or not argument.low <= value <= argument.high:
                raise ConditionError(
                    _("“%(field)s” takes a number from %(low)s to %(high)s.")
                    % {"field": argument.name, "low": argument.low, "high": argument.high},
                    pointer=place,
                )
        elif not _is_text(value):
            raise ConditionError(
                _("“%(field)s” takes a short text.") % {"field": argument.name}, pointer=place
            )
        if self.is_new and argument.is_closed and argument.names is not None:
            self._check_known(argument.name, argument.names, value, place)
        found: Scalar = value
        return found

    def _check_known(self, name: str, names: Names, value: Value, pointer: str) -> None:
        known = self.known.get(names)
        if known is None:
            known = self.known[names] = names()
        is_list = isinstance(value, tuple)
        for index, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if str(item) not in known:
                raise ConditionError(
                    _("“%(field)s” has no value %(value)s.")
                    % {"field": name, "value": f"{item!r:.60}"},
                    pointer=f"{pointer}/{index}" if is_list else pointer,
                )

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
    if op in {"is_set", "is"}:
        if not isinstance(value, bool):
            raise ConditionError(_("“%(op)s” takes true or false.") % {"op": op}, pointer=pointer)
        return value
    if op in _LISTS:
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
    items = tuple(_scalar(found, item, f"{pointer}/{index}") for index, item in enumerate(value))
    # Days of the same form sort like their texts.
    if op == "between" and items[0] > items[1]:  # type: ignore[operator]
        raise ConditionError(_("“between” takes the lower value first."), pointer=pointer)
    return items  # type: ignore[return-value]  # all of the field's one type


def _scalar(found: Field, value: Any, pointer: str) -> int | float | str:
    if found.type in WHOLE:
        return _integer(found, value, pointer)
    if found.type is FieldType.NUMBER:
        return _number(found, value, pointer)
    if found.type is FieldType.DATE:
        return _day(found, value, pointer)
    if not _is_text(value):
        raise ConditionError(
            _("“%(field)s” takes a short text.") % {"field": found.name}, pointer=pointer
        )
    text: str = value
    if found.choices is not None and text not in found.choices():
        raise ConditionError(
            _("“%(field)s” has no value %(value)s.")
            % {"field": found.name, "value": f"{text!r:.60}"},
            pointer=pointer,
        )
    return text


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and _is_storable(value)


def _number(found: Field, value: Any, pointer: str) -> int | float:
    is_number = type(value) in {int, float} and math.isfinite(value)
    if not is_number or abs(value) > _MAX_INTEGER:
        raise ConditionError(
            _("“%(field)s” takes a number.") % {"field": found.name}, pointer=pointer
        )
    number: int | float = value
    return number


def _day(found: Field, value: Any, pointer: str) -> str:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise ConditionError(
            _("“%(field)s” takes a day such as 2026-03-15.") % {"field": found.name},
            pointer=pointer,
        )
    return day.isoformat()


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
