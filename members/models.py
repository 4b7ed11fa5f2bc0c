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
from members.profiles.models import Member, MemberPersonal
from members.segments.models import (
    LateActivity,
    MemberScore,
    SavedSegment,
    ScoreRun,
    ValueSegmentRule,
)
from members.tiers.models import MemberTier, Tier, TierChange, TierScheme

__all__ = [
    "ActivityEvent",
    "Earning",
    "EarningRule",
    "LateActivity",
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
    "TierScheme",
    "ValueSegmentRule",
]
