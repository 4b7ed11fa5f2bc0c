"""What higher rooms know of the cost of a rule before it is published.

Partners estimate what a unit will be charged at, insights know how much of what is granted gets
used, and how the programme's cost stands to its revenue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from benefits.rules.models import GrantRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The programme per month, in the mean of the last whole months: revenue, cost of benefits.

    `line_bp` is the share of revenue that the cost should stay below, in basis points.
    """

    revenue_minor: int
    cost_minor: int
    line_bp: int


# What a partner will charge for a unit of a benefit on a day; None when none would fulfil it.
PriceEstimator = Callable[[int, date], int | None]
# By benefit, the share of granted units that get used, in basis points; unknown ones are left out.
UptakeSource = Callable[[Sequence[int], datetime], Mapping[int, int]]
OutlookSource = Callable[[datetime], Outlook | None]
# What to know of a rule before publishing it, by its audience and how many of it are left out:
# codes with their data, shown as warnings.
Review = Callable[[GrantRule, int, int, datetime], list[tuple[str, dict[str, Any]]]]

_prices: dict[str, PriceEstimator] = {}
_uptakes: dict[str, UptakeSource] = {}
_outlooks: dict[str, OutlookSource] = {}
_reviews: dict[str, Review] = {}


def register_price_estimator(name: str, source: PriceEstimator) -> None:
    """Let a room say what a unit costs beside its unit cost; the name makes twice harmless."""
    _prices[name] = source


def register_uptake(name: str, source: UptakeSource) -> None:
    """Let a room say how much of a benefit gets used."""
    _uptakes[name] = source


def register_outlook(name: str, source: OutlookSource) -> None:
    """Let a room say how the programme's cost stands to its revenue."""
    _outlooks[name] = source


def register_review(name: str, source: Review) -> None:
    """Let a room warn of what it sees in a rule before it is published."""
    _reviews[name] = source


def list_reviews(
    *, rule: GrantRule, audience: int, held_out: int, at: datetime
) -> list[tuple[str, dict[str, Any]]]:
    """Return what the rooms warn of."""
    return [found for source in _reviews.values() for found in source(rule, audience, held_out, at)]


def estimate_price(*, benefit_id: int, on: date) -> int:
    """Return what others will charge for a unit on a day, in minor units."""
    return sum(source(benefit_id, on) or 0 for source in _prices.values())


def list_uptake(*, benefit_ids: Sequence[int], at: datetime) -> dict[int, int]:
    """Return the share of units that get used by benefit, where it is known."""
    found: dict[int, int] = {}
    for source in _uptakes.values():
        found |= source(benefit_ids, at)
    return found


def get_outlook(*, at: datetime) -> Outlook | None:
    """Return how the programme's cost stands to its revenue, if a room knows."""
    return next((found for source in _outlooks.values() if (found := source(at))), None)
