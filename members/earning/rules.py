"""How much a purchase earns. Pure: whole numbers in, whole numbers out.

For each rule, with the amount that counts (all of the purchase, or the part of it that its
categories leave, at most the purchase):

- points, per unit: ⌊amount × points × tier × campaign ÷ (unit × 10,000²)⌋
- points, fixed: ⌊points × tier × campaign ÷ 10,000²⌋
- growth: the same without tier and campaign.

Tier and campaign are multipliers in basis points; the tier is the one held before the purchase.
Of the campaigns that fit and act on the rule, the greatest of those with `best` holds; each with
`multiply` then comes on top: ⌊campaign × its multiplier ÷ 10,000⌋, in the order of their keys, at
most 1,000 times.

Rules add up. Of those of one group, one gives in a wallet: with `best` the one that would give
the most there before its caps (then by priority, then the older), with `first` the first by
priority (then the older) that fits, also when that gives nothing. Each rule rounds down once.
Its caps then limit what it gives a member in a wallet per brand day and month of the purchase.

A refund takes back, of what was given, ⌊earned × amount that counted and is refunded by now ÷
amount that counted⌋ less what was taken before: any order of refunds ends at the same balance,
and the last one takes the rest. Of a rule with categories the lines that a refund names count
wholly or not at all, what it gives back beside lines in proportion.

`_import_sql` says the same in SQL; a test holds the two equal, and both equal to a third writing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from members.activity.operations import Line
from members.earning.models import Campaign, EarningRule
from members.points.values import MAX_POINTS

BASIS = 10_000
MAX_CAMPAIGN_BP = 10_000_000
POINTS = "points"
GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Used:
    """What a rule has given a member in a wallet already, on the day and in the month."""

    day: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What one rule gives for one purchase in one wallet, and the numbers it was made of.

    `base` is by the rule's rate alone, `raw` with the multipliers, `amount` after the caps.
    """

    rule: EarningRule
    wallet: str
    amount: int
    raw: int
    base: int
    eligible_minor: int
    tier_bp: int | None = None
    campaign_bp: int | None = None
    campaigns: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """What of a purchase is given back by now, as far as it counts for one rule.

    `minor` in all; of it `by_line` for named lines, and of those `counted` for lines that count.
    """

    minor: int
    by_line: int = 0
    counted: int = 0


def is_capped(rule: EarningRule) -> bool:
    """Say whether a rule limits what it gives a member."""
    return rule.cap_per_day is not None or rule.cap_per_month is not None


def wallets_of(rule: EarningRule) -> tuple[str, ...]:
    """Return the wallets that a rule credits."""
    if rule.wallets == EarningRule.Wallets.BOTH:
        return (POINTS, GROWTH)
    return (str(rule.wallets),)


def counts(rule: EarningRule, category: str) -> bool:
    """Say whether lines of a category count for a rule."""
    if not rule.categories:
        return True
    is_only = rule.category_mode == EarningRule.CategoryMode.ONLY
    return (category in rule.categories) == is_only


def eligible_minor(rule: EarningRule, *, amount_minor: int, lines: Iterable[Line]) -> int | None:
    """Return the part of a purchase that counts for a rule; None when none of it does."""
    if not rule.categories:
        return amount_minor
    named = [line.amount_minor for line in lines if line.category in rule.categories]
    if rule.category_mode == EarningRule.CategoryMode.EXCEPT:
        left = min(max(amount_minor - sum(named), 0), amount_minor)
        return None if left == 0 and amount_minor else left
    if not named:
        return None
    return min(max(sum(named), 0), amount_minor)


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


def acts_on(campaign: Campaign, rule: EarningRule) -> bool:
    """Say whether a campaign multiplies what a rule gives."""
    return not campaign.rule_ids or rule.pk in campaign.rule_ids


