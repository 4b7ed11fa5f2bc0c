"""The plain values of the earning room."""

from dataclasses import dataclass

from members.activity.models import Purchase, Refund
from members.tiers.models import TierChange
from members.tiers.values import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOutcome:
    """What a purchase brought. `created` is False when it had been recorded before.

    `points` and `growth` are what it earned then (caps applied, before refunds), `tier_change` the
    upgrade it caused then, if any: the same each time it is sent. `standing` is of now, and None while the brand has no tier scheme.
    """

    purchase: Purchase
    created: bool
    points: int
    growth: int
    tier_change: TierChange | None
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOutcome:
    """What a refund took back. `created` is False when it had been recorded before.

    `shortfall` is the part of `points` that was asked back and could not be taken, because it was
    spent and the brand allows no debt.
    """

    refund: Refund
    created: bool
    points: int
    growth: int
    shortfall: int


@dataclass(frozen=True, slots=True)
class OccasionOutcome:
    """What an occasion gave, now or when it was told first."""

    points: int = 0
    growth: int = 0


@dataclass(frozen=True, slots=True)
class BirthdayOutcome:
    """What the birthdays of one range gave: to how many members, and how many points."""

    members: int = 0
    points: int = 0
