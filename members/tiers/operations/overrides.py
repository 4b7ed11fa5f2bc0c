"""A tier set by hand: with a reason and an end, audited, ending by itself."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from core.actors import Actor
from core.clock import local_date
from members.profiles.models import Member
from members.tiers.errors import (
    InvalidOverrideError,
    NoOverrideError,
    NoSchemeError,
    UnknownTierError,
)
from members.tiers.models import TierPin
from members.tiers.operations.pins import end_pin, settle_members
from members.tiers.operations.single import hold_member
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_LONGEST = timedelta(days=3 * 366)


def set_override(
    *,
    member: Member,
    tier: str,
    mode: str,
    until: date,
    reason: str,
    by: Actor,
    at: datetime,
) -> TierPin:
    """Hold a member at a tier from now through a brand day, whatever the metric says.

    `mode`: at least that tier, or exactly it, lower ones included. Replaces what was set before.
    The night after `until` ends it. Events: `tier.upgraded` or `tier.downgraded`.

    :raises NoSchemeError: if no scheme is in force.
    :raises UnknownTierError: if the scheme has no such tier.
    :raises InvalidOverrideError: for a day that is past or too far, or without a reason.
    :raises MemberNotFoundError: if there is no such member.
    """
    today = local_date(at, current_brand().timezone)
    words = reason.strip()
    if mode not in TierPin.Mode.values:
        raise InvalidOverrideError(_("Choose at least or exactly."), pointer="/mode")
    if not words or len(words) > 200:
        raise InvalidOverrideError(_("Give a reason of up to 200 letters."), pointer="/reason")
    if not today <= until <= today + _LONGEST:
        raise InvalidOverrideError(
            _("The last day is today or within three years."), pointer="/until"
        )
    if member.status == Member.Status.ERASED:
        raise InvalidOverrideError(_("This member is erased."), pointer="/member")
    with transaction.atomic():
        holding = hold_member(member_id=member.pk, at=at)
        if holding.scheme is None:
            raise NoSchemeError
        wanted = next((row for row in holding.tiers if row.code == tier), None)
        if wanted is None:
            raise UnknownTierError(pointer="/tier", tier=tier)
        earlier = [
            end_pin(pin=pin, ending=TierPin.Ending.REPLACED, at=at)
            for pin in _open(member).select_related("tier")
        ]
        pin = TierPin.objects.create(
            member=member,
            source=TierPin.Source.OVERRIDE,
            mode=mode,
            tier=wanted,
            starts_on=today,
            ends_on=until + timedelta(days=1),
            reason=words,
            made_by=by.key,
            made_at=at,
        )
        settle_members(member_ids=[member.pk], on=today, at=at, ended=earlier)
        record(
            by=by,
            at=at,
            action="tier_override.set",
            target_type="member",
            target_id=member.pk,
            reason=words,
            changes={
                "tier": [earlier[0].tier.code if earlier else None, wanted.code],
                "mode": [earlier[0].mode if earlier else None, mode],
                "until": [None, until.isoformat()],
            },
        )
    pin.refresh_from_db()
    return pin


def lift_override(*, member: Member, reason: str, by: Actor, at: datetime) -> TierPin:
    """End what was set by hand before its day; the tier is what else holds the member, or earned.

    :raises NoOverrideError: if nothing is set by hand.
    :raises InvalidOverrideError: without a reason.
    """
    today = local_date(at, current_brand().timezone)
    words = reason.strip()
    if not words or len(words) > 200:
        raise InvalidOverrideError(_("Give a reason of up to 200 letters."), pointer="/reason")
    with transaction.atomic():
        hold_member(member_id=member.pk, at=at)
        pin = _open(member).select_related("tier").first()
        if pin is None:
            raise NoOverrideError(member_id=member.pk)
        end_pin(pin=pin, ending=TierPin.Ending.LIFTED, at=at)
        settle_members(member_ids=[member.pk], on=today, at=at, ended=[pin])
        record(
            by=by,
            at=at,
            action="tier_override.lifted",
            target_type="member",
            target_id=member.pk,
            reason=words,
            changes={"tier": [pin.tier.code, None]},
        )
    return pin


def _open(member: Member) -> QuerySet[TierPin]:
    return TierPin.objects.filter(
        member=member, source=TierPin.Source.OVERRIDE, ended_at__isnull=True
    )
