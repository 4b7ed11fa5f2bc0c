"""From which tier to which members moved over a time: the flow behind the overview's chart."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from members.tiers.models import Tier

# A member's tier at the start is where the first change since then came from, or, without a
# change, the tier of today. Members who joined since have none.
_SQL = """
WITH first_change AS (
    SELECT DISTINCT ON (member_id) member_id, from_tier_id
      FROM members_tierchange WHERE at >= %s
     ORDER BY member_id, id
)
SELECT CASE WHEN c.member_id IS NULL THEN m.tier_id ELSE c.from_tier_id END AS before,
       m.tier_id AS now, count(*)
  FROM members_membertier m LEFT JOIN first_change c USING (member_id)
 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class TierMove:
    """How many members are in `to_tier` now and were in `from_tier` then (None: not yet members)."""

    from_tier: Tier | None
    to_tier: Tier
    members: int


def tier_moves(*, since: datetime) -> list[TierMove]:
    """Return all moves since an instant, those who stayed included, lowest tier first."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [since])
        rows = cursor.fetchall()
    tiers = {tier.pk: tier for tier in Tier.objects.filter(pk__in={t for r in rows for t in r[:2]})}
    moves = [TierMove(tiers.get(before), tiers[now], count) for before, now, count in rows]
    return sorted(
        moves,
        key=lambda move: (move.from_tier.rank if move.from_tier else 0, move.to_tier.rank),
    )
