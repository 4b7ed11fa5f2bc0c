"""The catalogue of fields that conditions may use.

A room registers the fields it knows at start: segments the first ones, tiers its own, higher
rooms theirs. A field is one SQL expression over `member` (a row of `members_member`) and the
alias of its source; the same expression gives the fact of one member.

Some fields take arguments (“used benefit X in N days”). They are registered as a `Template`; with
its arguments it makes a `Field` like any other, whose name holds them:
`used_benefit(benefit=tea,days=90)`. The catalogue finds such a field by that name, so whoever
works with names of fields need not know of arguments. See ADR 0014.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.functional import Promise

from members.segments.conditions.naming import Scalar, alias_of, key_of, read_key

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,49}$")

Names = Callable[[], Mapping[str, str | Promise]]


class FieldType(StrEnum):
    """What a field's value is: in SQL, in Python, in JSON."""

    INTEGER = "integer"  # bigint, int
    MONEY = "money"  # bigint, int: minor units
    NUMBER = "number"  # numeric, Decimal; JSON number
    DATE = "date"  # date; JSON text such as 2026-03-15
    BOOLEAN = "boolean"
    TEXT = "text"
    PATH = "path"  # text: steps from the largest to the smallest, such as cn/gd/shenzhen
    TEXTS = "texts"  # text[], list


_ORDERED = ("=", "!=", "<", "<=", ">", ">=", "between", "in", "not_in", "is_set")
OPS: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.INTEGER: _ORDERED,
    FieldType.MONEY: _ORDERED,
    FieldType.NUMBER: _ORDERED,
    FieldType.DATE: _ORDERED,
    FieldType.BOOLEAN: ("is", "is_set"),
    FieldType.TEXT: ("=", "!=", "in", "not_in", "is_set"),
    FieldType.PATH: ("within", "=", "!=", "in", "not_in", "is_set"),
    FieldType.TEXTS: ("contains", "contains_any", "contains_all", "is_set"),
}
WHOLE = frozenset({FieldType.INTEGER, FieldType.MONEY})


