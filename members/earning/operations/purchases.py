"""A purchase with all its effects, in one transaction."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.calls import Call, run_calls
from core.clock import local_date
from members.activity.models import Purchase
from members.activity.operations import Line, added, adding, check_purchase
from members.earning._keys import earning_key
from members.earning._matching import in_force_call, match_purchase, used_by
from members.earning.models import Earning
from members.earning.rules import GROWTH, POINTS, Earned, compute, is_capped
from members.earning.values import PurchaseOutcome
from members.points.operations import refusal_of
from members.points.queries import get_entry
from members.profiles.models import Member
from members.segments.operations import mark_late
from members.tiers.models import TierChange
from members.tiers.operations import holding_call, holding_of, measuring_call, raise_tier
from members.tiers.queries import get_change_by_purchase, get_standing, standing_of
from members.tiers.values import Holding, Measured
from tenants.audit.operations import record
from tenants.brands.context import current_brand, current_schema
from tenants.events.operations import emit_each

_CREDIT = """
SELECT o_outcome, o_detail, o_points, o_growth FROM earning_credit(%s, %s, %s, %s, %s, %s)
"""


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
    checked = check_purchase(
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
    with transaction.atomic():
        (key,), held, in_force = run_calls(
            adding(purchase=checked), *_asking(member, occurred_at, at)
        )
        purchase, created = added(purchase=checked, key=key)
        if not created:
            return _replay(purchase, at)
        return _apply(purchase, held, in_force, lines=lines, by=by, at=at)


def apply_purchase(
    *, purchase: Purchase, lines: Sequence[Line], cause: str, by: Actor, at: datetime
) -> PurchaseOutcome:
    """Give a purchase that was just added its effects; for imports. Needs the transaction."""
    held, in_force = run_calls(*_asking(purchase.member, purchase.occurred_at, at))
    return _apply(purchase, held, in_force, lines=lines, by=by, at=at, cause=cause, is_quiet=True)


def _asking(member: Member, occurred_at: datetime, at: datetime) -> tuple[Call, Call]:
    """Return the calls that hold a member and ask what is in force.

    From there on purchases of this member wait for each other: caps and tiers are exact.
    """
    return (
        holding_call(member_id=member.pk, at=max(at, occurred_at)),
        in_force_call(member_id=member.pk, moment=occurred_at),
    )


def _apply(
    purchase: Purchase,
    held: Sequence[Any],
    in_force: Sequence[Any],
    *,
    lines: Sequence[Line],
    by: Actor,
    at: datetime,
    cause: str = TierChange.Cause.PURCHASE,
    is_quiet: bool = False,
) -> PurchaseOutcome:
    member = purchase.member
    # A till whose clock runs ahead past midnight has bought tomorrow.
    holding = holding_of(row=held, member_id=member.pk, at=max(at, purchase.occurred_at))
    earned: list[Earned] = []
    if member.is_active:
        matching = match_purchase(
            in_force=in_force,
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
    posted, measured = _credit(purchase, earned, holding)
    change, standing = None, None
    if measured is not None:
        change = raise_tier(
            holding=holding, measured=measured, at=at, cause=cause, purchase_id=purchase.pk
        )
        standing = (
            standing_of(holding=holding, measured=measured)
            if change is None
            else get_standing(member_id=member.pk, at=at)
        )
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


def _credit(
    purchase: Purchase, earned: Sequence[Earned], holding: Holding
) -> tuple[dict[str, int], Measured | None]:
    """Post what was earned and keep the decisions; return what came in, and the metric then.

    A cap of the wallet may let in less than a rule gave; that is told by the entry.
    """
    calls = [_crediting(purchase, earned)] if earned else []
    if holding.scheme is not None:
        calls.append(measuring_call(holding=holding))
    rows = run_calls(*calls) if calls else []
    posted = {POINTS: 0, GROWTH: 0}
    if earned:
        outcome, detail, posted[POINTS], posted[GROWTH] = rows[0]
        if outcome != "posted":
            raise refusal_of(outcome=outcome, detail=detail)
    return posted, None if holding.scheme is None else Measured(*rows[-1])


def _crediting(purchase: Purchase, earned: Sequence[Earned]) -> Call:
    items = [
        {
            "rule": item.rule.pk,
            "wallet": item.wallet,
            "amount": item.amount,
            "raw": item.raw,
            "base": item.base,
            "eligible": item.eligible_minor,
            "tier": item.tier_bp,
            "campaign": item.campaign_bp,
            "campaigns": item.campaigns,
            "capped": is_capped(item.rule),
            "pending": item.rule.pending_days,
        }
        for item in earned
    ]
    return Call(
        _CREDIT,
        [
            current_schema(),
            purchase.pk,
            purchase.member_id,
            purchase.occurred_at,
            purchase.local_date,
            json.dumps(items),
        ],
    )


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
        tier_change=get_change_by_purchase(purchase_id=purchase.pk),
        standing=get_standing(member_id=purchase.member_id, at=at),
    )
