"""A condition as a form: groups (all, any, none of these) of rows (what, how, value).

Rows and groups are added, removed and change with the field without JavaScript of ours: the page
posts them to an address that draws them again. Rows and groups are numbered; each says by number
which group it is in, and group 0 holds them all. A condition too large or too deep for the form
is kept as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.condition_values import OPS, Widget, shown, typed
from core.errors import DomainError
from members.segments.conditions import (
    FIELDS,
    Argument,
    Catalogue,
    ConditionError,
    Field,
    Labels,
    Template,
    parse,
)
from members.segments.conditions import (
    OPS as FIELD_OPS,
)
from members.segments.conditions import Group as FieldGroup

MAX_ROWS = 24
MAX_GROUPS = 9
MAX_DEPTH = 4
MODES: dict[str, str | Promise] = {
    "all": _l("All of these are true"),
    "any": _l("At least one of these is true"),
    "none": _l("None of these is true"),
    "not_all": _l("Not all of these are true"),
}
_GROUPS: dict[FieldGroup, str | Promise] = {
    FieldGroup.PERSON: _l("Who they are"),
    FieldGroup.VALUE: _l("Tier and value"),
    FieldGroup.PURCHASES: _l("Purchases"),
    FieldGroup.POINTS: _l("Points"),
    FieldGroup.ACTIVITY: _l("What they did"),
    FieldGroup.BENEFITS: _l("Benefits"),
    FieldGroup.OWN: _l("Own attributes"),
}


class Names:
    """What the brand's rows call things, read once for the whole form."""

    def __init__(self, catalogue: Catalogue = FIELDS) -> None:
        self.catalogue = catalogue
        self.labels = Labels(catalogue)
        self._own = {field.name: field for field in catalogue.provided()}

    def field(self, name: str) -> Field | Template | None:
        """Return the field or template of a name."""
        return self.catalogue.template(name) or self._own.get(name) or self.catalogue.get(name)

    def all(self) -> Iterator[Field | Template]:
        """Give all fields and templates."""
        yield from self.catalogue
        yield from self.catalogue.templates()
        yield from self._own.values()


class ArgumentInput:
    """The input for one argument of a row."""

    def __init__(self, argument: Argument, value: str, names: Names) -> None:
        self.name = argument.name
        self.label = argument.label
        self.is_number = argument.is_number
        self.low, self.high = argument.low, argument.high
        self.options = names.labels.options(argument.names)
        # What is offered is all there is, or only what came up lately.
        self.is_closed = argument.is_closed
        self.value = value or ("" if argument.default is None else str(argument.default))
        if self.is_closed and self.options and self.value not in dict(self.options):
            self.value = self.options[0][0]

    def typed(self) -> int | str:
        """Return the value as the grammar takes it."""
        if not self.is_number:
            return self.value.strip()
        try:
            return int(self.value)
        except ValueError:
            raise ConditionError(_("Give a whole number."), pointer="/args") from None


class Row:
    """One comparison as it was typed, and what its inputs offer."""

    def __init__(
        self,
        number: int,
        field: str = "",
        op: str = "",
        values: list[str] | None = None,
        *,
        args: Mapping[str, str] | None = None,
        names: Names,
    ) -> None:
        self.number = number
        self.field = field
        self.found = names.field(field)
        self.error = ""
        kinds = FIELD_OPS[self.found.type] if self.found else ()
        self.ops = [(name, OPS[name]) for name in kinds]
        self.op = op if op in kinds else _first_op(self.found)
        self.help = self.found.help if self.found else ""
        self.arguments = [
            ArgumentInput(argument, (args or {}).get(argument.name, ""), names)
            for argument in getattr(self.found, "arguments", ())
        ]
        self.widget = Widget(self.found, self.op, values or [], names.labels)

    @property
    def value(self) -> str:
        """What was typed, as one text."""
        return self.widget.text

    @property
    def is_empty(self) -> bool:
        """Say whether no field is chosen: such a row counts for nothing."""
        return self.found is None

    def tree(self) -> dict[str, Any]:
        """Return the comparison as JSON. :raises ConditionError: if the value cannot be read."""
        if self.found is None:
            raise ConditionError(_("Choose what to compare."), pointer="/field")
        args = {"args": {each.name: each.typed() for each in self.arguments}}
        return {
            "field": self.field,
            **(args if self.arguments else {}),
            "op": self.op,
            "value": typed(self.found, self.op, self.widget.values),
        }


