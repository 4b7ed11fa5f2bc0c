"""Making tier schemes and moving members between tiers."""

from collections.abc import Sequence
from datetime import date, datetime

from core.actors import Actor
from members.tiers.models import TierChange, TierScheme
from members.tiers.values import TierDraft


def create_scheme(
    *,
    metric: str,
    window: str,
    tiers: Sequence[TierDraft],
    window_months: int | None = None,
    downgrade_policy: str = TierScheme.DowngradePolicy.ONE_STEP,
    notice_days: int = 14,
    by: Actor,
    at: datetime,
) -> TierScheme:
    """Make a draft scheme with its tiers, lowest first."""
    raise NotImplementedError


def publish_scheme(*, scheme: TierScheme, starts_on: date, by: Actor, at: datetime) -> TierScheme:
    """Put a draft in force from a day (today or later); it can never be edited again."""
    raise NotImplementedError


def check_member(*, member_id: int, at: datetime, cause: str) -> TierChange | None:
    """Raise a member's tier at once when the metric now reaches a higher one."""
    raise NotImplementedError
