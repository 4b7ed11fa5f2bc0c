"""Fields of conditions that take arguments: what was bought, what was done, in the last N days.

Windows of N days end with the day itself, like all of this room.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from members.segments import names
from members.segments.conditions import (
    Argument,
    Field,
    FieldType,
    Group,
    Source,
    Template,
    literal,
    register_field,
    register_source,
    register_template,
)
from members.segments.conditions.naming import Scalar

# How far back a run of days is followed.
LONGEST_STREAK = 366
CHECK_IN = "check_in"

Args = Mapping[str, Scalar]


def days_argument(default: int = 90) -> Argument:
    """Return the usual argument for a window."""
    return Argument(name="days", label=_("Days"), is_number=True, default=default)


def since_sql(days: Scalar) -> str:
    """Return the first instant of a window of so many days that ends with the day itself."""
    return f"((%(day)s::date - {int(days) - 1})::timestamp AT TIME ZONE %(zone)s)"


_UNTIL = "((%(day)s::date + 1)::timestamp AT TIME ZONE %(zone)s)"


def _bought(args: Args, alias: str) -> tuple[str, str]:
    return f"({alias}.member_id IS NOT NULL)", (
        "LEFT JOIN (SELECT DISTINCT purchase.member_id FROM members_purchase AS purchase "  # noqa: S608
        "JOIN members_purchaseline AS line ON line.purchase_id = purchase.id "
        f"WHERE line.category = {literal(str(args['category']))} "
        f"AND purchase.local_date > %(day)s::date - {int(args['days'])} "
        "AND purchase.local_date <= %(day)s::date "
        "AND (purchase.refunded_minor < purchase.amount_minor OR purchase.amount_minor = 0)"
        f") AS {alias} ON {alias}.member_id = member.id"
    )


def _events(args: Args, alias: str) -> tuple[str, str]:
    return f"COALESCE({alias}.events, 0)", (
        "LEFT JOIN (SELECT member_id, count(*) AS events FROM members_activityevent "  # noqa: S608
        f"WHERE name = {literal(str(args['event']))} AND at >= {since_sql(args['days'])} "
        f"AND at < {_UNTIL} GROUP BY member_id) AS {alias} ON {alias}.member_id = member.id"
    )


def _in_segment(args: Args, alias: str) -> tuple[str, str]:
    return f"({alias}.member_id IS NOT NULL)", (
        f"LEFT JOIN members_segmentmember AS {alias} "
        f"ON {alias}.segment_id = {int(args['segment'])} AND {alias}.member_id = member.id"
    )


def _consent(args: Args, _alias: str) -> tuple[str, str]:
    return f"(personal.consents ->> {literal(str(args['purpose']))})::boolean", ""


# The run of days with a check-in that ends today or, while today may still come, yesterday. Days
# of one run, counted backwards, give the same day once their number is added.
_STREAK = f"""LEFT JOIN (
    SELECT member_id, count(*) FILTER (WHERE on_date + number = last_on + 1) AS days
    FROM (
        SELECT member_id, on_date, max(on_date) OVER own AS last_on,
            (row_number() OVER (own ORDER BY on_date DESC))::int AS number
        FROM (
            SELECT DISTINCT member_id, (at AT TIME ZONE %(zone)s)::date AS on_date
            FROM members_activityevent
            WHERE name = '{CHECK_IN}' AND at >= {since_sql(LONGEST_STREAK)} AND at < {_UNTIL}
        ) AS checked
        WINDOW own AS (PARTITION BY member_id)
    ) AS numbered
    WHERE last_on >= %(day)s::date - 1
    GROUP BY member_id
) AS streak ON streak.member_id = member.id"""  # noqa: S608


def register() -> None:
    """Put the sources, fields and templates of this module into the catalogue."""
    register_source(Source(name="streak", sql=_STREAK))
    register_source(
        Source(
            name="referred",
            sql=(
                "LEFT JOIN (SELECT referred_by_id, count(*) AS members FROM members_member "
                "WHERE referred_by_id IS NOT NULL GROUP BY referred_by_id) AS referred "
                "ON referred.referred_by_id = member.id"
            ),
        )
    )
    register_field(
        Field(
            name="check_in_streak",
            type=FieldType.INTEGER,
            label=_("Check-in streak"),
            help=_("Days in a row with a check-in, up to today or yesterday."),
            unit="days",
            group=Group.ACTIVITY,
            sql="COALESCE(streak.days, 0)",
            source="streak",
        )
    )
    register_field(
        Field(
            name="referred_members",
            type=FieldType.INTEGER,
            label=_("Members referred"),
            help=_("How many members joined on this member's word."),
            unit="members",
            group=Group.ACTIVITY,
            sql="COALESCE(referred.members, 0)",
            source="referred",
        )
    )
    for template in _templates():
        register_template(template)


def _templates() -> tuple[Template, ...]:
    return (
        Template(
            name="bought_category",
            type=FieldType.BOOLEAN,
            label=_("Bought from a category"),
            help=_("A purchase with a line of that category that was not wholly given back."),
            group=Group.PURCHASES,
            arguments=(
                Argument(name="category", label=_("Category"), names=names.category_names),
                days_argument(),
            ),
            phrases=(
                _("has bought %(category)s in the last %(days)s"),
                _("has not bought %(category)s in the last %(days)s"),
            ),
            bind=_bought,
            moves=True,
        ),
        Template(
            name="event_count",
            type=FieldType.INTEGER,
            label=_("Times an event happened"),
            help=_("Events that the brand's systems send, such as visits."),
            unit="times",
            group=Group.ACTIVITY,
            arguments=(
                Argument(name="event", label=_("Event"), names=names.event_names),
                days_argument(30),
            ),
            phrase=_("number of “%(event)s” in the last %(days)s"),
            bind=_events,
        ),
        Template(
            name="consent",
            type=FieldType.BOOLEAN,
            label=_("Consent"),
            help=_("Yes, no, or not known when the member was never asked."),
            group=Group.PERSON,
            arguments=(Argument(name="purpose", label=_("Purpose"), names=names.purpose_names),),
            phrases=(_("agrees to “%(purpose)s”"), _("does not agree to “%(purpose)s”")),
            phrase=_("consent to “%(purpose)s”"),
            bind=_consent,
            source="personal",
        ),
        Template(
            name="in_segment",
            type=FieldType.BOOLEAN,
            label=_("In a saved segment"),
            help=_("As of the last time the segment was stored: each night, and when it changes."),
            group=Group.VALUE,
            arguments=(
                Argument(
                    name="segment",
                    label=_("Segment"),
                    is_number=True,
                    high=10**9,
                    names=names.segment_names,
                    is_closed=True,
                ),
            ),
            phrases=(
                _("is in the segment “%(segment)s”"),
                _("is not in the segment “%(segment)s”"),
            ),
            bind=_in_segment,
        ),
    )
