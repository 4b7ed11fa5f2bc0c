"""How fast a budget is being used and where that leads: plain figures in, plain figures out.

The projection is deliberately simple, so that finance can check it by hand: the mean spend per
day of the last 28 days goes on until the period ends; the band is one standard deviation of
the daily spend times the square root of the days left, on each side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isqrt
from statistics import pvariance

WINDOW_DAYS = 28


@dataclass(frozen=True, slots=True)
class Projection:
    """Where the spend leads; amounts in minor units.

    `exhausted_on` is the first day on which the whole budget would be used up at the present
    pace, or None when that lies after the period. `low`, `expected`, `high` are the spend at the
    period's end.
    """

    burn_per_day: int
    exhausted_on: date | None
    low: int
    expected: int
    high: int


def project(
    *,
    daily_spend: Sequence[int],
    spent: int,
    total: int,
    today: date,
    ends_on: date,
) -> Projection:
    """Project the spend of a period.

    :param daily_spend: spend of each of the last days before `today`, up to `WINDOW_DAYS`,
        days without spend as 0; empty on the first day of a period.
    :param spent: spend of the period so far.
    :param ends_on: first day after the period.
    """
    days_left = max((ends_on - today).days, 0)
    if not daily_spend:
        return Projection(0, None, spent, spent, spent)
    recent = list(daily_spend)[-WINDOW_DAYS:]
    burn = sum(recent) // len(recent)
    expected = spent + sum(recent) * days_left // len(recent)
    margin = isqrt(int(pvariance(recent) * days_left))
    exhausted_on = None
    if burn > 0:
        days = max(total - spent, 0) // burn
        if days < days_left:
            exhausted_on = today + timedelta(days=days)
    return Projection(
        burn, exhausted_on, max(expected - margin, spent), expected, expected + margin
    )
