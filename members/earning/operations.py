"""Purchases and refunds with all their effects, each in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.actors import Actor
from core.clock import local_date
from members.activity.models import Purchase, Refund
from members.activity.operations import Line, add_purchase, add_refund
from members.activity.queries import get_purchase
from members.earning._keys import earning_key, refund_key
from members.earning._matching import matching_rules, used_by
from members.earning.models import Earning
from members.earning.rules import (
    GROWTH,
    POINTS,
    Earned,
    compute,
    is_capped,
    refund_share,
)
from members.earning.triggers import PURCHASE
from members.earning.values import PurchaseOutcome, RefundOutcome
from members.points.operations import Source, earn, reverse
from members.points.queries import get_entry
from members.profiles.models import Member
from members.segments.operations import mark_late
from members.tiers.models import TierChange
from members.tiers.operations import hold_member, mark_due, measure_member, raise_tier
from members.tiers.queries import get_standing, standing_of
from members.tiers.values import Holding, Standing
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit_many


def record_purchase(
    *,
    external_id: str,
    member: Member,
    occurred_at: datetime,
    amount_minor: int,
    currency: str,
    channel: str = "",
    store_code: str = "",
    associate: str = "",
    lines: Sequence[Line] = (),
    by: Actor,
    at: datetime,
) -> PurchaseOutcome:
    """Record a purchase, credit what it earns and raise the tier, in one transaction.

    Points and growth are earned on the day of the purchase, with the tier held before it.
    Conditions of rules are held against the facts with this purchase counted. A blocked member's
    purchase is recorded and earns nothing. The same purchase again changes nothing and tells what
    it earned. Events: `purchase.recorded`, `points.credited`, `tier.upgraded`.

    :raises DuplicatePurchaseError, FuturePurchaseError, InvalidAmountError,
        UnsupportedCurrencyError, InvalidPurchaseError, ErasedMemberError: see
        `activity.operations.add_purchase`; then nothing has changed.
    """
    with transaction.atomic():
        purchase, created = add_purchase(
            external_id=external_id,
            member=member,
            occurred_at=occurred_at,
            amount_minor=amount_minor,
            currency=currency,
            channel=channel,
            store_code=store_code,
            associate=associate,
            lines=lines,
            at=at,
        )
        if not created:
            return _replay(purchase, at)
        return _apply(purchase, lines=lines, by=by, at=at)


def apply_purchase(
    *, purchase: Purchase, lines: Sequence[Line], cause: str, by: Actor, at: datetime
) -> PurchaseOutcome:
    """Give a purchase that was just added its effects; for imports. Needs the transaction."""
    return _apply(purchase, lines=lines, by=by, at=at, cause=cause, is_quiet=True)


def record_refund(
    *,
    purchase_external_id: str,
    external_id: str,
    amount_minor: int,
    occurred_at: datetime,
    by: Actor,
    at: datetime,
) -> RefundOutcome:
    """Record that part or all of a purchase was given back, and take back what it earned.

    In proportion to all that is refunded by now, so that any order of refunds ends at the same
    balance. A tier is not lowered at once: the night does that. The same refund again changes
    nothing. Events: `purchase.refunded`, `points.reversed`.

    :raises PurchaseNotFoundError: if there is no such purchase.
    :raises RefundTooLargeError, DuplicateRefundError, InvalidAmountError, FuturePurchaseError,
        InvalidPurchaseError: see `activity.operations.add_refund`; then nothing has changed.
    """
    with transaction.atomic():
        purchase = get_purchase(external_id=purchase_external_id)
        # Locks the purchase: refunds of one purchase wait for each other.
        refund, created = add_refund(
            purchase=purchase,
            external_id=external_id,
            amount_minor=amount_minor,
            occurred_at=occurred_at,
            at=at,
        )
        earnings = list(Earning.objects.filter(purchase=purchase).order_by("rule_id", "wallet"))
        if not created:
            return _replay_refund(refund, earnings)
        outcome = _take_back(purchase, refund, earnings, at)
        mark_due(member_id=purchase.member_id)
        _mark_if_late(purchase, at)
        _tell_refund(purchase, outcome, by, at)
    return outcome


def _apply(
    purchase: Purchase,
    *,
    lines: Sequence[Line],
    by: Actor,
    at: datetime,
    cause: str = TierChange.Cause.PURCHASE,
    is_quiet: bool = False,
) -> PurchaseOutcome:
    member = purchase.member
    # From here on purchases of this member wait for each other: caps and tiers are exact. A till
    # whose clock runs ahead past midnight has bought tomorrow.
    holding = hold_member(member_id=member.pk, at=max(at, purchase.occurred_at))
    earned: list[Earned] = []
    if member.is_active:
        rules = matching_rules(
            trigger=PURCHASE, member_id=member.pk, occurred_at=purchase.occurred_at, at=at
        )
        earned = compute(
            rules,
            amount_minor=purchase.amount_minor,
            lines=lines,
            tier_bp=holding.multiplier_bp,
            used=used_by(rules, member_id=member.pk, on=purchase.local_date),
        )
    _credit(purchase, earned)
    change, standing = _check_tier(holding, at=at, cause=cause)
    _mark_if_late(purchase, at)
    outcome = PurchaseOutcome(
        purchase=purchase,
        created=True,
        points=sum(item.amount for item in earned if item.wallet == POINTS),
        growth=sum(item.amount for item in earned if item.wallet == GROWTH),
        tier_change=change,
        standing=standing,
    )
    if not is_quiet:
        _tell_purchase(outcome, by, at)
    return outcome


def _credit(purchase: Purchase, earned: Sequence[Earned]) -> None:
    """Post what was earned and keep the decisions."""
    for item in earned:
        pending = item.rule.pending_days
        earn(
            owner_id=purchase.member_id,
            wallet=item.wallet,
            amount=item.amount,
            key=earning_key(purchase_id=purchase.pk, rule_id=item.rule.pk, wallet=item.wallet),
            at=purchase.occurred_at,
            earned_on=purchase.local_date,
            available_at=None
            if pending is None
            else purchase.occurred_at + timedelta(days=pending),
            source=Source("purchase", purchase.pk),
            cause={"rule": item.rule.pk},
        )
    if not earned:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_earning (purchase_id, rule_id, wallet, member_id, on_date, "
            "amount, eligible_minor, tier_bp, campaign_bp, is_capped) "
            "SELECT %s, e.rule_id, e.wallet, %s, %s, e.amount, e.eligible, e.tier, e.campaign, "
            "e.capped FROM unnest(%s::bigint[], %s::varchar[], %s::bigint[], %s::bigint[], "
            "%s::int[], %s::int[], %s::bool[]) "
            "AS e (rule_id, wallet, amount, eligible, tier, campaign, capped)",
            [
                purchase.pk,
                purchase.member_id,
                purchase.local_date,
                [item.rule.pk for item in earned],
                [item.wallet for item in earned],
                [item.amount for item in earned],
                [item.eligible_minor for item in earned],
                [item.tier_bp for item in earned],
                [item.campaign_bp for item in earned],
                [is_capped(item.rule) for item in earned],
            ],
        )


def _check_tier(
    holding: Holding, *, at: datetime, cause: str
) -> tuple[TierChange | None, Standing | None]:
    if holding.scheme is None:
        return None, None
    measured = measure_member(holding=holding)
    change = raise_tier(holding=holding, measured=measured, at=at, cause=cause)
    if change is not None:
        return change, get_standing(member_id=holding.member_id, at=at)
    return None, standing_of(holding=holding, measured=measured)


def _mark_if_late(purchase: Purchase, at: datetime) -> None:
    # Scores are of days before today: today's purchases enter by themselves tomorrow.
    if purchase.local_date < local_date(at, current_brand().timezone):
        mark_late(member_ids=[purchase.member_id])


def _tell_purchase(outcome: PurchaseOutcome, by: Actor, at: datetime) -> None:
    purchase = outcome.purchase
    subject = f"member:{purchase.member_id}"
    data: dict[str, Any] = {
        "member_id": purchase.member_id,
        "purchase_id": purchase.pk,
        "purchase": purchase.external_id,
        "points": outcome.points,
        "growth": outcome.growth,
    }
    recorded = {
        **data,
        "amount_minor": purchase.amount_minor,
        "currency": purchase.currency,
        "channel": purchase.channel,
        "store": purchase.store_code,
        "occurred_at": purchase.occurred_at.isoformat(),
    }
    emit_many(type="purchase.recorded", events=[(subject, recorded)], at=at)
    if outcome.points or outcome.growth:
        emit_many(type="points.credited", events=[(subject, data)], at=at)
    if by.kind in {"staff", "operator"}:
        record(
            by=by,
            at=at,
            action="purchase.recorded",
            target_type="purchase",
            target_id=purchase.external_id,
        )


def _replay(purchase: Purchase, at: datetime) -> PurchaseOutcome:
    given = {POINTS: 0, GROWTH: 0}
    for wallet, amount in Earning.objects.filter(purchase=purchase).values_list("wallet", "amount"):
        given[wallet] += amount
    return PurchaseOutcome(
        purchase=purchase,
        created=False,
        points=given[POINTS],
        growth=given[GROWTH],
        tier_change=None,
        standing=get_standing(member_id=purchase.member_id, at=at),
    )


def _take_back(
    purchase: Purchase, refund: Refund, earnings: Sequence[Earning], at: datetime
) -> RefundOutcome:
    taken, shortfall = {POINTS: 0, GROWTH: 0}, 0
    changed = []
    for earning in earnings:
        share = refund_share(
            earned=earning.amount,
            reversed_before=earning.reversed,
            refunded_minor=purchase.refunded_minor,
            amount_minor=purchase.amount_minor,
        )
        if share == 0:
            continue
        posting = reverse(
            entry_ref=earning_key(
                purchase_id=purchase.pk, rule_id=earning.rule_id, wallet=earning.wallet
            ),
            amount=share,
            key=refund_key(refund_id=refund.pk, rule_id=earning.rule_id, wallet=earning.wallet),
            at=at,
            source=Source("refund", refund.pk),
        )
        taken[earning.wallet] -= posting.delta
        shortfall += posting.shortfall
        earning.reversed += share
        changed.append(earning)
    _store_reversed(changed)
    return RefundOutcome(
        refund=refund,
        created=True,
        points=taken[POINTS],
        growth=taken[GROWTH],
        shortfall=shortfall,
    )


def _store_reversed(earnings: Sequence[Earning]) -> None:
    if not earnings:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_earning SET reversed = e.reversed "
            "FROM unnest(%s::bigint[], %s::varchar[], %s::bigint[]) AS e (rule_id, wallet, reversed) "
            "WHERE purchase_id = %s AND members_earning.rule_id = e.rule_id "
            "AND members_earning.wallet = e.wallet",
            [
                [earning.rule_id for earning in earnings],
                [earning.wallet for earning in earnings],
                [earning.reversed for earning in earnings],
                earnings[0].purchase_id,
            ],
        )


def _replay_refund(refund: Refund, earnings: Sequence[Earning]) -> RefundOutcome:
    taken, shortfall = {POINTS: 0, GROWTH: 0}, 0
    for earning in earnings:
        key = refund_key(refund_id=refund.pk, rule_id=earning.rule_id, wallet=earning.wallet)
        entry = get_entry(key=key)
        if entry is not None:
            taken[earning.wallet] -= entry.delta
            shortfall += entry.shortfall
    return RefundOutcome(
        refund=refund,
        created=False,
        points=taken[POINTS],
        growth=taken[GROWTH],
        shortfall=shortfall,
    )


def _tell_refund(purchase: Purchase, outcome: RefundOutcome, by: Actor, at: datetime) -> None:
    subject = f"member:{purchase.member_id}"
    data: dict[str, Any] = {
        "member_id": purchase.member_id,
        "purchase_id": purchase.pk,
        "purchase": purchase.external_id,
        "refund": outcome.refund.external_id,
        "points": outcome.points,
        "growth": outcome.growth,
    }
    refunded = {
        **data,
        "amount_minor": outcome.refund.amount_minor,
        "currency": purchase.currency,
    }
    emit_many(type="purchase.refunded", events=[(subject, refunded)], at=at)
    if outcome.points or outcome.growth:
        emit_many(type="points.reversed", events=[(subject, data)], at=at)
    if by.kind in {"staff", "operator"}:
        record(
            by=by,
            at=at,
            action="purchase.refunded",
            target_type="purchase",
            target_id=purchase.external_id,
        )
