"""A purchase with all its effects, in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.actors import Actor
from core.clock import local_date
from members.activity.models import Purchase
from members.activity.operations import Line, add_purchase
from members.earning._keys import earning_key
from members.earning._matching import match_purchase, used_by
from members.earning.models import Earning
from members.earning.rules import GROWTH, POINTS, Earned, compute, is_capped
from members.earning.values import PurchaseOutcome
from members.points.operations import Source, earn
from members.points.queries import get_entry
from members.profiles.models import Member
from members.segments.operations import mark_late
from members.tiers.models import TierChange
from members.tiers.operations import hold_member, measure_member, raise_tier
from members.tiers.queries import get_standing, standing_of
from members.tiers.values import Holding, Standing
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit_each


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
        matching = match_purchase(
            member_id=member.pk,
            occurred_at=purchase.occurred_at,
            channel=purchase.channel,
            store_code=purchase.store_code,
            at=at,
        )
        earned = compute(
            matching.rules,
            matching.campaigns,
            amount_minor=purchase.amount_minor,
            lines=lines,
            tier_bp=holding.multiplier_bp,
            used=used_by(matching.rules, member_id=member.pk, on=purchase.local_date),
        )
    posted = _credit(purchase, earned)
    change, standing = _check_tier(holding, at=at, cause=cause)
    mark_if_late(purchase, at)
    outcome = PurchaseOutcome(
        purchase=purchase,
        created=True,
        points=posted[POINTS],
        growth=posted[GROWTH],
        tier_change=change,
        standing=standing,
    )
    if not is_quiet:
        _tell_purchase(outcome, by, at)
    return outcome


def _credit(purchase: Purchase, earned: Sequence[Earned]) -> dict[str, int]:
    """Post what was earned and keep the decisions; return what came in, by wallet.

    A cap of the wallet may let in less than a rule gave; that is told by the entry.
    """
    posted = {POINTS: 0, GROWTH: 0}
    for item in earned:
        if item.amount == 0:
            continue
        pending = item.rule.pending_days
        posting = earn(
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
        posted[item.wallet] += posting.delta
    if not earned:
        return posted
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_earning (purchase_id, rule_id, wallet, member_id, on_date, "
            "amount, raw, base, eligible_minor, tier_bp, campaign_bp, campaigns, is_capped) "
            "SELECT %s, e.rule_id, e.wallet, %s, %s, e.amount, e.raw, e.base, e.eligible, e.tier, "
            "e.campaign, e.campaigns::bigint[], e.capped FROM unnest(%s::bigint[], %s::varchar[], "
            "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], "
            "%s::text[], %s::bool[]) AS e (rule_id, wallet, amount, raw, base, eligible, tier, "
            "campaign, campaigns, capped)",
            [
                purchase.pk,
                purchase.member_id,
                purchase.local_date,
                [item.rule.pk for item in earned],
                [item.wallet for item in earned],
                [item.amount for item in earned],
                [item.raw for item in earned],
                [item.base for item in earned],
                [item.eligible_minor for item in earned],
                [item.tier_bp for item in earned],
                [item.campaign_bp for item in earned],
                # Arrays of different lengths do not fit into one: each goes as its text.
                [item.campaigns and f"{{{','.join(map(str, item.campaigns))}}}" for item in earned],
                [is_capped(item.rule) for item in earned],
            ],
        )
    return posted


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


def mark_if_late(purchase: Purchase, at: datetime) -> None:
    """Have the next night look at the scores of a member whose past days have changed."""
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
    events = [("purchase.recorded", subject, recorded)]
    if outcome.points or outcome.growth:
        events.append(("points.credited", subject, data))
    emit_each(events=events, at=at)
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
    for earning in Earning.objects.filter(purchase=purchase, amount__gt=0):
        entry = get_entry(
            key=earning_key(purchase_id=purchase.pk, rule_id=earning.rule_id, wallet=earning.wallet)
        )
        given[earning.wallet] += 0 if entry is None else entry.delta
    return PurchaseOutcome(
        purchase=purchase,
        created=False,
        points=given[POINTS],
        growth=given[GROWTH],
        tier_change=None,
        standing=get_standing(member_id=purchase.member_id, at=at),
    )
