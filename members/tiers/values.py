"""The plain values of the tiers room."""

from dataclasses import dataclass
from datetime import date, datetime

from members.tiers.models import Tier, TierScheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a member stands: the tier, and what it takes to rise and to stay.

    `metric_value` is the metric now, in the scheme's unit (growth, minor units, orders, points),
    over [`window_from`, `window_to`) in brand days; `window_from` is None for all time. `missing`
    is what lacks to the next tier (0 without one), `missing_to_keep` what lacks to the keep
    threshold. `valid_until` is the first day on which the tier can be lost, None when nothing
    threatens it. `tiers` are all of the scheme, lowest first.

    `tier` is held, `earned` is what the metric gives; they differ only while `pin` holds the
    member. What lacks to keep is then what lacks to earn the tier held before the pin ends.
    """

    tier: Tier
    next_tier: Tier | None
    metric: str
    metric_value: int
    missing: int
    keep_threshold: int
    missing_to_keep: int
    window_from: date | None
    window_to: date
    valid_until: date | None
    since: datetime | None
    earned: Tier
    tiers: tuple[Tier, ...] = ()
    pin: "HeldPin | None" = None


@dataclass(frozen=True, slots=True)
class HeldPin:
    """A pin that applies to a member, with its tier under the scheme in force."""

    pin_id: int
    tier: Tier
    source: str
    mode: str
    ends_on: date


@dataclass(frozen=True, slots=True)
class TierSize:
    """How many active members hold a tier."""

    tier: Tier
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TierDraft:
    """One tier of a scheme to be made; see `models.Tier` for the fields. Ranks follow the order."""

    code: str
    name: dict[str, str]
    entry_threshold: int
    keep_threshold: int
    colour: str = "#7a7f87"
    multiplier_bp: int = 10_000
    grace_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeDraft:
    """A scheme to be made or tried out; see `models.TierScheme` for the fields."""

    metric: str
    window: str
    window_months: int | None = None
    downgrade_policy: str = TierScheme.DowngradePolicy.ONE_STEP
    notice_days: int = 14
    tiers: tuple[TierDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A member's tier under the scheme in force on a day.

    `stored_tier_id` is what the row says, None without one; `tier` is what that means under this
    scheme, `earned` what the metric alone would give, on which the dates are. `scheme` is None while there is none, and then there are no tiers.
    """

    member_id: int
    on: date
    enrolled_on: date
    scheme: TierScheme | None
    tiers: tuple[Tier, ...]
    stored_tier_id: int | None
    stored_earned_id: int | None
    tier: Tier | None
    earned: Tier | None
    pins: tuple[HeldPin, ...]
    since: datetime | None
    valid_until: date | None
    grace_until: date | None

    @property
    def multiplier_bp(self) -> int:
        """The points multiplier of the tier, in basis points."""
        return self.tier.multiplier_bp if self.tier else 10_000


@dataclass(frozen=True, slots=True)
class Measured:
    """The metric for winning and for keeping a tier, and the journal's length at that moment.

    For spend and orders, when asked for: the purchases and refunds that make the metric.
    """

    metric: int
    keep_metric: int
    journal_seq: int | None
    purchase_ids: list[int] | None = None
    refund_ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one range of members gave: how many rose, fell, were told of a danger."""

    upgraded: int = 0
    downgraded: int = 0
    told: int = 0

    def __add__(self, other: "Evaluated") -> "Evaluated":
        return Evaluated(
            self.upgraded + other.upgraded,
            self.downgraded + other.downgraded,
            self.told + other.told,
        )
