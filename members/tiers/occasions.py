"""How often the things happened that set off what is granted: a reading across the lower rooms."""

from datetime import datetime
from enum import StrEnum

from django.db import connection

from members.segments.conditions import Condition, compile_sql


class OccasionKind(StrEnum):
    """What can happen to a member: joined, rose to a tier, bought, did a named thing."""

    JOINED = "joined"
    ROSE = "rose"
    BOUGHT = "bought"
    DID = "did"


_COUNTS = {
    OccasionKind.JOINED: (
        "SELECT count(*) FROM members_member AS e WHERE e.enrolled_at >= %(since)s"
        " AND e.id IN ({audience})"
    ),
    # Each tier once, as what is given for reaching it.
    OccasionKind.ROSE: (
        "SELECT count(DISTINCT (e.member_id, e.to_tier_id)) FROM members_tierchange AS e"
        " JOIN members_tier AS reached ON reached.id = e.to_tier_id"
        " LEFT JOIN members_tier AS left_tier ON left_tier.id = e.from_tier_id"
        " WHERE e.at >= %(since)s AND reached.rank > COALESCE(left_tier.rank, 0)"
        " AND e.member_id IN ({audience})"
    ),
    OccasionKind.BOUGHT: (
        "SELECT count(*) FROM members_purchase AS e WHERE e.occurred_at >= %(since)s"
        " AND e.member_id IN ({audience})"
    ),
    OccasionKind.DID: (
        "SELECT count(*) FROM members_activityevent AS e WHERE e.at >= %(since)s"
        " AND e.name = %(event_name)s AND e.member_id IN ({audience})"
    ),
}


def count_occasions(
    *,
    kind: OccasionKind,
    condition: Condition,
    since: datetime,
    at: datetime,
    event_name: str = "",
) -> int:
    """Return how often something happened since an instant to members who meet a condition now.

    `event_name` is the name of what was done, for `did`.
    """
    audience = compile_sql(condition, at=at, prefix="c")
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS[kind].format(audience=audience.sql),
            {**audience.params, "since": since, "event_name": event_name},
        )
        return int(cursor.fetchone()[0])
