"""Times in which one member's purchases earn more points: what a benefit can switch on.

A boost counts like a campaign: of all multipliers that hold for a purchase, the greatest does.
Higher rooms start and end boosts; purchases of any age ask for the boost of their own time.
"""

from dataclasses import dataclass
from datetime import datetime

from members.earning.models import Campaign, EarningBoost
from members.points.values import Source

# For one member and time, as a scalar to be read beside the rules.
BOOST_AT_SQL = """(
    SELECT max(boost.multiplier_bp) FROM members_earningboost AS boost
    WHERE boost.member_id = {member} AND boost.starts_at <= {occurred_at}
        AND boost.ends_at > {occurred_at})"""
# The key that a boost has among campaigns: of no campaign of the brand's.
BOOST_KEY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """More points for a member's purchases in `[starts_at, ends_at)`; `source` switched it on."""

    member_id: int
    multiplier_bp: int
    starts_at: datetime
    ends_at: datetime
    source: Source


def start_boost(boost: Boost) -> None:
    """Let a boost hold, in the caller's transaction; once per source, again changes nothing."""
    EarningBoost.objects.get_or_create(
        source_type=boost.source.type,
        source_id=boost.source.id,
        defaults={
            "member_id": boost.member_id,
            "multiplier_bp": boost.multiplier_bp,
            "starts_at": boost.starts_at,
            "ends_at": boost.ends_at,
        },
    )


def end_boost(*, source: Source, at: datetime) -> None:
    """End a boost now; one that has not begun, or has ended, never was or stays as it is."""
    mine = EarningBoost.objects.filter(source_type=source.type, source_id=source.id)
    mine.filter(starts_at__gte=at).delete()
    mine.filter(ends_at__gt=at).update(ends_at=at)


def as_campaign(multiplier_bp: int) -> Campaign:
    """Return a boost as the campaign it counts like: for every rule, alone with the greatest."""
    return Campaign(
        id=BOOST_KEY,
        effect=Campaign.Effect.MULTIPLIER,
        multiplier_bp=multiplier_bp,
        combine=Campaign.Combine.BEST,
        rule_ids=[],
        categories=[],
        stores=[],
        channels=[],
    )


def has_boosts() -> bool:
    """Say whether any member ever had one."""
    return EarningBoost.objects.exists()


def list_boosts(*, member_id: int, at: datetime) -> list[Boost]:
    """Return the boosts that hold for a member now or later, the first to end first."""
    rows = EarningBoost.objects.filter(member_id=member_id, ends_at__gt=at).order_by("ends_at")
    return [
        Boost(
            member_id=row.member_id,
            multiplier_bp=row.multiplier_bp,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            source=Source(row.source_type, row.source_id),
        )
        for row in rows
    ]
