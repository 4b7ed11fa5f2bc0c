"""The table that turns scores into value segments; the first row that matches wins. Pure.

Rows are conditions of the one grammar over the facts that are known while scores are computed:
`r`, `f`, `m` (1–5, not known without a purchase in the window), `days_since_joining` and
`visits_30d` (visits, views and check-ins in the 30 days before the as-of date).

Source: DOMAIN §3. “R ≤ 2 and F ≥ 3 or M ≥ 3” is read as R ≤ 2 and (F ≥ 3 or M ≥ 3): one who
bought yesterday is not at risk. A member with visits and no recent purchase is *potential*.
"""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from members.segments.conditions import Catalogue, Condition, Field, FieldType, parse
from members.segments.models import ValueSegment

VISITS = ("visit", "view", "check_in")

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

FACTS = Catalogue()
for _letter, _label in (("r", _("R score")), ("f", _("F score")), ("m", _("M score"))):
    FACTS.add(
        Field(
            name=_letter,
            type=FieldType.INTEGER,
            label=_label,
            sql=f"scored.{_letter}",
            low=1,
            high=5,
        )
    )
FACTS.add(
    Field(
        name="days_since_joining",
        type=FieldType.INTEGER,
        label=_("Days since joining"),
        sql="%(as_of)s::date - (scored.enrolled_at AT TIME ZONE %(zone)s)::date",
    )
)
FACTS.add(
    Field(
        name="visits_30d",
        type=FieldType.INTEGER,
        label=_("Visits in the last 30 days"),
        sql="COALESCE(visited.visits, 0)",
    )
)

Table = Sequence[tuple[ValueSegment, Condition]]


def default_table() -> Table:
    """Return the table used by a brand that has made none of its own."""
    return [(segment, parse(tree, catalogue=FACTS)) for segment, tree in _DEFAULT]
