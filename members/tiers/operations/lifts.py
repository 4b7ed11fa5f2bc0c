"""A tier held for a time because a benefit gives it: never less than what is held otherwise."""

from datetime import date, datetime

from django.db import transaction

from core.actors import Actor
from core.clock import local_date
from members.tiers.errors import NoSchemeError, UnknownTierError
from members.tiers.models import Tier, TierPin
from members.tiers.operations.pins import end_pin, settle_members
from members.tiers.operations.single import hold_member
from tenants.brands.context import current_brand


def lift_member(
    *, member_id: int, tier: str, until: date, use: str, by: Actor, at: datetime
) -> TierPin:
    """Hold a member at least at a tier from now up to a brand day, once per `use`.

    Who holds or earns a better tier keeps it; several lifts hold beside each other. The night
    ends it. Events: `tier.upgraded`, `tier.welcomed` where the tier is new.

    :raises NoSchemeError: if no scheme is in force.
    :raises UnknownTierError: if the scheme has no such tier.
    """
    today = local_date(at, current_brand().timezone)
    with transaction.atomic():
        holding = hold_member(member_id=member_id, at=at)
        if holding.scheme is None:
            raise NoSchemeError
        wanted = next((row for row in holding.tiers if row.code == tier), None)
        if wanted is None:
            raise UnknownTierError(pointer="/tier", tier=tier)
        pin, made = TierPin.objects.get_or_create(
            member_id=member_id,
            source=TierPin.Source.BENEFIT,
            reason=use,
            defaults={
                "mode": TierPin.Mode.AT_LEAST,
                "tier": wanted,
                "starts_on": today,
                "ends_on": until,
                "made_by": by.key,
                "made_at": at,
            },
        )
        if made:
            settle_members(member_ids=[member_id], on=today, at=at)
            pin.refresh_from_db()
    return pin


def end_lift(*, member_id: int, use: str, at: datetime) -> bool:
    """End what a use of a benefit lifted a member to; False when it has ended already."""
    today = local_date(at, current_brand().timezone)
    with transaction.atomic():
        hold_member(member_id=member_id, at=at)
        pin = (
            TierPin.objects.select_related("tier")
            .filter(
                member_id=member_id,
                source=TierPin.Source.BENEFIT,
                reason=use,
                ended_at__isnull=True,
            )
            .first()
        )
        if pin is None:
            return False
        end_pin(pin=pin, ending=TierPin.Ending.LIFTED, at=at)
        settle_members(member_ids=[member_id], on=today, at=at, ended=[pin])
    return True


def is_known_tier(*, code: str) -> bool:
    """Say whether any scheme, a draft included, has a tier of this code."""
    return Tier.objects.filter(code=code).exists()
