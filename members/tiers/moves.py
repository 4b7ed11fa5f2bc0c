"""From which tier to which members moved over a time: the flow behind the overview's chart."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from django.db import connection

from core.remembered import remembered
from members.tiers.models import Tier
from members.tiers.queries import known_tiers, list_tiers
from members.tiers.rules import match_tier

# A member's tier at the start is where the first change since then came from, or, without a
# change, the tier of today. Members who joined since have none.
_SQL = """
WITH first_change AS (
    SELECT DISTINCT ON (member_id) member_id, from_tier_id
    FROM members_tierchange WHERE at >= %(since)s
    ORDER BY member_id, id
)
SELECT member.enrolled_at >= %(since)s,
    CASE WHEN first_change.member_id IS NULL THEN stored.tier_id
        ELSE first_change.from_tier_id END,
    stored.tier_id, count(*)
FROM members_member AS member
LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
LEFT JOIN first_change ON first_change.member_id = member.id
WHERE member.status = 'active'
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class TierMove:
    """How many members are in `to_tier` now and were in `from_tier` then (None: not yet members)."""

    from_tier: Tier | None
    to_tier: Tier
    members: int


def tier_moves(*, since: datetime, on: date) -> list[TierMove]:
    """Return all moves since an instant, those who stayed included, lowest tier first.

    Tiers are those of the scheme in force on a day; tiers of earlier schemes count as what they
    mean there. Nothing while there is no scheme. For pages: of up to five minutes ago where
    counting takes long.
    """
    tiers = list_tiers(on=on)
    if not tiers:
        return []
    rows = remembered(f"tier-moves:{since.isoformat()}", partial(_count_moves, since))
    known = known_tiers(
        tiers=tiers, keys={key for row in rows for key in row[1:3] if key is not None}
    )
    counted: Counter[tuple[int, int]] = Counter()
    for is_new, before, now, members in rows:
        rank = 0 if is_new else match_tier(tiers, known.get(before)).rank
        counted[rank, match_tier(tiers, known.get(now)).rank] += members
    return [
        TierMove(tiers[before - 1] if before else None, tiers[now - 1], members)
        for (before, now), members in sorted(counted.items())
    ]


def _count_moves(since: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"since": since})
        return list(cursor.fetchall())
