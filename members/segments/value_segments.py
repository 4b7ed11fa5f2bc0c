"""The table that turns scores into value segments; the first row that matches wins. Pure.

Rows are conditions of the one grammar over the facts that are known while scores are computed:
`r`, `f`, `m` (1–5, not known without a purchase in the window), `days_since_joining` and the
behaviour signals: how often named events happened in the days before the as-of date. One signal
is always there, `visits_30d`: visits, views and check-ins in 30 days.

Source: DOMAIN §3. “R ≤ 2 and F ≥ 3 or M ≥ 3” is read as R ≤ 2 and (F ≥ 3 or M ≥ 3): one who
bought yesterday is not at risk. A member with visits and no recent purchase is *potential*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.segments.conditions import (
    Catalogue,
    Condition,
    Field,
    FieldType,
    Group,
    fields_of,
    parse,
)
from members.segments.models import ValueSegment

_DEFAULT: tuple[tuple[ValueSegment, dict[str, Any]], ...] = (
    (
        ValueSegment.CHAMPIONS,
        {"all": [{"field": letter, "op": ">=", "value": 4} for letter in "rfm"]},
    ),
    (
        ValueSegment.AT_RISK,
        {
            "all": [
                {"field": "r", "op": "<=", "value": 2},
                {"any": [{"field": letter, "op": ">=", "value": 3} for letter in "fm"]},
            ]
        },
    ),
    (ValueSegment.LOYAL, {"all": [{"field": letter, "op": ">=", "value": 3} for letter in "rf"]}),
    (
        ValueSegment.NEW,
        {
            "any": [
                {"field": "days_since_joining", "op": "<", "value": 60},
                {
                    "all": [
                        {"field": "f", "op": "=", "value": 1},
                        {"field": "r", "op": ">=", "value": 4},
                    ]
                },
            ]
        },
    ),
    (
        ValueSegment.POTENTIAL,
        {
            "any": [
                {"field": "r", "op": ">=", "value": 3},
                {"field": "visits_30d", "op": ">=", "value": 1},
            ]
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Signal:
    """Events counted over the days before the as-of date; `code` is the name of the fact."""

    code: str
    label: str | Promise
    events: tuple[str, ...]
    days: int


VISITS = Signal("visits_30d", _("Visits in the last 30 days"), ("visit", "view", "check_in"), 30)

_FIELDS = (
    *(
        Field(
            name=letter,
            type=FieldType.INTEGER,
            label=label,
            help=_("From 1 to 5; not known without a purchase in 365 days."),
            group=Group.VALUE,
            sql=f"scored.{letter}",
            low=1,
            high=5,
        )
        for letter, label in (("r", _("R score")), ("f", _("F score")), ("m", _("M score")))
    ),
    Field(
        name="days_since_joining",
        type=FieldType.INTEGER,
        label=_("Days since joining"),
        unit="days",
        sql="%(as_of)s::date - (scored.enrolled_at AT TIME ZONE %(zone)s)::date",
    ),
)
RESERVED = frozenset(field.name for field in _FIELDS)

Table = Sequence[tuple[ValueSegment, Condition]]


def facts_of(signals: Sequence[Signal] = ()) -> Catalogue:
    """Return what the table may compare: scores, days since joining, signals of the brand."""
    found = Catalogue()
    for field in _FIELDS:
        found.add(field)
    for signal in {VISITS.code: VISITS, **{signal.code: signal for signal in signals}}.values():
        found.add(
            Field(
                name=signal.code,
                type=FieldType.INTEGER,
                label=signal.label,
                unit="times",
                group=Group.ACTIVITY,
                sql=f"COALESCE(signal_{signal.code}.events, 0)",
                source="",
            )
        )
    return found


def used_signals(table: Table, signals: Sequence[Signal] = ()) -> list[Signal]:
    """Return the signals that the table reads."""
    names = {name for _segment, condition in table for name in fields_of(condition)}
    known = {VISITS.code: VISITS, **{signal.code: signal for signal in signals}}
    return [signal for code, signal in known.items() if code in names]


def default_table() -> Table:
    """Return the table used by a brand that has made none of its own."""
    facts = facts_of()
    return [(segment, parse(tree, catalogue=facts)) for segment, tree in _DEFAULT]
