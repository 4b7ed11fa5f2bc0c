"""Using a unit of a right: one transaction from the unit to the outbox."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q

from benefits.booking import operations as booking
from benefits.booking import queries as calendars
from benefits.booking.errors import SlotNeededError
from benefits.catalogue.models import Benefit
from benefits.catalogue.stock import take_unit
from benefits.grants import _money
from benefits.grants._audit import note as audit
from benefits.grants._events import tell
from benefits.grants.appointments import booking_key
from benefits.grants.errors import (
    EndedError,
    InvalidGrantError,
    KeyReusedError,
    NotGrantedError,
    SlotAfterEndError,
)
from benefits.grants.fulfilment import get_channel
from benefits.grants.models import Grant, Redemption, RedemptionNote
from benefits.grants.periods import next_grant_at
from benefits.grants.usability import Reason, refusal, why_not
from core.actors import Actor
from core.ids import readable_code
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.operations import require_present
from tenants.audit.operations import verify_identity

_CODE_LENGTH = 8
_MAX_NOTE = 1_000


def redeem(
    *,
    member: Member,
    key: UUID,
    by: Actor,
    at: datetime,
    grant_id: int | None = None,
    benefit_code: str | None = None,
    region: str | None = None,
    note: str = "",
    slot_at: datetime | None = None,
    store_code: str = "",
) -> Redemption:
    """Use one unit of a grant, or of the member's grant of a benefit that ends first.

    The unit, the redemption, the promise on the budget and the event `redemption.requested` are
    one transaction. Channels that only write here have done their part when this returns. The
    same key again returns the first redemption and changes nothing. What staff carry out by
    appointment takes the place of the calendar of `store_code` that begins at `slot_at`.

    :raises NotGrantedError, QuotaUsedError, NotYetStartedError, EndedError, RevokedError,
        OutsideRegionError, BlockedMemberError: when it can not be used; nothing has changed.
    :raises KeyReusedError: if the key belongs to another request.
    :raises LineExhaustedError: if the budget line refuses.
    :raises PoolEmptyError, OutOfStockError: if no code or piece is left.
    :raises SlotNeededError, SlotPastError, NoSuchSlotError, SlotFullError, SlotAfterEndError,
        UnknownCalendarError: if the appointment can not be; `next_at` names a free time.
    """
    if (grant_id is None) == (benefit_code is None):
        raise InvalidGrantError("Name either a grant or a benefit.", pointer="/grant_id")
    if len(note) > _MAX_NOTE:
        raise InvalidGrantError("The note is too long.", pointer="/note")
    if slot_at is not None and slot_at < at:
        raise InvalidGrantError("The time has passed.", pointer="/slot_at")
    seen = _find(key, member, grant_id, benefit_code)
    if seen is not None:
        return seen
    try:
        with transaction.atomic():
            verify_identity()
            region = region if region is not None else member.region
            grant = _take_unit(member, grant_id, benefit_code, region, at)
            return _make(
                grant,
                key=key,
                region=region,
                note=note,
                slot_at=slot_at,
                store_code=store_code,
                by=by,
                at=at,
            )
    except IntegrityError:
        # The same key at the same moment: the other call has made it.
        seen = _find(key, member, grant_id, benefit_code)
        if seen is None:
            raise
        return seen


def _find(
    key: UUID, member: Member, grant_id: int | None, benefit_code: str | None
) -> Redemption | None:
    seen = Redemption.objects.select_related("benefit").filter(key=key).first()
    if seen is None:
        return None
    same = seen.member_id == member.pk and (
        seen.grant_id == grant_id if grant_id is not None else seen.benefit.code == benefit_code
    )
    if not same:
        raise KeyReusedError(key=str(key))
    return seen


def _take_unit(
    member: Member, grant_id: int | None, benefit_code: str | None, region: str, at: datetime
) -> Grant:
    """Count one unit as used, by a conditional update of one row; refuse with the reason."""
    grants = Grant.objects.select_related("benefit", "terms", "rule__budget_line").filter(
        member=member
    )
    if grant_id is not None:
        found = list(grants.filter(pk=grant_id))
    else:
        found = list(
            grants.filter(
                Q(ends_at__isnull=True) | Q(ends_at__gt=at), benefit__code=benefit_code
            ).order_by(F("ends_at").asc(nulls_last=True), "pk")
        )
    if not member.is_active:
        raise BlockedMemberError
    first: Reason | None = None
    for grant in found:
        reason = why_not(
            grant,
            at=at,
            region=region,
            regions=grant.terms.content["regions"],
            next_at=next_grant_at(grant, at=at),
        )
        if reason is None and not _count_used(grant, at):
            reason = _lost(grant, at)
        if reason is None:
            return grant
        first = first or reason
    if first is None:
        raise _nothing_held(member, benefit_code, at)
    raise refusal(first)


def _count_used(grant: Grant, at: datetime) -> bool:
    # No join here: Django would then put the conditions into a subquery, which the database does
    # not look at again after it has waited for the row.
    changed = Grant.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at),
        Exists(Member.objects.filter(pk=OuterRef("member_id"), status=Member.Status.ACTIVE)),
        pk=grant.pk,
        # A merge may have taken it to another member since it was read.
        member_id=grant.member_id,
        used__lt=F("quantity"),
        revoked_at__isnull=True,
        starts_at__lte=at,
    ).update(used=F("used") + 1)
    return bool(changed)


def _lost(grant: Grant, at: datetime) -> Reason:
    """Return why a unit that was there a moment ago is not: somebody was quicker."""
    owner = grant.member_id
    grant.refresh_from_db(fields=["used", "revoked_at", "member"])
    if grant.member_id != owner:
        return Reason(NotGrantedError.code)
    if not Member.objects.filter(pk=grant.member_id, status=Member.Status.ACTIVE).exists():
        return Reason("blocked_member")
    if grant.revoked_at is not None:
        return Reason("revoked")
    return Reason("quota_used", {"next_at": next_grant_at(grant, at=at)})


def _nothing_held(
    member: Member, benefit_code: str | None, at: datetime
) -> NotGrantedError | EndedError:
    ended = (
        Grant.objects.filter(member=member, benefit__code=benefit_code, ends_at__lte=at)
        .order_by("-ends_at")
        .values_list("ends_at", flat=True)
        .first()
    )
    return NotGrantedError() if ended is None else EndedError(ended_at=ended.isoformat())


def _make(
    grant: Grant,
    *,
    key: UUID,
    region: str,
    note: str,
    slot_at: datetime | None,
    store_code: str,
    by: Actor,
    at: datetime,
) -> Redemption:
    benefit = grant.benefit
    on = _money.brand_day(at)
    line = _money.line_for(grant=grant, benefit=benefit, on=on)
    sla = grant.terms.content["sla_hours"]
    channel = benefit.channel
    redemption = Redemption.objects.create(
        key=key,
        grant=grant,
        member_id=grant.member_id,
        benefit=benefit,
        channel=channel,
        # A code from a pool is handed out by the channel.
        code="" if channel in _WITHOUT_CODE else readable_code(_CODE_LENGTH),
        region=region,
        slot_at=slot_at,
        store_code=store_code,
        requested_by=by.key,
        requested_at=at,
        due_at=at + timedelta(hours=sla) if sla is not None else None,
        expires_at=grant.ends_at if channel in _ENDS_WITH_GRANT else None,
        budget_line=line,
        committed_minor=_money.to_promise(grant=grant, benefit=benefit, on=on) if line else 0,
    )
    if benefit.is_stocked:
        take_unit(benefit_id=benefit.pk, taken_for=f"redemption:{redemption.pk}", at=at)
    if benefit.by_appointment and channel == Benefit.Channel.STAFF:
        _appoint(redemption, grant, at)
    if note:
        require_present(member_id=redemption.member_id)
        RedemptionNote.objects.create(redemption=redemption, note=note)
    _money.promise(redemption, line=line, by=by, at=at)
    tell("redemption.requested", redemption, at=at)
    audit(
        "redemption.requested",
        target=("redemption", redemption.pk),
        by=by,
        at=at,
        changes={"benefit": [None, benefit.code]},
    )
    carrier = get_channel(channel)
    if carrier.inline:
        carrier.request(redemption, at=at)
        redemption.refresh_from_db()
    return redemption


def _appoint(redemption: Redemption, grant: Grant, at: datetime) -> None:
    """Take the place of the appointment."""
    slot_at, store_code = redemption.slot_at, redemption.store_code
    if slot_at is None:
        found = calendars.list_calendars(benefit_id=grant.benefit_id)
        here = next((row for row in found if row.store_code == store_code), found[0])
        next_at = calendars.next_free_at(calendar=here, at=at)
        raise SlotNeededError(
            pointer="/slot_at",
            stores=[row.store_code for row in found],
            next_at=None if next_at is None else next_at.isoformat(),
        )
    if grant.ends_at is not None and slot_at >= grant.ends_at:
        raise SlotAfterEndError(ends_at=grant.ends_at.isoformat())
    booking.book(
        benefit_id=grant.benefit_id,
        store_code=store_code,
        starts_at=slot_at,
        taken_for=booking_key(redemption),
        at=at,
    )


_WITHOUT_CODE = frozenset({Benefit.Channel.INSTANT, Benefit.Channel.CODE})
# The others are driven to an end by whoever carries them out.
_ENDS_WITH_GRANT = frozenset({Benefit.Channel.CODE, Benefit.Channel.STAFF})
