"""What members earn on occasions that are no purchase: joining, birthdays, events, invitations."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.clock import local_date
from members.earning._keys import occasion_key
from members.earning._matching import match_occasion, used_by
from members.earning.errors import InvalidOccasionError
from members.earning.models import EarningRule, OccasionEarning
from members.earning.rules import GROWTH, POINTS, Earned, compute
from members.earning.triggers import EVENT, PURCHASE, list_triggers
from members.earning.values import OccasionOutcome
from members.points.operations import Source, earn
from members.profiles.models import Member
from members.tiers.models import TierChange
from members.tiers.operations import hold_member, measure_member, raise_tier
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_INSERT = """
INSERT INTO members_occasionearning
    (rule_id, member_id, wallet, occasion, on_date, amount, raw, tier_bp, at)
SELECT e.rule_id, %s, e.wallet, %s, %s, e.amount, e.raw, e.tier, %s
FROM unnest(%s::bigint[], %s::varchar[], %s::bigint[], %s::bigint[], %s::int[])
    WITH ORDINALITY AS e (rule_id, wallet, amount, raw, tier, number)
ORDER BY e.number
RETURNING id, rule_id, wallet
"""


def earn_on_occasion(
    *,
    member: Member,
    trigger: str,
    occasion: str,
    occurred_at: datetime,
    at: datetime,
    event_name: str = "",
    also: Sequence[str] = (),
) -> OccasionOutcome:
    """Credit what the rules of a trigger (and those `also` named) give a member, once.

    `occasion` names what happened, such as `enrolment` or `referral:7`, unique per member for
    ever: told again, it changes nothing and says what it gave. Rules and caps are those of the
    instant and brand day of `occurred_at`; a blocked member earns nothing, and will not later.
    Event: `points.credited`.

    :raises InvalidOccasionError: for an unknown trigger, or a purchase: those have an operation.
    """
    triggers = (trigger, *also)
    if PURCHASE in triggers or not set(triggers) <= set(list_triggers()):
        raise InvalidOccasionError(pointer="/trigger")
    if not 0 < len(occasion) <= 80:
        raise InvalidOccasionError(pointer="/occasion")
    with transaction.atomic():
        # Occasions and purchases of one member wait for each other here.
        holding = hold_member(member_id=member.pk, at=max(at, occurred_at))
        earlier = list(OccasionEarning.objects.filter(member=member, occasion=occasion))
        if earlier or not Member.objects.filter(pk=member.pk, status="active").exists():
            return _outcome(earlier)
        rules = match_occasion(
            triggers=triggers,
            event_name=event_name,
            member_id=member.pk,
            occurred_at=occurred_at,
            at=at,
        )
        on = local_date(occurred_at, current_brand().timezone)
        earned = compute(
            rules,
            amount_minor=0,
            lines=(),
            tier_bp=holding.multiplier_bp,
            used=used_by(rules, member_id=member.pk, on=on, by_occasions=True),
        )
        if not earned:
            return OccasionOutcome()
        found = _store(member.pk, occasion, earned, occurred_at, on)
        _credit(member.pk, occasion, trigger, earned, found, occurred_at)
        if holding.scheme is not None:
            raise_tier(
                holding=holding,
                measured=measure_member(holding=holding),
                at=at,
                cause=TierChange.Cause.EVENT,
            )
        outcome = OccasionOutcome(
            points=sum(item.amount for item in earned if item.wallet == POINTS),
            growth=sum(item.amount for item in earned if item.wallet == GROWTH),
        )
        if outcome.points or outcome.growth:
            emit(
                type="points.credited",
                subject=f"member:{member.pk}",
                data={
                    "member_id": member.pk,
                    "occasion": occasion,
                    "points": outcome.points,
                    "growth": outcome.growth,
                },
                at=at,
            )
    return outcome


def occasion_of_event(*, event_id: int) -> str:
    """Return the name of the occasion that a recorded event is."""
    return f"{EVENT}:{event_id}"


def _outcome(earlier: Sequence[OccasionEarning]) -> OccasionOutcome:
    return OccasionOutcome(
        points=sum(row.amount for row in earlier if row.wallet == POINTS),
        growth=sum(row.amount for row in earlier if row.wallet == GROWTH),
    )


def _store(
    member_id: int, occasion: str, earned: Sequence[Earned], occurred_at: datetime, on: Any
) -> dict[tuple[int, str], int]:
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                member_id,
                occasion,
                on,
                occurred_at,
                [item.rule.pk for item in earned],
                [item.wallet for item in earned],
                [item.amount for item in earned],
                [item.raw for item in earned],
                [item.tier_bp for item in earned],
            ],
        )
        return {(rule_id, wallet): key for key, rule_id, wallet in cursor.fetchall()}


def _credit(
    member_id: int,
    occasion: str,
    trigger: str,
    earned: Sequence[Earned],
    found: dict[tuple[int, str], int],
    occurred_at: datetime,
) -> None:
    for item in earned:
        if item.amount == 0:
            continue
        earn(
            owner_id=member_id,
            wallet=item.wallet,
            amount=item.amount,
            key=occasion_key(
                member_id=member_id,
                rule_id=item.rule.pk,
                wallet=item.wallet,
                occasion=occasion,
            ),
            at=occurred_at,
            available_at=_available_at(item.rule, occurred_at),
            source=Source("occasion", found[item.rule.pk, item.wallet]),
            cause={"rule": item.rule.pk, "trigger": trigger},
        )


def _available_at(rule: EarningRule, occurred_at: datetime) -> datetime | None:
    return None if rule.pending_days is None else occurred_at + timedelta(days=rule.pending_days)
