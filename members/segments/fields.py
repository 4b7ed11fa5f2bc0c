"""The fields of conditions that this room knows: who the member is, what was bought, points.

Windows of N days end with the day itself: on the 31st, the last 30 days are the 2nd to the 31st.
"""

from collections.abc import Mapping

from django.utils.dates import MONTHS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.segments.conditions import (
    Field,
    FieldType,
    Source,
    register_field,
    register_source,
)
from members.segments.models import ValueSegment

_WINDOWS = {
    30: (_("Spend in the last 30 days"), _("Orders in the last 30 days")),
    90: (_("Spend in the last 90 days"), _("Orders in the last 90 days")),
    365: (_("Spend in the last 365 days"), _("Orders in the last 365 days")),
}


def _window_source(days: int) -> Source:
    # One source per window: a condition over 30 days reads only 30 days.
    return Source(
        name=f"days{days}",
        sql=(
            "LEFT JOIN (SELECT member_id, sum(spend_minor - refunded_minor)::bigint AS spend, "  # noqa: S608
            "sum(orders)::bigint AS orders FROM members_memberday "
            f"WHERE on_date > %(day)s::date - {days} AND on_date <= %(day)s::date "
            f"GROUP BY member_id) AS days{days} ON days{days}.member_id = member.id"
        ),
    )


def _month_names() -> Mapping[str, str | Promise]:
    return {str(number): name for number, name in MONTHS.items()}


def _value_segments() -> Mapping[str, str | Promise]:
    return {str(value): label for value, label in ValueSegment.choices}


def register() -> None:
    """Put this room's sources and fields into the catalogue; called once at start."""
    for source in (
        Source(
            name="score",
            sql="LEFT JOIN members_memberscore AS score ON score.member_id = member.id",
        ),
        Source(
            name="personal",
            sql="LEFT JOIN members_memberpersonal AS personal ON personal.member_id = member.id",
        ),
        Source(
            name="points",
            sql=(
                "LEFT JOIN members_account AS points "
                "ON points.owner_id = member.id AND points.wallet_id = 1"
            ),
        ),
        *(_window_source(days) for days in _WINDOWS),
    ):
        register_source(source)
    for field in (*_member_fields(), *_value_fields()):
        register_field(field)


def _member_fields() -> list[Field]:
    return [
        Field(
            name="days_since_joining",
            type=FieldType.INTEGER,
            label=_("Days since joining"),
            sql="%(day)s::date - (member.enrolled_at AT TIME ZONE %(zone)s)::date",
        ),
        Field(
            name="birthday_month",
            type=FieldType.INTEGER,
            label=_("Birthday month"),
            sql="EXTRACT(month FROM personal.birthday)::int",
            source="personal",
            low=1,
            high=12,
            choices=_month_names,
        ),
        Field(
            name="gender",
            type=FieldType.TEXT,
            label=_("Gender"),
            sql="NULLIF(personal.gender, '')",
            source="personal",
        ),
        Field(
            name="region",
            type=FieldType.TEXT,
            label=_("Region"),
            sql="NULLIF(member.region, '')",
        ),
        Field(
            name="store",
            type=FieldType.TEXT,
            label=_("Store"),
            sql="NULLIF(member.store_code, '')",
        ),
        Field(
            name="locale",
            type=FieldType.TEXT,
            label=_("Language"),
            sql="NULLIF(member.locale, '')",
        ),
        Field(name="tags", type=FieldType.TEXTS, label=_("Tags"), sql="member.tags::text[]"),
    ]


def _value_fields() -> list[Field]:
    fields = [
        Field(
            name="value_segment",
            type=FieldType.TEXT,
            label=_("Value segment"),
            sql="score.value_segment",
            source="score",
            choices=_value_segments,
        ),
        Field(
            name="points_balance",
            type=FieldType.INTEGER,
            label=_("Points balance"),
            sql="COALESCE(points.balance - points.pending, 0)",
            source="points",
            moves=True,
        ),
        Field(
            name="days_since_last_purchase",
            type=FieldType.INTEGER,
            label=_("Days since the last purchase"),
            sql=(
                "%(day)s::date - (SELECT max(d.on_date) FROM members_memberday AS d "
                "WHERE d.member_id = member.id AND d.orders > 0 AND d.on_date <= %(day)s::date)"
            ),
            moves=True,
        ),
    ]
    for letter, label in (
        ("r", _("R score")),
        ("f", _("F score")),
        ("m", _("M score")),
    ):
        fields.append(
            Field(
                name=f"{letter}_score",
                type=FieldType.INTEGER,
                label=label,
                sql=f"score.{letter}::int",
                source="score",
                low=1,
                high=5,
            )
        )
    for days, (spend, orders) in _WINDOWS.items():
        fields += [
            Field(
                name=f"spend_{days}d",
                type=FieldType.MONEY,
                label=spend,
                sql=f"COALESCE(days{days}.spend, 0)",
                source=f"days{days}",
                moves=True,
            ),
            Field(
                name=f"orders_{days}d",
                type=FieldType.INTEGER,
                label=orders,
                sql=f"COALESCE(days{days}.orders, 0)",
                source=f"days{days}",
                moves=True,
            ),
        ]
    return fields
