"""Many members: a condition as one parameterised query. Pure but for the brand's time zone."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast

from core.clock import local_date
from members.segments.conditions.fields import FIELDS, Catalogue, FieldType
from members.segments.conditions.nodes import (
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
    comparisons,
)
from tenants.brands.context import current_brand


class Compiled(NamedTuple):
    """A query text and its named parameters, for `cursor.execute(sql, params)`."""

    sql: str
    params: dict[str, Any]


_KINDS = {
    FieldType.INTEGER: "bigint",
    FieldType.MONEY: "bigint",
    FieldType.NUMBER: "numeric",
    FieldType.DATE: "date",
    FieldType.TEXT: "text",
    FieldType.PATH: "text",
    FieldType.TEXTS: "text",
}
_SQL_OPS = {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def compile_sql(
    condition: Condition,
    *,
    at: datetime,
    zone: str | None = None,
    prefix: str = "",
    catalogue: Catalogue = FIELDS,
) -> Compiled:
    """Make the query that gives the `id` of each active member for whom the condition holds.

    Use it as a subquery: `… WHERE member_id IN (<sql>)`, adding your own named parameters to
    `params`. With two compiled conditions in one statement give each another `prefix` (lower
    case letters). `zone` is the brand's unless given.
    """
    zone = zone or current_brand().timezone
    compiler = _Compiler(prefix)
    where = compiler.holds(condition)
    joins = join_sources({test.field.source for test in comparisons(condition)}, catalogue)
    return Compiled(
        sql=(
            f"SELECT member.id FROM members_member AS member{joins} "  # noqa: S608
            f"WHERE member.status = 'active' AND {where}"
        ),
        params={**moment_parameters(at=at, zone=zone), **compiler.params},
    )


def compile_expression(condition: Condition, *, prefix: str) -> Compiled:
    """Make the boolean expression alone, never null; the caller joins the fields' sources."""
    compiler = _Compiler(prefix)
    return Compiled(f"({compiler.holds(condition)}) IS TRUE", compiler.params)


def join_sources(names: set[str], catalogue: Catalogue = FIELDS) -> str:
    """Return the joins of these sources, to be put behind `members_member AS member`."""
    return "".join(f" {catalogue.source(name).sql}" for name in sorted(names - {""}))


def moment_parameters(*, at: datetime, zone: str) -> dict[str, Any]:
    """Return the parameters that every source and field may use."""
    return {"at": at, "day": local_date(at, zone), "zone": zone}


class _Compiler:
    """Turns a tree into a boolean expression that is true exactly when the condition holds.

    It may be null where the condition does not hold; `not` therefore becomes `IS NOT TRUE`.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.params: dict[str, Any] = {}

    def holds(self, condition: Condition) -> str:
        match condition:
            case All(()):
                return "TRUE"
            case All(parts):
                return "(" + " AND ".join(self.holds(part) for part in parts) + ")"
            case AnyOf(parts):
                return "(" + " OR ".join(self.holds(part) for part in parts) + ")"
            case Not(part):
                return f"(({self.holds(part)}) IS NOT TRUE)"
            case Comparison():
                return self._comparison(condition)

    def _comparison(self, test: Comparison) -> str:  # noqa: C901, PLR0911
        fact, op, value = f"({test.field.sql})", test.op, test.value
        if op == "is_set":
            if test.field.type is FieldType.TEXTS:
                sign = ">" if value else "="
                return f"(COALESCE(cardinality({fact}), 0) {sign} 0)"
            return f"({fact} IS {'NOT ' if value else ''}NULL)"
        if test.field.type is FieldType.BOOLEAN:
            return fact if value else f"(NOT {fact})"
        kind = _KINDS[test.field.type]
        if test.field.type is FieldType.NUMBER:
            # As written: the nearest binary fraction would be another number.
            value = _exact(value)
        match op:
            case "within":
                paths = tuple(f"{_like(path)}/%" for path in cast("tuple[str, ...]", value))
                return f"(({fact} || '/') LIKE ANY({self._add(paths)}::text[]))"
            case "!=":
                return f"({fact} IS DISTINCT FROM {self._add(value)}::{kind})"
            case "between":
                low, high = cast("tuple[Any, Any]", value)
                return f"({fact} BETWEEN {self._add(low)}::{kind} AND {self._add(high)}::{kind})"
            case "in":
                return f"({fact} = ANY({self._add(value)}::{kind}[]))"
            case "not_in":
                return f"(({fact} = ANY({self._add(value)}::{kind}[])) IS NOT TRUE)"
            case "contains":
                return f"({self._add(value)}::text = ANY({fact}))"
            case "contains_any":
                return f"({fact} && {self._add(value)}::text[])"
            case "contains_all":
                return f"({fact} @> {self._add(value)}::text[])"
            case _:
                return f"({fact} {_SQL_OPS[op]} {self._add(value)}::{kind})"

    def _add(self, value: Any) -> str:
        name = f"{self.prefix}v{len(self.params)}"
        self.params[name] = list(value) if isinstance(value, tuple) else value
        return f"%({name})s"


def _exact(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(Decimal(str(item)) for item in value)
    return Decimal(str(value))


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