def campaign_factor(
    campaigns: Sequence[Campaign], rule: EarningRule
) -> tuple[int, tuple[int, ...] | None]:
    """Return the multiplier for a rule of the campaigns that fit a purchase, and which made it."""
    acting = [campaign for campaign in campaigns if acts_on(campaign, rule)]
    alone = sorted(
        (campaign for campaign in acting if campaign.combine == Campaign.Combine.BEST),
        key=lambda campaign: (-campaign.multiplier_bp, campaign.pk),
    )[:1]
    others = sorted(
        (campaign for campaign in acting if campaign.combine == Campaign.Combine.MULTIPLY),
        key=lambda campaign: campaign.pk,
    )
    factor = BASIS
    for campaign in (*alone, *others):
        factor = min(factor * campaign.multiplier_bp // BASIS, MAX_CAMPAIGN_BP)
    return factor, tuple(campaign.pk for campaign in (*alone, *others)) or None


def fits_categories(campaign: Campaign, lines: Iterable[Line]) -> bool:
    """Say whether a purchase has a line that the campaign asks for."""
    return not campaign.categories or any(line.category in campaign.categories for line in lines)


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
    campaigns: Sequence[Campaign] = (),
    *,
    amount_minor: int,
    lines: Sequence[Line],
    tier_bp: int,
    used: Mapping[tuple[int, str], Used],
) -> list[Earned]:
    """Return what a purchase earns under the rules and multipliers that match member and time.

    `used` maps (rule, wallet) to what was given before; missing means nothing. A rule whose cap
    leaves nothing is in the result, with the amount 0.
    """
    acting = [campaign for campaign in campaigns if fits_categories(campaign, lines)]
    raw: list[Earned] = []
    for rule in rules:
        eligible = eligible_minor(rule, amount_minor=amount_minor, lines=lines)
        if eligible is None:
            continue
        factor, makers = campaign_factor(acting, rule)
        plain = raw_amount(rule, wallet=GROWTH, eligible=eligible, tier_bp=BASIS, campaign_bp=BASIS)
        for wallet in wallets_of(rule):
            amount = raw_amount(
                rule, wallet=wallet, eligible=eligible, tier_bp=tier_bp, campaign_bp=factor
            )
            is_points = wallet == POINTS
            raw.append(
                Earned(
                    rule=rule,
                    wallet=wallet,
                    amount=capped_amount(rule, amount, used.get((rule.pk, wallet), Used())),
                    raw=amount,
                    base=plain,
                    eligible_minor=eligible,
                    tier_bp=tier_bp if is_points else None,
                    campaign_bp=factor if is_points else None,
                    campaigns=makers if is_points else None,
                )
            )
    return [earned for earned in _chosen(raw) if earned.raw > 0]


def _chosen(raw: Sequence[Earned]) -> list[Earned]:
    """Leave one rule of each group in each wallet."""
    leaders: dict[tuple[str, str], Earned] = {}
    for earned in raw:
        group = (earned.wallet, earned.rule.stack_group)
        leader = leaders.get(group)
        if leader is None or _rank(earned) < _rank(leader):
            leaders[group] = earned
    return [
        earned
        for earned in raw
        if not earned.rule.stack_group
        or leaders[(earned.wallet, earned.rule.stack_group)] is earned
    ]


def _rank(earned: Earned) -> tuple[int, int, int]:
    rule = earned.rule
    most = -earned.raw if rule.stacking == EarningRule.Stacking.BEST else 0
    return most, rule.priority, rule.pk


def refund_share(
    *, earned: int, reversed_before: int, amount_minor: int, eligible: int, refunded: Refunded
) -> int:
    """Return what a refund takes back of an earning, given all that is refunded by now.

    With A the purchase, E what of it counted, L refunded by line, l of that on lines that count
    (at most E) and U refunded beside lines: ⌊earned × (l + U × (E - l) ÷ (A - L)) ÷ E⌋.
    """
    if amount_minor <= 0:
        return 0
    if refunded.minor >= amount_minor:
        return max(earned - reversed_before, 0)
    if eligible <= 0 or not refunded.by_line:
        return max(earned * refunded.minor // amount_minor - reversed_before, 0)
    counted = min(refunded.counted, eligible)
    beside, left = refunded.minor - refunded.by_line, amount_minor - refunded.by_line
    target = earned * (counted * left + beside * (eligible - counted)) // (eligible * left)
    return max(target - reversed_before, 0)