class Group:
    """Rows and groups that hold together by a mode."""

    def __init__(self, number: int, mode: str = "all", parent: int = 0, depth: int = 1) -> None:
        self.number = number
        self.mode = mode if mode in MODES else "all"
        self.parent = parent
        self.depth = depth
        self.rows: list[Row] = []
        self.groups: list[Group] = []

    @property
    def is_top(self) -> bool:
        """Say whether it holds the whole condition."""
        return self.number == 0

    @property
    def may_nest(self) -> bool:
        """Say whether a group may be put into it."""
        return self.depth < MAX_DEPTH

    @property
    def modes(self) -> list[tuple[str, str | Promise]]:
        """The ways to hold together, with their words."""
        return list(MODES.items())


class ConditionRows:
    """The form of one condition; `other` holds a condition that it cannot show."""

    def __init__(self, names: Names | None = None, *, other: dict[str, Any] | None = None) -> None:
        self.names = names or Names()
        self.other = other
        self.error = ""
        self.top = Group(0)

    @classmethod
    def from_tree(
        cls, tree: Mapping[str, Any] | None, *, catalogue: Catalogue = FIELDS
    ) -> "ConditionRows":
        """Show a stored condition."""
        found = cls(Names(catalogue))
        reader = _Reader(found.names)
        if not tree:
            found.top.rows.append(Row(0, names=found.names))
        elif not reader.read(tree, found.top):
            found.other = dict(tree)
            found.top = Group(0)
        return found

    @classmethod
    def from_post(
        cls, data: QueryDict, *, more: bool = False, catalogue: Catalogue = FIELDS
    ) -> "ConditionRows":
        """Read what was sent, and do what was asked of it: `do` is `row:1` or `group:1` (add to
        group 1), `drop:3` (row 3) or `ungroup:2`; `more` adds a row to the whole."""
        found = cls(Names(catalogue))
        order, _colon, at = data.get("do", "").partition(":")
        place = int(at) if at.isdecimal() and at.isascii() else -1
        groups = {0: found.top}
        found.top.mode = _mode(data.get("group-0-mode", ""))
        for number in range(1, _count(data, "condition-groups", MAX_GROUPS + 1)):
            mode, parent = (
                data.get(f"group-{number}-mode", ""),
                data.get(f"group-{number}-parent", ""),
            )
            above = groups.get(int(parent) if parent.isdecimal() else 0)
            if not mode or (order == "ungroup" and place == number) or above is None:
                continue
            groups[number] = Group(number, mode, above.number, above.depth + 1)
            above.groups.append(groups[number])
        for number in range(_count(data, "condition-rows", MAX_ROWS)):
            if order == "drop" and place == number:
                continue
            at = data.get(f"condition-{number}-group", "0")
            inside = groups.get(int(at) if at.isdecimal() else 0)
            if inside is not None:
                inside.rows.append(_posted(data, number, found.names))
        if more or order == "row":
            groups.get(place, found.top).rows.append(Row(MAX_ROWS, names=found.names))
        if order == "group" and len(groups) <= MAX_GROUPS:
            above = groups.get(place, found.top)
            if above.may_nest:
                added = Group(MAX_GROUPS + 1, "any", above.number, above.depth + 1)
                added.rows.append(Row(MAX_ROWS, names=found.names))
                above.groups.append(added)
        found.renumber()
        return found

    @property
    def rows(self) -> list[Row]:
        """All rows, wherever they are."""
        return [row for group in self.all_groups() for row in group.rows]

    @property
    def fields(self) -> list[tuple[str | Promise, list[tuple[str, str]]]]:
        """What can be compared, by kind and name in the language of the page."""
        found: dict[FieldGroup, list[tuple[str, str]]] = {group: [] for group in _GROUPS}
        for field in self.names.all():
            found[field.group].append((field.name, str(field.label)))
        return [
            (_GROUPS[group], sorted(rows, key=lambda row: row[1]))
            for group, rows in found.items()
            if rows
        ]

    @property
    def may_grow(self) -> bool:
        """Say whether another row may be added."""
        return len(self.rows) < MAX_ROWS

    @property
    def may_nest(self) -> bool:
        """Say whether another group may be added."""
        return self.may_grow and len(list(self.all_groups())) <= MAX_GROUPS

    @property
    def groups_count(self) -> int:
        """How many groups there are, the top one included."""
        return len(list(self.all_groups()))

    def all_groups(self) -> Iterator[Group]:
        """Give all groups, each before those inside it."""

        def inside(group: Group) -> Iterator[Group]:
            yield group
            for other in group.groups:
                yield from inside(other)

        return inside(self.top)

    def renumber(self) -> None:
        """Number rows and groups in the order in which they stand."""
        for number, group in enumerate(self.all_groups()):
            group.number = number
            for other in group.groups:
                other.parent = number
        for group in self.all_groups():
            for other in group.groups:
                other.parent = group.number
        for number, row in enumerate(self.rows):
            row.number = number

    def tree(self) -> dict[str, Any]:
        """Return the condition as JSON; empty rows and groups are left out.

        :raises ConditionError: if a row is wrong; the row says why.
        """
        if self.other is not None:
            return self.other
        tree = self._tree(self.top)
        if any(row.error for row in self.rows):
            self.error = _("A part of the audience cannot be read.")
            raise ConditionError(self.error, pointer="/condition")
        return tree or {}

    def _tree(self, group: Group) -> dict[str, Any] | None:
        parts: list[dict[str, Any]] = []
        for row in group.rows:
            if row.is_empty:
                continue
            try:
                part = row.tree()
                parse(part, catalogue=self.names.catalogue, is_new=True)
            except DomainError as error:
                row.error = error.detail
                continue
            parts.append(part)
        parts += [tree for other in group.groups if (tree := self._tree(other)) is not None]
        if not parts:
            return None
        inner = {"any" if group.mode in {"any", "none"} else "all": parts}
        if group.mode in {"all", "any"}:
            return inner
        return {"not": parts[0] if len(parts) == 1 else inner}


