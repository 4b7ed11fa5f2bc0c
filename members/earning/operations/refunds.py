"""A refund and what it takes back, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from core.actors import Actor
from members.activity.models import Purchase, Refund
from members.activity.operations import RefundItem, add_refund, check_currency
from members.activity.queries import get_purchase, refunded_by_category
from members.earning._keys import earning_key, refund_key
from members.earning.models import Earning
from members.earning.operations.purchases import mark_if_late
from members.earning.rules import GROWTH, POINTS, Refunded, counts, refund_share
from members.earning.values import RefundOutcome
from members.points.operations import Source, reverse
from members.points.queries import get_entry
from members.tiers.operations import mark_due
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit_each


def record_refund(
    *,
    purchase_external_id: str,
    external_id: str,
    amount_minor: int | None = None,
    lines: Sequence[RefundItem] = (),
    currency: str | None = None,
    occurred_at: datetime,
    by: Actor,
    at: datetime,
) -> RefundOutcome:
    """Record that part or all of a purchase was given back, and take back what it earned.

    In proportion to all that is refunded by now, so that any order of refunds ends at the same
    balance. `lines` names the lines that came back, and without an amount makes it. A tier is not
    lowered at once: the night does that. The same refund again changes nothing. Events:
    `purchase.refunded`, `points.reversed`.

    :raises PurchaseNotFoundError: if there is no such purchase (yet): send the refund again once
        it is recorded.
    :raises UnsupportedCurrencyError: if `currency` is not the brand's.
    :raises RefundTooLargeError, DuplicateRefundError, InvalidAmountError, FuturePurchaseError,
        RefundBeforePurchaseError, InvalidPurchaseError: see `activity.operations.add_refund`; then nothing has changed.
    """
    if currency is not None:
        check_currency(currency, expected=current_brand().currency)
    with transaction.atomic():
        purchase = get_purchase(external_id=purchase_external_id)
        # Locks the purchase: refunds of one purchase wait for each other.
        refund, created = add_refund(
            purchase=purchase,
            external_id=external_id,
            amount_minor=amount_minor,
            lines=lines,
            occurred_at=occurred_at,
            at=at,
        )
        earnings = list(
            Earning.objects.filter(purchase=purchase)
            .select_related("rule")
            .order_by("rule_id", "wallet")
        )
        if not created:
            return _replay_refund(refund, earnings)
        outcome = _take_back(purchase, refund, earnings, at)
        mark_due(member_id=purchase.member_id)
        mark_if_late(purchase, at)
        _tell_refund(purchase, outcome, by, at)
    return outcome


def _take_back(
    purchase: Purchase, refund: Refund, earnings: Sequence[Earning], at: datetime
) -> RefundOutcome:
    taken, shortfall = {POINTS: 0, GROWTH: 0}, 0
    changed = []
    refunded = _refunded(purchase, earnings)
    for earning in earnings:
        share = refund_share(
            earned=earning.amount,
            reversed_before=earning.reversed,
            amount_minor=purchase.amount_minor,
            eligible=earning.eligible_minor,
            refunded=refunded[earning.rule_id],
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


def _refunded(purchase: Purchase, earnings: Iterable[Earning]) -> Mapping[int, Refunded]:
    """Return what is given back by now as each rule sees it."""
    rules = {earning.rule_id: earning.rule for earning in earnings}
    plain = Refunded(purchase.refunded_minor)
    if not any(rule.categories for rule in rules.values()):
        return dict.fromkeys(rules, plain)
    back = refunded_by_category(purchase_id=purchase.pk)
    return {
        key: Refunded(
            purchase.refunded_minor,
            sum(back.values()),
            sum(amount for category, amount in back.items() if counts(rule, category)),
        )
        if rule.categories
        else plain
        for key, rule in rules.items()
    }


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
    events = [("purchase.refunded", subject, refunded)]
    if outcome.points or outcome.growth:
        events.append(("points.reversed", subject, data))
    emit_each(events=events, at=at)
    if by.kind in {"staff", "operator"}:
        record(
            by=by,
            at=at,
            action="purchase.refunded",
            target_type="purchase",
            target_id=purchase.external_id,
        )
