"""One member: read under lock, raised at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from core.calls import Call
from members.tiers import _holding
from members.tiers._holding import measure, read_holding
from members.tiers._metrics import wallet_of
from members.tiers.models import MemberTier, Tier, TierChange, TierPin
from members.tiers.rules import held_rank, reached, window_on, won_until
from members.tiers.values import Holding, Measured
from tenants.brands.context import current_brand
from tenants.events.operations import emit, emit_many


def hold_member(*, member_id: int, at: datetime) -> Holding:
    """Lock a member's row and read the tier held; for operations that then change the metric.

    Call it inside a transaction. Purchases of one member wait here for each other.

    :raises MemberNotFoundError: if there is no such member.
    """
    return read_holding(member_id=member_id, at=at, lock=True)


def check_member(
    *, member_id: int, at: datetime, cause: str, purchase_id: int | None = None
) -> TierChange | None:
    """Raise a member's tier at once when the metric now reaches a higher one.

    Never lowers. Writes the evidence and the event `tier.upgraded`.

    :raises MemberNotFoundError: if there is no such member.
    """
    with transaction.atomic():
        holding = hold_member(member_id=member_id, at=at)
        if holding.scheme is None:
            return None
        return raise_tier(
            holding=holding,
            measured=measure(holding),
            at=at,
            cause=cause,
            purchase_id=purchase_id,
        )


def holding_call(*, member_id: int, at: datetime) -> Call:
    """Return the call of `hold_member`, to be run with others; its row goes to `holding_of`."""
    return _holding.holding_call(member_id=member_id, at=at, lock=True)


def holding_of(*, row: Sequence[Any], member_id: int, at: datetime) -> Holding:
    """Make the holding of what the call of `hold_member` returned.

    :raises MemberNotFoundError: if there is no such member.
    """
    return _holding.holding_from(row, member_id=member_id, at=at)


def measuring_call(*, holding: Holding) -> Call:
    """Return the call of `measure_member`; its row holds the values of `Measured`."""
    return _holding.measuring_call(holding)


def measure_member(*, holding: Holding) -> Measured:
    """Return the metric now of a member that is held, for `raise_tier` and the standing."""
    return measure(holding)


def raise_tier(
    *,
    holding: Holding,
    measured: Measured,
    at: datetime,
    cause: str,
    purchase_id: int | None = None,
) -> TierChange | None:
    """Raise the tier of a member held by `hold_member` when the metric reaches a higher one.

    Returns the change of the tier held; None as well where a pin hides that more is earned now.
    """
    scheme, tier, earned = holding.scheme, holding.tier, holding.earned
    if scheme is None or tier is None or earned is None:
        return None
    target = reached(holding.tiers, measured.metric)
    if target.rank > earned.rank and wallet_of(scheme.metric) is None:
        # A refund may have come between: what is decided is what is written down.
        measured = measure(holding, with_receipt=True)
        target = reached(holding.tiers, measured.metric)
    if target.rank <= earned.rank:
        return None
    held = held_tier(holding, earned=target)
    if not _store_raise(holding, target, held, measured, at):
        # The nightly evaluation has just changed the row: look again.
        return check_member(
            member_id=holding.member_id, at=at, cause=cause, purchase_id=purchase_id
        )
    span = window_on(scheme, on=holding.on, enrolled_on=holding.enrolled_on)
    change = TierChange.objects.create(
        member_id=holding.member_id,
        from_tier_id=holding.stored_tier_id or tier.pk,
        to_tier=held,
        earned_tier=target,
        at=at,
        cause=cause,
        by_purchase_id=purchase_id,
        metric_value=measured.metric,
        threshold=target.entry_threshold,
        window_from=span.from_on,
        window_to=span.to_on,
        journal_seq=measured.journal_seq,
        purchase_ids=measured.purchase_ids,
        refund_ids=measured.refund_ids,
        scheme_version=scheme.version,
        zone=current_brand().timezone,
    )
    if held.rank <= tier.rank:
        return None
    emit(
        type="tier.upgraded",
        subject=f"member:{holding.member_id}",
        data={
            "member_id": holding.member_id,
            "from": tier.code,
            "to": held.code,
            "rank": held.rank,
            "cause": cause,
            "metric": scheme.metric,
            "metric_value": measured.metric,
            "threshold": target.entry_threshold,
        },
        at=at,
    )
    welcome(member_ids=[holding.member_id], tier=held, at=at)
    return change


def mark_due(*, member_id: int) -> None:
    """Ask the next night to look at a member whose metric was lowered for days gone by."""
    # Also where it is set: a night that is at this row has not seen what the caller did.
    MemberTier.objects.filter(pk=member_id).update(is_due=True)


def held_tier(holding: Holding, *, earned: Tier) -> Tier:
    """Return the tier that a member holds who has earned this one, under the pins that apply."""
    rank = held_rank(
        earned.rank,
        exactly=[pin.tier.rank for pin in holding.pins if pin.mode == TierPin.Mode.EXACTLY],
        at_least=[pin.tier.rank for pin in holding.pins if pin.mode == TierPin.Mode.AT_LEAST],
    )
    return holding.tiers[rank - 1]


def welcome(*, member_ids: Sequence[int], tier: Tier, at: datetime) -> None:
    """Note who is in a tier for the first time, and tell of them: `tier.welcomed`, once for ever.

    Going down and up again is no first time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_tierwelcome (member_id, tier_code, at) "
            "SELECT member_id, %s, %s FROM unnest(%s::bigint[]) AS member_id ORDER BY 1 "
            "ON CONFLICT DO NOTHING RETURNING member_id",
            [tier.code, at, list(member_ids)],
        )
        new = [row[0] for row in cursor.fetchall()]
    emit_many(
        type="tier.welcomed",
        events=[(f"member:{key}", {"member_id": key, "tier": tier.code}) for key in new],
        at=at,
    )


def _store_raise(
    holding: Holding, target: Tier, held: Tier, measured: Measured, at: datetime
) -> bool:
    """Write the higher tier where the row is as it was read; say whether it was."""
    scheme = holding.scheme
    if scheme is None:
        return False
    values: dict[str, Any] = {
        "tier_id": held.pk,
        "earned_tier_id": target.pk if holding.pins else None,
        "since": at if held != holding.tier else holding.since,
        "evaluated_on": holding.on,
        "metric_value": measured.metric,
        "valid_until": won_until(scheme, on=holding.on, enrolled_on=holding.enrolled_on),
        "grace_until": None,
        "spare": None,
    }
    if holding.stored_tier_id is not None:
        found = MemberTier.objects.filter(
            pk=holding.member_id,
            tier_id=holding.stored_tier_id,
            earned_tier_id=holding.stored_earned_id,
        ).update(**values)
        return found == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_membertier (member_id, tier_id, earned_tier_id, since, "
            "evaluated_on, metric_value, valid_until, grace_until, spare) "
            "VALUES (%(member)s, %(tier_id)s, %(earned_tier_id)s, %(since)s, %(evaluated_on)s, %(metric_value)s, %(valid_until)s, %(grace_until)s, "
            "%(spare)s) "
            "ON CONFLICT (member_id) DO NOTHING",
            {"member": holding.member_id, **values},
        )
        return bool(cursor.rowcount == 1)