class _Reader:
    """Puts a tree into rows and groups, as far as there is room."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.rows = 0
        self.groups = 0

    def read(self, tree: Mapping[str, Any], top: Group) -> bool:
        if "field" in tree:
            return self._row(tree, top)
        mode, parts = _parts(tree)
        top.mode = mode
        return all(self._part(part, top) for part in parts)

    def _part(self, tree: Mapping[str, Any], group: Group) -> bool:
        if "field" in tree:
            return self._row(tree, group)
        self.groups += 1
        if self.groups > MAX_GROUPS or not group.may_nest:
            return False
        mode, parts = _parts(tree)
        inside = Group(self.groups, mode, group.number, group.depth + 1)
        group.groups.append(inside)
        return all(self._part(part, inside) for part in parts)

    def _row(self, tree: Mapping[str, Any], group: Group) -> bool:
        try:
            comparison = parse(tree, catalogue=self.names.catalogue)
        except ConditionError:
            return False
        field: Field = comparison.field  # type: ignore[union-attr]
        group.rows.append(
            Row(
                self.rows,
                field.template or field.name,
                tree["op"],
                shown(field, tree["value"]),
                args={name: str(value) for name, value in field.args},
                names=self.names,
            )
        )
        self.rows += 1
        return self.rows <= MAX_ROWS


def _parts(tree: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the mode of a group and what is in it."""
    if "not" not in tree:
        mode = "all" if "all" in tree else "any"
        return mode, tree[mode]
    inner = tree["not"]
    if "all" in inner:
        return "not_all", inner["all"]
    return "none", inner.get("any", [inner])


def _posted(data: QueryDict, number: int, names: Names) -> Row:
    prefix = f"condition-{number}-"
    args = {
        key[len(prefix) + 4 :]: data.get(key, "") for key in data if key.startswith(f"{prefix}arg-")
    }
    return Row(
        number,
        data.get(f"{prefix}field", ""),
        data.get(f"{prefix}op", ""),
        [value.strip() for value in data.getlist(f"{prefix}value")],
        args=args,
        names=names,
    )


def _count(data: QueryDict, name: str, most: int) -> int:
    try:
        return max(min(int(data.get(name, "0")), most), 0)
    except ValueError:
        return 0


def _mode(text: str) -> str:
    return text if text in MODES else "all"


def _first_op(found: Field | Template | None) -> str:
    if found is None:
        return ""
    kinds = FIELD_OPS[found.type]
    is_amount = ">=" in kinds and getattr(found, "choices", None) is None
    return ">=" if is_amount else kinds[0]