class Group(StrEnum):
    """Where a field stands in the list that people choose from."""

    PERSON = "person"
    VALUE = "value"
    PURCHASES = "purchases"
    POINTS = "points"
    ACTIVITY = "activity"
    BENEFITS = "benefits"
    OWN = "own"


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
    their labels, where there is a fixed set; `names` those that the brand's rows give: offered
    and used to describe, and the only ones for new conditions when `is_closed`. `low` and `high`
    bound integers. `phrases` say yes and no of a boolean. `template` and `args` are set on a
    field that was made with arguments.
    """

    name: str
    type: FieldType
    label: str | Promise
    sql: str
    help: str | Promise = ""
    unit: str = ""
    group: Group = Group.PERSON
    source: str = ""
    moves: bool = False
    low: int | None = None
    high: int | None = None
    choices: Names | None = None
    names: Names | None = None
    is_closed: bool = False
    phrases: tuple[str | Promise, str | Promise] | None = None
    template: str = ""
    args: tuple[tuple[str, Scalar], ...] = ()

    @property
    def ops(self) -> tuple[str, ...]:
        """The operators that conditions may use with this field."""
        return OPS[self.type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a template: a whole number with bounds, or a text with a set of names."""

    name: str
    label: str | Promise
    is_number: bool = False
    low: int = 1
    high: int = 730
    default: int | None = None
    names: Names | None = None
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A field with arguments.

    `bind` takes the arguments and an alias that is theirs alone, and returns the expression and
    the join it reads (or the name of a registered source). `phrases` (boolean: yes and no) and
    `phrase` (others) describe it with its arguments, by their names.
    """

    name: str
    type: FieldType
    label: str | Promise
    arguments: tuple[Argument, ...]
    bind: Callable[[Mapping[str, Scalar], str], tuple[str, str]]
    phrase: str | Promise = ""
    phrases: tuple[str | Promise, str | Promise] | None = None
    help: str | Promise = ""
    unit: str = ""
    group: Group = Group.ACTIVITY
    moves: bool = False
    low: int | None = None
    high: int | None = None
    # A source shared by all, such as `personal`; else each has a join of its own.
    source: str = ""


@dataclass(slots=True)
class Catalogue:
    """A set of fields, templates and sources, filled at start and then only read.

    `providers` give fields that the brand itself has defined: `attribute.size` is asked of the
    provider `attribute`.
    """

    _fields: dict[str, Field] = field(default_factory=dict)
    _sources: dict[str, Source] = field(default_factory=dict)
    _templates: dict[str, Template] = field(default_factory=dict)
    _providers: dict[str, Callable[[], Mapping[str, Field]]] = field(default_factory=dict)

    def add_source(self, source: Source) -> None:
        """Register a source. Two of one name are a mistake in the code."""
        if source.name in self._sources:
            raise ValueError(f"source {source.name!r} is registered twice")
        self._sources[source.name] = source

    def add(self, new: Field) -> None:
        """Register a field. A second of that name, or an unknown source, is a mistake."""
        self._check_name(new.name)
        if new.source and new.source not in self._sources:
            raise ValueError(f"field {new.name!r} needs the unknown source {new.source!r}")
        self._fields[new.name] = new

    def add_template(self, new: Template) -> None:
        """Register a field with arguments, under the same rules."""
        self._check_name(new.name)
        if new.source and new.source not in self._sources:
            raise ValueError(f"template {new.name!r} needs the unknown source {new.source!r}")
        self._templates[new.name] = new

    def add_provider(self, prefix: str, provider: Callable[[], Mapping[str, Field]]) -> None:
        """Register who knows the brand's own fields `prefix.…`, each by its whole name."""
        if prefix in self._providers:
            raise ValueError(f"provider {prefix!r} is registered twice")
        self._providers[prefix] = provider

    def get(self, name: str) -> Field | None:
        """Return the field of that name, if there is one; arguments in it are honoured."""
        found = self._fields.get(name)
        if found is not None:
            return found
        if "(" in name:
            return self._read(name)
        prefix, dot, _rest = name.partition(".")
        if dot and prefix in self._providers:
            return self._providers[prefix]().get(name)
        return None

    def template(self, name: str) -> Template | None:
        """Return the field with arguments of that name, if there is one."""
        return self._templates.get(name)

    def templates(self) -> Iterator[Template]:
        """Give all fields with arguments."""
        return iter(self._templates.values())

    def provided(self) -> Iterator[Field]:
        """Give the fields that the brand itself has defined."""
        for provider in self._providers.values():
            yield from provider().values()

    def bind(self, template: Template, args: Mapping[str, Scalar]) -> Field:
        """Make the field of a template with arguments that fit it."""
        return self._bind(template, args)[0]

    def source(self, name: str) -> Source:
        """Return a source: a registered one, or that of a field with arguments."""
        found = self._sources.get(name)
        if found is None:
            template_name, args = read_key(name)
            found = self._bind(self._templates[template_name], args)[1]
        return found

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())

    def _check_name(self, name: str) -> None:
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is no name of a field")
        if name in self._fields or name in self._templates:
            raise ValueError(f"field {name!r} is registered twice")

    def _read(self, name: str) -> Field | None:
        try:
            template_name, args = read_key(name)
        except ValueError:
            return None
        template = self._templates.get(template_name)
        if template is None or [*args] != [argument.name for argument in template.arguments]:
            return None
        for argument in template.arguments:
            value = args[argument.name]
            if argument.is_number != isinstance(value, int):
                return None
        return self.bind(template, args)

    def _bind(self, template: Template, args: Mapping[str, Scalar]) -> tuple[Field, Source]:
        ordered = tuple((argument.name, args[argument.name]) for argument in template.arguments)
        key = key_of(template.name, ordered)
        sql, join = template.bind(dict(ordered), alias_of(key))
        made = Field(
            name=key,
            type=template.type,
            label=template.label,
            sql=sql,
            help=template.help,
            unit=template.unit,
            group=template.group,
            source=template.source or key,
            moves=template.moves,
            low=template.low,
            high=template.high,
            phrases=template.phrases,
            template=template.name,
            args=ordered,
        )
        return made, Source(name=made.source, sql=join)


FIELDS = Catalogue()


def register_source(source: Source) -> None:
    """Add a source to the catalogue that all conditions use."""
    FIELDS.add_source(source)


def register_field(new: Field) -> None:
    """Add a field to the catalogue that all conditions use."""
    FIELDS.add(new)


def register_template(new: Template) -> None:
    """Add a field with arguments to the catalogue that all conditions use."""
    FIELDS.add_template(new)


def register_provider(prefix: str, provider: Callable[[], Mapping[str, Field]]) -> None:
    """Let the brand's own fields be found by the catalogue that all conditions use."""
    FIELDS.add_provider(prefix, provider)
