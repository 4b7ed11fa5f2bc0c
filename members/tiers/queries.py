"""Reading tiers: the scheme in force, where a member stands, sizes and history."""

from datetime import date, datetime

from members.tiers.models import Tier, TierChange, TierScheme
from members.tiers.values import Standing, TierSize


def get_scheme(*, on: date) -> TierScheme | None:
    """Return the scheme in force on a day; None before the first one."""
    raise NotImplementedError


def list_tiers(*, on: date) -> list[Tier]:
    """Return the tiers of the scheme in force on a day, lowest first."""
    raise NotImplementedError


def get_standing(*, member_id: int, at: datetime) -> Standing | None:
    """Return where a member stands; None while the brand has no scheme in force."""
    raise NotImplementedError


def tier_sizes(*, on: date) -> list[TierSize]:
    """Return how many active members hold each tier of the scheme in force, lowest first."""
    raise NotImplementedError


def list_changes(*, member_id: int, limit: int = 50) -> list[TierChange]:
    """Return a member's tier changes with both tiers, newest first."""
    raise NotImplementedError
