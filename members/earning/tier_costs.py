"""What points cost under the tiers of a simulation: their multipliers on what was earned lately."""

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.points.queries import get_wallet
from members.tiers.costs import TABLE, TierCost

_DAYS = 90
_MONTHS = 3
# What was earned, as the multiplier of each tier would have made it; refunds have taken theirs.
_SQL = f"""
SELECT COALESCE(sum(left_over * placed.old_bp / earned.tier_bp), 0),
    COALESCE(sum(left_over * placed.new_bp / earned.tier_bp), 0)
FROM (
    SELECT member_id, tier_bp, sum(amount - reversed) AS left_over
    FROM members_earning
    WHERE wallet = 'points' AND on_date >= %(since)s AND on_date < %(on)s AND tier_bp > 0
    GROUP BY member_id, tier_bp
) AS earned JOIN {TABLE} AS placed USING (member_id)
"""  # noqa: S608


def estimate_points_cost(*, on: date, old_codes: list[str], new_codes: list[str]) -> TierCost:
    """Return what points cost a month, by what purchases earned in the last 90 days."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"since": on - timedelta(days=_DAYS), "on": on})
        now, then = (_cost(points) for points in cursor.fetchone())
    return TierCost("points", _("Points"), now, then)


def _cost(points: Decimal) -> int:
    exact = Decimal(points) * get_wallet().cost_per_point_micro / 1_000_000 / _MONTHS
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
