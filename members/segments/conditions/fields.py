"""The catalogue of fields that conditions may use.

A room registers the fields it knows at start: segments the first ones, tiers its own, higher
rooms theirs. A field is one SQL expression over `member` (a row of `members_member`) and the
alias of its source; the same expression gives the fact of one member.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.functional import Promise

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,49}$")


class FieldType(StrEnum):
    """What a field's value is, in SQL (bigint, text, text[]) and in Python (int, str, list)."""

    INTEGER = "integer"
    MONEY = "money"  # an integer in minor units
    TEXT = "text"
    TEXTS = "texts"


_ORDERED = ("=", "!=", "<", "<=", ">", ">=", "between", "in", "not_in", "is_set")
OPS: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.INTEGER: _ORDERED,
    FieldType.MONEY: _ORDERED,
    FieldType.TEXT: ("=", "!=", "in", "not_in", "is_set"),
    FieldType.TEXTS: ("contains", "contains_any", "contains_all", "is_set"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where fields come from: the right side of a `LEFT JOIN`, at most one row per member.

    `sql` is the whole join, such as `LEFT JOIN t AS x ON x.member_id = member.id`. It may use
    the parameters `%(at)s`, `%(day)s` (brand day of `at`) and `%(zone)s`.
    """

    name: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing known about a member.

    `sql` gives the type's value or null for "not known" and may use the parameters of `Source`.
    `moves` says that a purchase can change the value. `choices` gives the allowed values with
    their labels, where there is a fixed set. `low` and `high` bound integers.
    """

    name: str
    type: FieldType
    label: str | Promise
    sql: str
    source: str = ""
    moves: bool = False
    low: int | None = None
    high: int | None = None
    choices: Callable[[], Mapping[str, str | Promise]] | None = None

    @property
    def ops(self) -> tuple[str, ...]:
        """The operators that conditions may use with this field."""
        return OPS[self.type]


@dataclass(slots=True)
class Catalogue:
    """A set of fields and their sources, filled at start and then only read."""

    _fields: dict[str, Field] = field(default_factory=dict)
    _sources: dict[str, Source] = field(default_factory=dict)

    def add_source(self, source: Source) -> None:
        """Register a source. Two of one name are a mistake in the code."""
        if source.name in self._sources:
            raise ValueError(f"source {source.name!r} is registered twice")
        self._sources[source.name] = source

    def add(self, new: Field) -> None:
        """Register a field. A second of that name, or an unknown source, is a mistake."""
        if not _NAME.match(new.name):
            raise ValueError(f"{new.name!r} is no name of a field")
        if new.name in self._fields:
            raise ValueError(f"field {new.name!r} is registered twice")
        if new.source and new.source not in self._sources:
            raise ValueError(f"field {new.name!r} needs the unknown source {new.source!r}")
        self._fields[new.name] = new

    def get(self, name: str) -> Field | None:
        """Return the field of that name, if there is one."""
        return self._fields.get(name)

    def source(self, name: str) -> Source:
        """Return a registered source."""
        return self._sources[name]

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())


FIELDS = Catalogue()


def register_source(source: Source) -> None:
    """Add a source to the catalogue that all conditions use."""
    FIELDS.add_source(source)


def register_field(new: Field) -> None:
    """Add a field to the catalogue that all conditions use."""
    FIELDS.add(new)
