"""The stacking policy against a second writing of it: fractions, loops, no shared code."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import permutations
from math import floor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from members.activity.operations import Line
from members.earning.models import Campaign, EarningRule
from members.earning.rules import Refunded, Used, compute, refund_share

CATEGORIES = ("", "skin", "tea")
RULES = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["per_unit", "fixed"]),
        "points": st.integers(1, 40),
        "unit_minor": st.integers(1, 900),
        "wallets": st.sampled_from(["points", "growth", "both"]),
        "categories": st.lists(st.sampled_from(CATEGORIES[1:]), max_size=2, unique=True),
        "category_mode": st.sampled_from(["only", "except"]),
        "cap_per_day": st.none() | st.integers(0, 60),
        "cap_per_month": st.none() | st.integers(0, 90),
        "group": st.sampled_from(["", "best:a", "best:b", "first:c"]),
        "priority": st.integers(0, 3),
    }
)
CAMPAIGNS = st.fixed_dictionaries(
    {
        "multiplier_bp": st.integers(10_001, 40_000),
        "combine": st.sampled_from(["best", "multiply"]),
        "rules": st.sets(st.integers(1, 5), max_size=3),
        "categories": st.lists(st.sampled_from(CATEGORIES[1:]), max_size=1),
    }
)
LINES = st.lists(st.tuples(st.sampled_from(CATEGORIES), st.integers(-300, 3_000)), max_size=4)


def oracle(  # noqa: C901, PLR0912 - spelt out on purpose
    rules: list[dict[str, Any]],
    campaigns: list[dict[str, Any]],
    amount: int,
    lines: list[tuple[str, int]],
    tier_bp: int,
    used: dict[tuple[int, str], tuple[int, int]],
) -> list[tuple[int, str, int, int]]:
    """Return (rule, wallet, before caps, given) in order of rules, points before growth."""
    would: list[dict[str, Any]] = []
    for number, rule in enumerate(rules, start=1):
        counted = amount
        if rule["categories"]:
            named = [value for category, value in lines if category in rule["categories"]]
            if rule["category_mode"] == "only":
                if not named:
                    continue
                counted = sum(named)
            else:
                counted = amount - sum(named)
            counted = 0 if counted < 0 else min(counted, amount)
            if rule["category_mode"] == "except" and counted == 0 and amount > 0:
                continue
        rate = Fraction(rule["points"])
        if rule["effect"] == "per_unit":
            rate = Fraction(rule["points"], rule["unit_minor"]) * counted
        acting = [
            campaign
            for campaign in campaigns
            if (not campaign["rules"] or number in campaign["rules"])
            and (
                not campaign["categories"]
                or {category for category, _value in lines} & set(campaign["categories"])
            )
        ]
        factor = max([c["multiplier_bp"] for c in acting if c["combine"] == "best"], default=10_000)
        for campaign in acting:
            if campaign["combine"] == "multiply":
                factor = floor(Fraction(factor * campaign["multiplier_bp"], 10_000))
                factor = min(factor, 10_000_000)
        for wallet in ("points", "growth"):
            if rule["wallets"] not in {wallet, "both"}:
                continue
            exact = rate
            if wallet == "points":
                exact = rate * Fraction(tier_bp, 10_000) * Fraction(factor, 10_000)
            would.append({"rule": number, "wallet": wallet, "raw": floor(exact), **rule})
    kept = []
    for one in would:
        if one["group"]:
            rivals = [
                other
                for other in would
                if other["group"] == one["group"] and other["wallet"] == one["wallet"]
            ]
            if one["group"].startswith("best"):
                top = max(other["raw"] for other in rivals)
                rivals = [other for other in rivals if other["raw"] == top]
            first = min(rivals, key=lambda other: (other["priority"], other["rule"]))
            if first is not one:
                continue
        if one["raw"]:
            day, month = used.get((one["rule"], one["wallet"]), (0, 0))
            given_ = one["raw"]
            if one["cap_per_day"] is not None:
                given_ = min(given_, max(0, one["cap_per_day"] - day))
            if one["cap_per_month"] is not None:
                given_ = min(given_, max(0, one["cap_per_month"] - month))
            kept.append((one["rule"], one["wallet"], one["raw"], given_))
    return kept


def _rule(number: int, fields: dict[str, Any]) -> EarningRule:
    values = {key: value for key, value in fields.items() if key != "group"}
    mode = fields["group"].partition(":")[0] or "sum"
    return EarningRule(pk=number, stacking=mode, stack_group=fields["group"], **values)


def _campaign(number: int, fields: dict[str, Any]) -> Campaign:
    values = {key: value for key, value in fields.items() if key != "rules"}
    return Campaign(pk=number, effect="multiplier", rule_ids=sorted(fields["rules"]), **values)


@given(
    rules=st.lists(RULES, min_size=1, max_size=5),
    campaigns=st.lists(CAMPAIGNS, max_size=4),
    amount=st.integers(0, 5_000),
    lines=LINES,
    tier_bp=st.integers(10_000, 30_000),
    used=st.dictionaries(
        st.tuples(st.integers(1, 5), st.sampled_from(["points", "growth"])),
        st.tuples(st.integers(0, 50), st.integers(50, 90)),
        max_size=3,
    ),
)
def test_what_is_earned_is_what_the_policy_says(
    rules: list[dict[str, Any]],
    campaigns: list[dict[str, Any]],
    amount: int,
    lines: list[tuple[str, int]],
    tier_bp: int,
    used: dict[tuple[int, str], tuple[int, int]],
) -> None:
    found = compute(
        [_rule(number, fields) for number, fields in enumerate(rules, start=1)],
        [_campaign(number, fields) for number, fields in enumerate(campaigns, start=1)],
        amount_minor=amount,
        lines=[Line("x", 1, value, category) for category, value in lines],
        tier_bp=tier_bp,
        used={key: Used(*value) for key, value in used.items()},
    )
    assert [(item.rule.pk, item.wallet, item.raw, item.amount) for item in found] == oracle(
        rules, campaigns, amount, lines, tier_bp, used
    )


def _taken(
    order: Iterable[tuple[int, int, int]], *, earned: int, amount: int, eligible: int
) -> int:
    """Refund in this order: (amount, of it for lines that count, of it for other lines)."""
    whole = counted = by_line = reversed_ = 0
    for minor, good, other in order:
        whole, counted, by_line = whole + minor, counted + good, by_line + good + other
        share = refund_share(
            earned=earned,
            reversed_before=reversed_,
            amount_minor=amount,
            eligible=eligible,
            refunded=Refunded(whole, by_line, counted),
        )
        assert 0 <= share <= earned - reversed_
        reversed_ += share
    return reversed_


@given(
    earned=st.integers(1, 10**6),
    good=st.integers(1, 4_000),
    other=st.integers(0, 4_000),
    beside=st.integers(0, 500),
    data=st.data(),
)
def test_refunds_by_line_in_any_order_end_at_the_same_balance(
    earned: int, good: int, other: int, beside: int, data: st.DataObject
) -> None:
    amount = good + other + beside
    parts, left = [], [good, other, beside]
    for _ in range(3):
        take = [data.draw(st.integers(0, most)) for most in left]
        if sum(take):
            left = [most - one for most, one in zip(left, take, strict=True)]
            parts.append((sum(take), take[0], take[1]))
    found = {
        _taken(order, earned=earned, amount=amount, eligible=good) for order in permutations(parts)
    }
    assert len(found) == 1
    if sum(left) == 0:
        assert found == {earned}


def test_a_line_that_did_not_count_takes_nothing_back() -> None:
    facts = {"earned": 100, "amount": 3_000, "eligible": 1_000}
    assert _taken([(2_000, 0, 2_000)], **facts) == 0
    assert _taken([(500, 500, 0)], **facts) == 50
    # Beside lines: of the 1,000 that are left after 2,000 of tea, all counts.
    assert _taken([(2_000, 0, 2_000), (250, 0, 0)], **facts) == 25
    assert _taken([(250, 0, 0), (2_000, 0, 2_000)], **facts) == 25
    assert _taken([(300, 0, 0)], **facts) == 10
