"""How much a purchase earns. Pure: whole numbers in, whole numbers out.

For each rule, with the amount that counts (all of the purchase, or its lines of the rule's
categories, at most the purchase):

- points, per unit: ⌊amount × points × tier × campaign ÷ (unit × 10,000²)⌋
- points, fixed: ⌊points × tier × campaign ÷ 10,000²⌋
- growth: the same without tier and campaign.

Tier and campaign are multipliers in basis points; the tier is the one held before the purchase,
the campaign the greatest of the multiplier rules that match (10,000 without one). Each rule
rounds down once. Its caps then limit what it gives a member in a wallet per brand day and month
of the purchase.

A refund takes back ⌊earned × refunded so far ÷ amount⌋ less what was taken before: any order of
refunds ends at the same balance, and the last one takes the rest.

`imports` says the same in SQL; a test holds the two equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from members.activity.operations import Line
from members.earning.models import EarningRule
from members.points.values import MAX_POINTS

BASIS = 10_000
POINTS = "points"
GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Used:
    """What a rule has given a member in a wallet already, on the day and in the month."""

    day: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True)
class Earned:
    """What one rule gives for one purchase in one wallet, and the numbers it was made of."""

    rule: EarningRule
    wallet: str
    amount: int
    eligible_minor: int
    tier_bp: int | None = None
    campaign_bp: int | None = None


def is_capped(rule: EarningRule) -> bool:
    """Say whether a rule limits what it gives a member."""
    return rule.cap_per_day is not None or rule.cap_per_month is not None


def wallets_of(rule: EarningRule) -> tuple[str, ...]:
    """Return the wallets that a rule credits."""
    if rule.wallets == EarningRule.Wallets.BOTH:
        return (POINTS, GROWTH)
    return (str(rule.wallets),)


def eligible_minor(rule: EarningRule, *, amount_minor: int, lines: Iterable[Line]) -> int | None:
    """Return the part of a purchase that counts for a rule; None when none of its lines does."""
    if not rule.categories:
        return amount_minor
    matching = [line.amount_minor for line in lines if line.category in rule.categories]
    if not matching:
        return None
    return min(max(sum(matching), 0), amount_minor)


def raw_amount(
    rule: EarningRule, *, wallet: str, eligible: int, tier_bp: int, campaign_bp: int
) -> int:
    """Return what a rule gives before its caps."""
    numerator, denominator = rule.points, 1
    if rule.effect == EarningRule.Effect.PER_UNIT:
        numerator, denominator = eligible * rule.points, rule.unit_minor
    if wallet == POINTS:
        numerator, denominator = numerator * tier_bp * campaign_bp, denominator * BASIS * BASIS
    return min(numerator // denominator, MAX_POINTS)


def capped_amount(rule: EarningRule, raw: int, used: Used) -> int:
    """Return what is left of an amount under the rule's caps."""
    given = raw
    if rule.cap_per_day is not None:
        given = min(given, max(rule.cap_per_day - used.day, 0))
    if rule.cap_per_month is not None:
        given = min(given, max(rule.cap_per_month - used.month, 0))
    return given


def compute(
    rules: Sequence[EarningRule],
    *,
    amount_minor: int,
    lines: Sequence[Line],
    tier_bp: int,
    used: Mapping[tuple[int, str], Used],
) -> list[Earned]:
    """Return what a purchase earns under the rules that match its member and time.

    `used` maps (rule, wallet) to what was given before; missing means nothing.
    """
    counted = [
        (rule, eligible)
        for rule in rules
        if (eligible := eligible_minor(rule, amount_minor=amount_minor, lines=lines)) is not None
    ]
    campaign_bp = max(
        (rule.multiplier_bp for rule, _ in counted if rule.effect == EarningRule.Effect.MULTIPLIER),
        default=BASIS,
    )
    earned = []
    for rule, eligible in counted:
        if rule.effect == EarningRule.Effect.MULTIPLIER:
            continue
        for wallet in wallets_of(rule):
            raw = raw_amount(
                rule, wallet=wallet, eligible=eligible, tier_bp=tier_bp, campaign_bp=campaign_bp
            )
            given = capped_amount(rule, raw, used.get((rule.pk, wallet), Used()))
            if given > 0:
                bps = (tier_bp, campaign_bp) if wallet == POINTS else (None, None)
                earned.append(Earned(rule, wallet, given, eligible, *bps))
    return earned


def refund_share(
    *, earned: int, reversed_before: int, refunded_minor: int, amount_minor: int
) -> int:
    """Return what a refund takes back of an earning, given all that is refunded by now."""
    if amount_minor <= 0:
        return 0
    return max(earned * refunded_minor // amount_minor - reversed_before, 0)
