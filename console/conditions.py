"""A condition as rows of a form: field, comparison, value; every row has to hold.

Rows can be added and change with the field without JavaScript of ours: the page posts them to
an address that draws them again. Conditions of another shape (any of, not) are kept as they are.
"""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from core.errors import DomainError
from core.money import InvalidAmountError, parse_decimal, to_decimal
from members.segments.conditions import FIELDS, ConditionError, Field, FieldType, parse
from tenants.brands.context import current_brand

MAX_ROWS = 12
_LISTS = {"in", "not_in", "contains_any", "contains_all"}
OPS: dict[str, str | Promise] = {
    "=": _l("is"),
    "!=": _l("is not"),
    "<": _l("is less than"),
    "<=": _l("is at most"),
    ">": _l("is more than"),
    ">=": _l("is at least"),
    "between": _l("is from … to …"),
    "in": _l("is one of"),
    "not_in": _l("is none of"),
    "contains": _l("include"),
    "contains_any": _l("include one of"),
    "contains_all": _l("include all of"),
    "is_set": _l("is known"),
}


class Row:
    """One comparison as it was typed, and what its inputs offer."""

    def __init__(self, number: int, field: str = "", op: str = "", value: str = "") -> None:
        self.number = number
        self.field = field
        found = FIELDS.get(field)
        self.ops = [(name, OPS[name]) for name in found.ops] if found else []
        self.op = op if found and op in found.ops else _first_op(found)
        self.choices = _choices(found, self.op)
        # What a select shows is what it means, also before anybody has touched it.
        is_offered = not self.choices or value in dict(self.choices)
        self.value = value if is_offered else self.choices[0][0]
        self.hint = _hint(found, self.op)
        self.error = ""

    @property
    def is_empty(self) -> bool:
        """Say whether no field is chosen: such a row counts for nothing."""
        return FIELDS.get(self.field) is None

    def tree(self) -> dict[str, Any]:
        """Return the comparison as JSON. :raises ConditionError: if the value cannot be read."""
        found = FIELDS.get(self.field)
        if found is None:
            raise ConditionError(_("Choose what to compare."), pointer="/field")
        return {"field": self.field, "op": self.op, "value": _typed(found, self.op, self.value)}


class ConditionRows:
    """The rows of one condition; `other` holds a condition that rows cannot show."""

    def __init__(self, rows: list[Row], *, other: dict[str, Any] | None = None) -> None:
        self.rows = rows
        self.other = other
        self.error = ""

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any] | None) -> "ConditionRows":
        """Show a stored condition."""
        parts = _parts(tree)
        if parts is None:
            return cls([], other=dict(tree or {}))
        rows = [
            Row(number, part["field"], part["op"], _shown(part))
            for number, part in enumerate(parts)
        ]
        return cls(rows or [Row(0)])

    @classmethod
    def from_post(cls, data: QueryDict, *, more: bool = False) -> "ConditionRows":
        """Read what was sent; with `more`, one empty row comes after it."""
        try:
            count = min(int(data.get("condition-rows", "0")), MAX_ROWS)
        except ValueError:
            count = 0
        rows = [
            Row(
                number,
                data.get(f"condition-{number}-field", ""),
                data.get(f"condition-{number}-op", ""),
                ",".join(data.getlist(f"condition-{number}-value")).strip(),
            )
            for number in range(count)
        ]
        if more and len(rows) < MAX_ROWS:
            rows.append(Row(len(rows)))
        return cls(rows)

    @property
    def fields(self) -> list[tuple[str, str | Promise]]:
        """Return what can be compared, by its name in the language of the page."""
        return sorted(((field.name, str(field.label)) for field in FIELDS), key=lambda it: it[1])

    @property
    def may_grow(self) -> bool:
        """Say whether another row may be added."""
        return len(self.rows) < MAX_ROWS

    def tree(self) -> dict[str, Any]:
        """Return the condition as JSON; empty rows are left out.

        :raises ConditionError: if a row is wrong; the row says why.
        """
        if self.other is not None:
            return self.other
        parts = []
        for row in self.rows:
            if row.is_empty:
                continue
            try:
                part = row.tree()
                parse(part)
            except DomainError as error:
                row.error = error.detail
                continue
            parts.append(part)
        if any(row.error for row in self.rows):
            self.error = _("A part of the audience cannot be read.")
            raise ConditionError(self.error, pointer="/condition")
        return {"all": parts} if parts else {}


def _parts(tree: Mapping[str, Any] | None) -> list[dict[str, Any]] | None:
    """Return the comparisons of a plain condition; None if it has another shape."""
    if not tree:
        return []
    parts = tree.get("all", [tree])
    if len(parts) > MAX_ROWS or any("field" not in part for part in parts):
        return None
    return list(parts)


def _first_op(found: Field | None) -> str:
    if found is None:
        return ""
    is_amount = found.type in {FieldType.INTEGER, FieldType.MONEY} and found.choices is None
    return ">=" if is_amount else found.ops[0]


def _choices(found: Field | None, op: str) -> list[tuple[str, str]]:
    if found is not None and op == "is_set":
        return [("yes", _("yes")), ("no", _("no"))]
    if found is None or found.choices is None or op in {"between", *_LISTS}:
        return []
    return [(key, str(label)) for key, label in found.choices().items()]


def _hint(found: Field | None, op: str) -> str:
    if found is None:
        return ""
    if op == "between":
        return _("two values, such as 1, 5")
    if op in _LISTS:
        names = list(found.choices()) if found.choices else []
        return ", ".join(names[:6]) if names else _("several, with commas between")
    return current_brand().currency if found.type is FieldType.MONEY else ""


def _typed(found: Field, op: str, text: str) -> Any:
    if op == "is_set":
        return text != "no"
    if op in _LISTS or op == "between":
        parts = text.replace("，", ",").split(",")
        return [_scalar(found, part.strip()) for part in parts if part.strip()]
    return _scalar(found, text.strip())


def _scalar(found: Field, text: str) -> Any:
    if found.type is FieldType.MONEY:
        try:
            return parse_decimal(text, current_brand().currency)
        except InvalidAmountError:
            raise ConditionError(_("Give an amount such as 1250.")) from None
    if found.type is FieldType.INTEGER:
        try:
            return int(text)
        except ValueError:
            raise ConditionError(_("Give a whole number.")) from None
    if not text:
        raise ConditionError(_("Give a value."))
    return text


def _shown(part: Mapping[str, Any]) -> str:
    value = part["value"]
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = FIELDS.get(part["field"])
    items = value if isinstance(value, list) else [value]
    if found is not None and found.type is FieldType.MONEY:
        return ", ".join(f"{to_decimal(item, current_brand().currency):f}" for item in items)
    return ", ".join(map(str, items))
