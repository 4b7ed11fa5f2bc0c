"""The fields of conditions that this room knows: who the member is, what was bought, points.

Windows of N days end with the day itself: on the 31st, the last 30 days are the 2nd to the 31st.
"""

from collections.abc import Mapping

from django.conf import settings
from django.utils.dates import MONTHS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.segments import names
from members.segments.conditions import (
    Field,
    FieldType,
    Group,
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
        Source(
            name="expiring",
            sql=(
                "LEFT JOIN (SELECT account.owner_id, sum(lot.remaining)::bigint AS points "
                "FROM members_lot AS lot JOIN members_account AS account "
                "ON account.id = lot.account_id AND account.wallet_id = 1 "
                "WHERE lot.is_open AND NOT lot.is_pending AND lot.expires_on >= %(day)s::date "
                "AND lot.expires_on <= %(day)s::date + 30 GROUP BY account.owner_id) AS expiring "
                "ON expiring.owner_id = member.id"
            ),
        ),
        *(_window_source(days) for days in _WINDOWS),
    ):
        register_source(source)
    for field in (*_member_fields(), *_value_fields()):
        register_field(field)


# The next birthday on or after the day; who was born on 29 February has it on the 28th in years
# without one.
_BIRTHDAY_THIS_YEAR = (
    "(personal.birthday + make_interval(years => EXTRACT(year FROM %(day)s::date)::int "
    "- EXTRACT(year FROM personal.birthday)::int{next}))::date - %(day)s::date"
)
_DAYS_TO_BIRTHDAY = (
    f"CASE WHEN {_BIRTHDAY_THIS_YEAR.format(next='')} >= 0 "
    f"THEN {_BIRTHDAY_THIS_YEAR.format(next='')} "
    f"ELSE {_BIRTHDAY_THIS_YEAR.format(next=' + 1')} END"
)


def _locale_names() -> Mapping[str, str | Promise]:
    return {str(code): str(name) for code, name in settings.LANGUAGES}


def _member_fields() -> list[Field]:
    return [
        Field(
            name="days_since_joining",
            type=FieldType.INTEGER,
            label=_("Days since joining"),
            help=_("In the brand's days; 0 on the day itself."),
            unit="days",
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
            name="days_to_birthday",
            type=FieldType.INTEGER,
            label=_("Days to the next birthday"),
            help=_("0 on the day itself; 29 February counts as the 28th in years without one."),
            unit="days",
            sql=_DAYS_TO_BIRTHDAY,
            source="personal",
            low=0,
            high=366,
        ),
        Field(
            name="gender",
            type=FieldType.TEXT,
            label=_("Gender"),
            sql="NULLIF(personal.gender, '')",
            source="personal",
            names=names.gender_names,
        ),
        Field(
            name="region",
            type=FieldType.PATH,
            label=_("Region"),
            help=_("From large to small, such as cn/gd/shenzhen; cn/gd has all its parts."),
            sql="NULLIF(member.region, '')",
            names=names.region_names,
        ),
        Field(
            name="store",
            type=FieldType.TEXT,
            label=_("Store"),
            help=_("The store where the member joined."),
            sql="NULLIF(member.store_code, '')",
            names=names.store_names,
        ),
        Field(
            name="locale",
            type=FieldType.TEXT,
            label=_("Language"),
            help=_("Not known: the brand's own language."),
            sql="NULLIF(member.locale, '')",
            names=_locale_names,
        ),
        Field(
            name="tags",
            type=FieldType.TEXTS,
            label=_("Tags"),
            sql="member.tags::text[]",
            names=names.tag_names,
        ),
    ]


def _value_fields() -> list[Field]:
    fields = [
        Field(
            name="value_segment",
            type=FieldType.TEXT,
            label=_("Value segment"),
            help=_("As of the last night."),
            group=Group.VALUE,
            sql="score.value_segment",
            source="score",
            choices=_value_segments,
        ),
        Field(
            name="points_balance",
            type=FieldType.INTEGER,
            label=_("Points balance"),
            unit="points",
            group=Group.POINTS,
            sql="COALESCE(points.balance - points.pending, 0)",
            source="points",
            moves=True,
        ),
        Field(
            name="points_expiring_30d",
            type=FieldType.INTEGER,
            label=_("Points expiring in 30 days"),
            help=_("Spendable points whose last good day is today or in the next 30 days."),
            unit="points",
            group=Group.POINTS,
            sql="COALESCE(expiring.points, 0)",
            source="expiring",
            moves=True,
        ),
        Field(
            name="days_since_last_purchase",
            type=FieldType.INTEGER,
            label=_("Days since the last purchase"),
            help=_("Not known without a purchase that was kept."),
            unit="days",
            group=Group.PURCHASES,
            # The last day of each member is the first entry of an index; to sum up the days of
            # all members takes longer.
            sql=(
                "%(day)s::date - (SELECT max(d.on_date) FROM members_memberday AS d "
                "WHERE d.member_id = member.id AND d.orders > 0 AND d.on_date <= %(day)s::date)"
            ),
            moves=True,
        ),
    ]
    for letter, label, text in (
        ("r", _("R score"), _("5: bought most lately; 1: longest ago.")),
        ("f", _("F score"), _("5: bought most often; 1: least.")),
        ("m", _("M score"), _("5: spent most; 1: least.")),
    ):
        fields.append(
            Field(
                name=f"{letter}_score",
                type=FieldType.INTEGER,
                label=label,
                help=text,
                group=Group.VALUE,
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
                help=_("Net of what was given back; today included."),
                unit="money",
                group=Group.PURCHASES,
                sql=f"COALESCE(days{days}.spend, 0)",
                source=f"days{days}",
                moves=True,
            ),
            Field(
                name=f"orders_{days}d",
                type=FieldType.INTEGER,
                label=orders,
                help=_("Without those that were wholly given back; today included."),
                unit="orders",
                group=Group.PURCHASES,
                sql=f"COALESCE(days{days}.orders, 0)",
                source=f"days{days}",
                moves=True,
            ),
        ]
    return fields
