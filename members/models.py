"""Gathers the rooms' models: a wing is one Django app with one migration history."""

from members.activity.models import (
    ActivityEvent,
    MemberDay,
    Purchase,
    PurchaseLine,
    Refund,
    Store,
)
from members.earning.models import Earning, EarningRule
from members.points.models import Account, Entry, Hold, Lot, Wallet
from members.profiles.models import (
    AttributeDefinition,
    Claim,
    ConsentChange,
    ConsentPurpose,
    ConsentText,
    Erasure,
    Member,
    MemberPersonal,
)
from members.segments.models import (
    LateActivity,
    MemberScore,
    SavedSegment,
    ScoreRun,
    ValueSegmentRule,
)
from members.tiers.models import MemberTier, Tier, TierChange, TierRun, TierScheme

__all__ = [
    "Account",
    "ActivityEvent",
    "AttributeDefinition",
    "Claim",
    "ConsentChange",
    "ConsentPurpose",
    "ConsentText",
    "Earning",
    "EarningRule",
    "Entry",
    "Erasure",
    "Hold",
    "LateActivity",
    "Lot",
    "Member",
    "MemberDay",
    "MemberPersonal",
    "MemberScore",
    "MemberTier",
    "Purchase",
    "PurchaseLine",
    "Refund",
    "SavedSegment",
    "ScoreRun",
    "Store",
    "Tier",
    "TierChange",
    "TierRun",
    "TierScheme",
    "ValueSegmentRule",
    "Wallet",
]
