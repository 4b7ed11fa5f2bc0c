"""Who has been told that a tier will be lost, when, and what is missing."""

from dataclasses import dataclass
from datetime import date, datetime

from core.clock import local_date
from members.profiles.models import Member
from members.tiers._evaluation import measure_many
from members.tiers._frames import frame_on
from members.tiers.models import MemberTier, Tier, TierPin
from tenants.brands.context import current_brand


@dataclass(frozen=True, slots=True)
class Danger:
    """A tier that will be lost on a day unless what is missing comes in, in the metric's unit.

    `source` is empty where the metric decides, else what ends: a paid term or a setting by hand.
    """

    member: Member
    tier: Tier
    lost_on: date
    missing: int
    metric_value: int
    source: str = ""


def list_in_danger(*, at: datetime, limit: int = 100) -> list[Danger]:
    """Return those who were told, the soonest loss first."""
    on = local_date(at, current_brand().timezone)
    frame = frame_on(on, at)
    if frame is None:
        return []
    falling = list(
        MemberTier.objects.filter(grace_until__isnull=False, earned_tier__isnull=True)
        .select_related("member", "tier")
        .order_by("grace_until", "pk")[:limit]
    )
    ending = list(
        TierPin.objects.filter(
            told_at__isnull=False, applied_at__isnull=False, ended_at__isnull=True
        )
        .select_related("member")
        .order_by("ends_on", "pk")[:limit]
    )
    keys = [row.pk for row in falling] + [pin.member_id for pin in ending]
    measured = {row.member_id: row for row in measure_many(frame, member_ids=keys)}
    found: list[Danger] = []
    for row in falling:
        known = measured.get(row.pk)
        if known is not None and row.grace_until is not None:
            missing = max(known.keep - known.keep_metric, 0)
            found.append(Danger(row.member, row.tier, row.grace_until, missing, known.metric))
    for pin in ending:
        known = measured.get(pin.member_id)
        if known is not None and known.held_rank > known.rank:
            tier = frame.tiers[known.held_rank - 1]
            missing = max(tier.entry_threshold - known.metric, 0)
            found.append(Danger(pin.member, tier, pin.ends_on, missing, known.metric, pin.source))
    return sorted(found, key=lambda row: (row.lost_on, row.member.pk))[:limit]
