"""Whether a condition can hold for anybody at all. Pure.

A condition is spread into alternatives of comparisons; an alternative is impossible when one
field would have to be two things at once. What cannot be told is taken for possible, so that
only what is certainly wrong is refused.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from members.segments.conditions import Condition, FieldType
from members.segments.conditions.nodes import All, AnyOf, Comparison, Not

_MOST_ALTERNATIVES = 4_096
_NUMBERS = frozenset({FieldType.INTEGER, FieldType.MONEY})
_WORDS = frozenset({FieldType.TEXT, FieldType.PATH, FieldType.BOOLEAN})
_ORDERED = frozenset({FieldType.DATE, FieldType.NUMBER})


@dataclass(frozen=True, slots=True)
class _Literal:
    test: Comparison
    wanted: bool


def contradiction(condition: Condition) -> str | None:
    """Return the field that makes a condition impossible; None when it may hold for somebody."""
    first: str | None = None
    alternatives = _alternatives(condition, wanted=True)
    for count, literals in enumerate(islice(alternatives, _MOST_ALTERNATIVES + 1)):
        found = _clash(literals)
        if found is None or count == _MOST_ALTERNATIVES:
            return None
        first = first or found
    return first


def _alternatives(condition: Condition, *, wanted: bool) -> Iterator[list[_Literal]]:
    match condition:
        case Comparison():
            yield [_Literal(condition, wanted)]
        case Not(part):
            yield from _alternatives(part, wanted=not wanted)
        case All(parts) if wanted:
            yield from _together(parts, wanted=True)
        case AnyOf(parts) if not wanted:
            yield from _together(parts, wanted=False)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _alternatives(part, wanted=wanted)


def _together(parts: Sequence[Condition], *, wanted: bool) -> Iterator[list[_Literal]]:
    choices = [
        list(islice(_alternatives(part, wanted=wanted), _MOST_ALTERNATIVES)) for part in parts
    ]
    for chosen in product(*choices):
        yield [literal for literals in chosen for literal in literals]


def _clash(literals: Sequence[_Literal]) -> str | None:
    by_field: dict[tuple[str, str], list[_Literal]] = defaultdict(list)
    for literal in literals:
        by_field[_subject(literal.test)].append(literal)
    for (name, _more), tests in by_field.items():
        kind = tests[0].test.field.type
        possible = True
        if kind is FieldType.TEXTS:
            possible = _possible_texts(tests)
        elif kind in _NUMBERS | _WORDS:
            possible = _possible_value(tests)
        elif kind in _ORDERED:
            possible = _possible_span(tests)
        if not possible:
            return name
    return None


def _subject(test: Comparison) -> tuple[str, str]:
    """Return what is compared: the field, and whatever else the comparison says of it."""
    more = {
        name: getattr(test, name)
        for name in test.__dataclass_fields__
        if name not in {"field", "op", "value"}
    }
    return test.field.name, repr(sorted(more.items()))


@dataclass(slots=True)
class _Values:
    """What a known value may be."""

    low: int | None = None
    high: int | None = None
    allowed: set[Any] | None = None
    excluded: set[Any] = field(default_factory=set)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    within: list[tuple[bool, tuple[Any, ...]]] = field(default_factory=list)

    def least(self, value: int) -> None:
        self.low = value if self.low is None else max(self.low, value)

    def most(self, value: int) -> None:
        self.high = value if self.high is None else min(self.high, value)

    def only(self, values: set[Any]) -> None:
        self.allowed = values if self.allowed is None else self.allowed & values

    def any_left(self) -> bool:
        if self.allowed is not None:
            # True and false are no numbers here.
            return any(self._fits(value) for value in self.allowed)
        if self.low is None and self.high is None and not self.gaps:
            return True
        # The first value of the range, or the one behind something that is excluded.
        starts = [self.low] if self.low is not None else []
        starts += [gap[1] + 1 for gap in self.gaps]
        starts += [value + 1 for value in self.excluded if isinstance(value, int)]
        if self.low is None:
            highest = self.high if self.high is not None else 0
            taken = [*self.excluded, *(gap[0] for gap in self.gaps), highest]
            starts.append(min(value for value in taken if isinstance(value, int)) - 1)
        return any(self._fits(value) for value in starts)

    def _fits(self, value: Any) -> bool:
        if value in self.excluded:
            return False
        if isinstance(value, str):
            return all(_lies_in(value, paths) == wanted for wanted, paths in self.within)
        if not isinstance(value, int):
            return True
        if self.low is not None and value < self.low:
            return False
        if self.high is not None and value > self.high:
            return False
        return not any(low <= value <= high for low, high in self.gaps)


def _possible_value(tests: Sequence[_Literal]) -> bool:
    """Say whether an unknown value, or some known one, passes all tests of one field."""
    if all(_passes_unknown(test) for test in tests):
        return True
    if any(_wants_unknown(test) for test in tests):
        return False
    found = tests[0].test.field
    values = _Values(low=found.low, high=found.high)
    if found.choices is not None:
        keys = set(found.choices())
        values.only({int(key) for key in keys} if found.type in _NUMBERS else keys)
    if found.type is FieldType.BOOLEAN:
        values.only({True, False})
    for test in tests:
        _narrow(values, test)
    return values.any_left()


def _lies_in(value: str, paths: tuple[Any, ...]) -> bool:
    return any(f"{value}/".startswith(f"{path}/") for path in paths)


def _possible_span(tests: Sequence[_Literal]) -> bool:
    """Say whether an unknown date or number, or one between the bounds, passes all tests."""
    if all(_passes_unknown(test) for test in tests):
        return True
    if any(_wants_unknown(test) for test in tests):
        return False
    lows: list[tuple[Any, bool]] = []
    highs: list[tuple[Any, bool]] = []
    for literal in tests:
        op, value = literal.test.op, literal.test.value
        op = op if literal.wanted else _OPPOSITE.get(op, "")
        if op == "between" and isinstance(value, tuple):
            lows.append((value[0], True))
            highs.append((value[1], True))
        if op in {">", ">=", "="}:
            lows.append((value, op != ">"))
        if op in {"<", "<=", "="}:
            highs.append((value, op != "<"))
    return all(
        low < high or (low == high and with_low and with_high)
        for low, with_low in lows
        for high, with_high in highs
    )


def _passes_unknown(literal: _Literal) -> bool:
    op, value = literal.test.op, literal.test.value
    if op == "is_set":
        return bool(value) != literal.wanted
    return (op in {"!=", "not_in"}) == literal.wanted


def _wants_unknown(literal: _Literal) -> bool:
    return literal.test.op == "is_set" and bool(literal.test.value) != literal.wanted


_OPPOSITE = {"=": "!=", "!=": "=", "in": "not_in", "not_in": "in", "<": ">=", ">=": "<",
             ">": "<=", "<=": ">"}  # fmt: skip


def _narrow(values: _Values, literal: _Literal) -> None:  # noqa: C901
    op, value = literal.test.op, literal.test.value
    if op == "is":
        values.only({value == literal.wanted})
        return
    if op == "within":
        paths = value if isinstance(value, tuple) else (value,)
        values.within.append((literal.wanted, paths))
        return
    if not literal.wanted:
        if op == "between" and isinstance(value, tuple):
            values.gaps.append((int(value[0]), int(value[1])))
            return
        op = _OPPOSITE.get(op, "")
    match op, value:
        case "=", _:
            values.only({value})
        case "!=", _:
            values.excluded.add(value)
        case "in", tuple():
            values.only(set(value))
        case "not_in", tuple():
            values.excluded |= set(value)
        case "<", int():
            values.most(value - 1)
        case "<=", int():
            values.most(value)
        case ">", int():
            values.least(value + 1)
        case ">=", int():
            values.least(value)
        case "between", (int(low), int(high)):
            values.least(low)
            values.most(high)


def _possible_texts(tests: Sequence[_Literal]) -> bool:
    """Say whether some set of texts passes all tests of one field."""
    needed: set[Any] = set()
    forbidden: set[Any] = set()
    one_of: list[set[Any]] = []
    not_all: list[set[Any]] = []
    is_set: set[bool] = set()
    for literal in tests:
        op, value = literal.test.op, literal.test.value
        given = set(value) if isinstance(value, tuple) else {value}
        match op, literal.wanted:
            case "is_set", wanted:
                is_set.add(bool(value) == wanted)
            case (("contains" | "contains_all"), True):
                needed |= given
            case "contains_any", True:
                one_of.append(given)
            case (("contains" | "contains_any"), False):
                forbidden |= given
            case "contains_all", False:
                not_all.append(given)
    if len(is_set) > 1 or (is_set == {False} and (needed or one_of)):
        return False
    return (
        not needed & forbidden
        and all(choice - forbidden for choice in one_of)
        and not any(group <= needed for group in not_all)
    )
