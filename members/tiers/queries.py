"""Reading tiers: the scheme in force, where a member stands, sizes, moves and history."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q

from core.clock import local_date
from core.remembered import remembered
from members.tiers._holding import measure, published, read_holding
from members.tiers.errors import SchemeNotFoundError
from members.tiers.models import MemberTier, Tier, TierChange, TierPin, TierScheme
from members.tiers.rules import is_periodic, match_tier, window_on
from members.tiers.values import HeldPin, Holding, Measured, Standing, TierSize
from tenants.brands.context import current_brand

_SIZES = """
SELECT stored.tier_id, count(*)
FROM members_member AS member
LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
WHERE member.status = 'active'
GROUP BY 1
"""


def get_scheme(*, on: date) -> TierScheme | None:
    """Return the scheme in force on a day; None before the first one."""
    return (
        TierScheme.objects.exclude(status=TierScheme.Status.DRAFT)
        .filter(starts_on__lte=on)
        .order_by("-version")
        .first()
    )


def get_scheme_version(*, version: int) -> TierScheme:
    """Return a scheme, draft or published.

    :raises SchemeNotFoundError: if there is no such version.
    """
    scheme = TierScheme.objects.filter(version=version).first()
    if scheme is None:
        raise SchemeNotFoundError(version=version)
    return scheme


def list_schemes() -> list[TierScheme]:
    """Return all schemes, newest version first."""
    return list(TierScheme.objects.order_by("-version"))


def list_tiers(*, on: date) -> list[Tier]:
    """Return the tiers of the scheme in force on a day, lowest first; none before the first."""
    scheme = get_scheme(on=on)
    return [] if scheme is None else list(published(scheme.pk)[1])


def list_scheme_tiers(*, scheme: TierScheme) -> list[Tier]:
    """Return the tiers of any scheme, lowest first."""
    return list(Tier.objects.filter(scheme=scheme).order_by("rank"))


def list_tiers_by_scheme() -> Mapping[int, list[Tier]]:
    """Return the tiers of every scheme by its key, lowest first."""
    found: dict[int, list[Tier]] = {}
    for tier in Tier.objects.order_by("scheme_id", "rank"):
        found.setdefault(tier.scheme_id, []).append(tier)
    return found


def get_standing(*, member_id: int, at: datetime) -> Standing | None:
    """Return where a member stands; None while the brand has no scheme in force.

    :raises MemberNotFoundError: if there is no such member.
    """
    holding = read_holding(member_id=member_id, at=at)
    if holding.scheme is None:
        return None
    return standing_of(holding=holding, measured=measure(holding))


def get_change_by_purchase(*, purchase_id: int) -> TierChange | None:
    """Return the upgrade that a purchase caused when it was recorded, if any."""
    return (
        TierChange.objects.filter(by_purchase_id=purchase_id)
        .exclude(from_tier=F("to_tier"))
        .select_related("from_tier", "to_tier")
        .first()
    )


def standing_of(*, holding: Holding, measured: Measured) -> Standing:
    """Make the standing from what was read; the holding has a scheme. See `Standing`."""
    scheme, tier, earned = holding.scheme, holding.tier, holding.earned
    if scheme is None or tier is None or earned is None:
        raise ValueError("no scheme is in force")
    higher = [other for other in holding.tiers if other.rank > tier.rank]
    next_tier = higher[0] if higher else None
    span = window_on(scheme, on=holding.on, enrolled_on=holding.enrolled_on)
    pin = _pin_that_holds(holding)
    keep_threshold = tier.keep_threshold if pin is None else tier.entry_threshold
    to_keep, valid_until = 0, None
    if pin is not None:
        if tier.rank > earned.rank:
            to_keep = max(keep_threshold - measured.metric, 0)
            valid_until = pin.ends_on
    elif tier.rank > 1 and scheme.downgrade_policy != TierScheme.DowngradePolicy.NEVER:
        to_keep = max(keep_threshold - measured.keep_metric, 0)
        valid_until = holding.grace_until if to_keep else None
        if valid_until is None and is_periodic(scheme.window):
            valid_until = holding.valid_until
    return Standing(
        tier=tier,
        next_tier=next_tier,
        metric=scheme.metric,
        metric_value=measured.metric,
        missing=max(next_tier.entry_threshold - measured.metric, 0) if next_tier else 0,
        keep_threshold=keep_threshold,
        missing_to_keep=to_keep,
        window_from=span.from_on,
        window_to=span.to_on,
        valid_until=valid_until,
        since=holding.since,
        tiers=holding.tiers,
        earned=earned,
        pin=pin,
    )


def _pin_that_holds(holding: Holding) -> HeldPin | None:
    """Return the pin without which the member would hold another tier: the last of them to end."""
    if holding.tier == holding.earned:
        return None
    holding_it = [pin for pin in holding.pins if pin.tier == holding.tier]
    return max(holding_it, key=lambda pin: pin.ends_on, default=None)


def get_tiers_of(*, member_ids: list[int], on: date) -> Mapping[int, Tier]:
    """Return the tier that each of these members holds; empty while there is no scheme."""
    tiers = list_tiers(on=on)
    if not tiers:
        return {}
    stored = MemberTier.objects.filter(pk__in=member_ids).select_related("tier")
    held = {row.pk: match_tier(tiers, row.tier) for row in stored}
    return {member_id: held.get(member_id, tiers[0]) for member_id in member_ids}


def tier_sizes(*, on: date) -> list[TierSize]:
    """Return how many active members hold each tier of the scheme in force, lowest first.

    For pages: of up to five minutes ago where counting takes long.
    """
    tiers = list_tiers(on=on)
    if not tiers:
        return []
    counted = dict(remembered("tier-sizes", _count_sizes))
    known = known_tiers(tiers=tiers, keys={key for key in counted if key is not None})
    sizes = dict.fromkeys((tier.pk for tier in tiers), 0)
    for key, members in counted.items():
        sizes[match_tier(tiers, known.get(key)).pk] += members
    return [TierSize(tier, sizes[tier.pk]) for tier in tiers]


def _count_sizes() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return list(cursor.fetchall())


def known_tiers(*, tiers: Sequence[Tier], keys: Collection[int]) -> dict[int, Tier]:
    """Return tiers by key: those at hand, and those of earlier schemes by one query if needed."""
    found = {tier.pk: tier for tier in tiers}
    missing = [key for key in keys if key not in found]
    return found | Tier.objects.in_bulk(missing) if missing else found


def list_changes(*, member_id: int, before: int | None = None, limit: int = 50) -> list[TierChange]:
    """Return a member's tier changes with all tiers and pins, newest first.

    Those of what is earned under a pin are among them: they have one tier on both sides.
    """
    changes = TierChange.objects.filter(member_id=member_id).select_related(
        "from_tier", "to_tier", "earned_tier", "pin__tier"
    )
    if before is not None:
        changes = changes.filter(pk__lt=before)
    return list(changes.order_by("-id")[:limit])


def list_pins(*, member_id: int) -> list[TierPin]:
    """Return what staff has set by hand for a member, newest first."""
    pins = TierPin.objects.filter(member_id=member_id, source=TierPin.Source.OVERRIDE)
    return list(pins.select_related("tier").order_by("-id"))


def tier_as_of(*, member_id: int, at: datetime) -> Tier:
    """Return the tier that a member held at an instant, by the evidence of the changes.

    Before the first change: the first tier of the scheme that was in force.

    :raises SchemeNotFoundError: if no scheme was in force then.
    """
    changes = TierChange.objects.filter(member_id=member_id).select_related("to_tier", "from_tier")
    last = changes.filter(at__lte=at).order_by("-id").first()
    if last is not None:
        return last.to_tier
    tiers = list_tiers(on=local_date(at, current_brand().timezone))
    if not tiers:
        raise SchemeNotFoundError
    return tiers[0]


def list_recent_changes(
    *, since: datetime, before: int | None = None, limit: int = 50
) -> list[TierChange]:
    """Return changes of the tier held since an instant, newest first, those before a key."""
    changes = (
        TierChange.objects.filter(at__gte=since)
        .exclude(from_tier=F("to_tier"))
        .select_related("member", "from_tier", "to_tier", "pin")
    )
    if before is not None:
        changes = changes.filter(pk__lt=before)
    return list(changes.order_by("-id")[:limit])


def count_moves(*, since: datetime) -> Mapping[str, int]:
    """Return how many tier changes since an instant were `up` and how many `down`."""
    found = TierChange.objects.filter(at__gte=since).aggregate(
        up=Count("pk", filter=Q(to_tier__rank__gt=F("from_tier__rank"))),
        down=Count("pk", filter=Q(to_tier__rank__lt=F("from_tier__rank"))),
    )
    return {"up": found["up"], "down": found["down"]}


def count_in_grace() -> int:
    """Return how many were told that they will lose their tier: by the metric, or as a pin ends."""
    falling = MemberTier.objects.filter(grace_until__isnull=False, earned_tier__isnull=True)
    ending = TierPin.objects.filter(
        told_at__isnull=False, applied_at__isnull=False, ended_at__isnull=True
    )
    return falling.values_list("pk").union(ending.values_list("member_id")).count()
