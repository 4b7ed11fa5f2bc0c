"""The value of one row of a condition: what its input is, how it is read and shown."""

from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from core.money import InvalidAmountError, parse_decimal, to_decimal
from members.segments.conditions import ConditionError, Field, FieldType, Labels, Template
from tenants.brands.context import current_brand

LISTS = frozenset({"in", "not_in", "within", "contains_any", "contains_all"})
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
    "within": _l("is this or a part of it"),
    "is": _l("is (yes or no)"),
    "contains": _l("include"),
    "contains_any": _l("include one of"),
    "contains_all": _l("include all of"),
    "is_set": _l("is known"),
}
UNITS: dict[str, str | Promise] = {
    "days": _l("days"),
    "points": _l("points"),
    "orders": _l("orders"),
    "members": _l("members"),
    "times": _l("times"),
}
_KINDS = {FieldType.INTEGER: "number", FieldType.DATE: "date", FieldType.NUMBER: "text"}
# More than these are typed, with suggestions.
_MOST_TO_SELECT = 60


class Widget:
    """One input: its kind, what it offers, what is in it.

    `kind` is `select`, `many` (several of a list), `pair` (from, to) or the type of an input;
    `options` are values with names; `datalist` says whether they are only suggestions.
    """

    def __init__(
        self, found: Field | Template | None, op: str, values: Sequence[str], labels: Labels
    ) -> None:
        self.values = [value for value in values if value != ""]
        self.options: list[tuple[str, str]] = []
        self.low: int | None = None
        self.high: int | None = None
        self.unit: str | Promise = ""
        self.kind = "text"
        self.is_list = False
        if found is None:
            self.kind = ""
            return
        self.low, self.high = found.low, found.high
        self.unit = UNITS.get(found.unit, "")
        if found.type is FieldType.MONEY:
            self.unit = current_brand().currency
        self.type = _KINDS.get(found.type, "text")
        fixed = getattr(found, "choices", None)
        offered = labels.options(fixed or getattr(found, "names", None))
        is_closed = fixed is not None or getattr(found, "is_closed", False)
        if op in {"is", "is_set"}:
            self.kind, self.options = "select", [("yes", _("yes")), ("no", _("no"))]
        elif op == "between":
            self.kind = "pair"
            self.values = ([*",".join(self.values).replace("，", ",").split(","), "", ""])[:2]
            self.values = [value.strip() for value in self.values]
        elif op in LISTS:
            self.options = offered
            if offered and len(offered) <= _MOST_TO_SELECT and is_closed:
                self.kind = "many"
                self.values = _split(self.values)
            else:
                self.kind, self.is_list = "text", True
        elif offered and is_closed:
            self.kind, self.options = "select", offered
        else:
            self.kind, self.options = self.type, offered
        # What a select shows is what it means, also before anybody has touched it.
        if self.kind == "select" and self.options and self.text not in dict(self.options):
            self.values = [self.options[0][0]]

    @property
    def text(self) -> str:
        """What was typed, as one text."""
        return ", ".join(value for value in self.values if value)

    @property
    def is_input(self) -> bool:
        """Say whether it is a plain input."""
        return self.kind in {"text", "number", "date"}

    @property
    def hint(self) -> str:
        """What to type, where that is not plain."""
        return _("several, with commas between") if self.is_list else ""


def typed(found: Field | Template, op: str, values: Sequence[str]) -> Any:
    """Return what was typed as JSON. :raises ConditionError: if it cannot be read."""
    if op in {"is", "is_set"}:
        return next(iter(values), "yes") != "no"
    if op in LISTS or op == "between":
        return [_scalar(found, part) for part in _split(values)]
    return _scalar(found, ", ".join(values).strip())


def shown(found: Field, value: Any) -> list[str]:
    """Return a stored value as the input shows it."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    items = value if isinstance(value, list) else [value]
    if found.type is FieldType.MONEY:
        return [f"{to_decimal(item, current_brand().currency):f}" for item in items]
    return [str(item) for item in items]


def _split(values: Sequence[str]) -> list[str]:
    parts = [part.strip() for value in values for part in value.replace("，", ",").split(",")]
    return [part for part in parts if part]


def _scalar(found: Field | Template, text: str) -> Any:
    match found.type:
        case FieldType.MONEY:
            try:
                return parse_decimal(text, current_brand().currency)
            except InvalidAmountError:
                raise ConditionError(_("Give an amount such as 1250.")) from None
        case FieldType.INTEGER:
            try:
                return int(text)
            except ValueError:
                raise ConditionError(_("Give a whole number.")) from None
        case FieldType.NUMBER:
            try:
                number = float(text)
            except ValueError:
                raise ConditionError(_("Give a number.")) from None
            return int(number) if number.is_integer() else number
    if not text:
        raise ConditionError(_("Give a value."))
    return text
