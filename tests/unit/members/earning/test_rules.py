"""What a purchase earns, to the point."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.activity.operations import Line
from members.earning.models import Campaign, EarningRule
from members.earning.rules import (
    GROWTH,
    POINTS,
    Refunded,
    Used,
    capped_amount,
    compute,
    eligible_minor,
    raw_amount,
    refund_share,
)
from members.points.values import MAX_POINTS


def per_unit(pk: int = 1, **fields: object) -> EarningRule:
    values: dict[str, object] = {"points": 1, "unit_minor": 100, "wallets": "both", **fields}
    return EarningRule(pk=pk, name="base", effect="per_unit", **values)


def fixed(pk: int = 2, **fields: object) -> EarningRule:
    return EarningRule(pk=pk, name="gift", effect="fixed", **{"points": 50, **fields})


def campaign(bp: int, pk: int = 9, **fields: object) -> Campaign:
    return Campaign(pk=pk, name="campaign", effect="multiplier", multiplier_bp=bp, **fields)


def line(category: str, amount: int) -> Line:
    return Line(sku="x", quantity=1, amount_minor=amount, category=category)


def amounts(  # type: ignore[no-untyped-def]
    *items: EarningRule | Campaign,
    amount: int,
    tier_bp: int = 10_000,
    lines: tuple[Line, ...] = (),
):
    rules = [item for item in items if isinstance(item, EarningRule)]
    campaigns = [item for item in items if isinstance(item, Campaign)]
    found = compute(rules, campaigns, amount_minor=amount, lines=lines, tier_bp=tier_bp, used={})
    return [(item.rule.pk, item.wallet, item.amount) for item in found]


@pytest.mark.parametrize(
    ("amount", "points"), [(0, 0), (99, 0), (100, 1), (199, 1), (1_999, 19), (10**13, 10**11)]
)
def test_each_whole_unit_earns(amount: int, points: int) -> None:
    assert (
        raw_amount(per_unit(), wallet=POINTS, eligible=amount, tier_bp=10_000, campaign_bp=10_000)
        == points
    )


def test_rounding_happens_once_after_all_multipliers() -> None:
    # 1.99 units × 3 points × 1.25 × 1.5 = 11.19; rounding each step would give 1 × 3 … = 4 or 5.
    rule = per_unit(points=3)
    assert raw_amount(rule, wallet=POINTS, eligible=199, tier_bp=12_500, campaign_bp=15_000) == 11
    assert raw_amount(rule, wallet=GROWTH, eligible=199, tier_bp=12_500, campaign_bp=15_000) == 5


def test_points_never_pass_what_one_posting_holds() -> None:
    rule = per_unit(points=1_000_000, unit_minor=1)
    assert (
        raw_amount(rule, wallet=POINTS, eligible=10**13, tier_bp=10_000, campaign_bp=10_000)
        == MAX_POINTS
    )


def test_growth_knows_no_multiplier() -> None:
    assert amounts(per_unit(), campaign(20_000), amount=1_000, tier_bp=15_000) == [
        (1, POINTS, 30),
        (1, GROWTH, 10),
    ]


def test_fixed_points_are_multiplied_too() -> None:
    assert amounts(fixed(wallets="points"), amount=1, tier_bp=12_000) == [(2, POINTS, 60)]


def test_greatest_campaign_holds_and_rules_add_up() -> None:
    rules = (
        per_unit(wallets="points"),
        fixed(wallets="growth"),
        campaign(20_000),
        campaign(30_000, 10),
    )
    assert amounts(*rules, amount=1_000) == [(1, POINTS, 30), (2, GROWTH, 50)]


def test_nothing_earned_leaves_no_row() -> None:
    assert amounts(per_unit(), amount=99) == []


@pytest.mark.parametrize(
    ("lines", "amount", "eligible"),
    [
        ([], 1_000, None),
        ([line("tea", 300)], 1_000, None),
        ([line("skin", 300), line("skin", 200), line("tea", 100)], 1_000, 500),
        ([line("skin", 300), line("skin", -400)], 1_000, 0),
        ([line("skin", 1_300)], 1_000, 1_000),
    ],
)
def test_only_lines_of_the_categories_count(
    lines: list[Line], amount: int, eligible: int | None
) -> None:
    rule = per_unit(categories=["skin", "hair"])
    assert eligible_minor(rule, amount_minor=amount, lines=lines) == eligible


def test_campaign_on_a_category_needs_such_a_line() -> None:
    rules = (per_unit(wallets="points"), campaign(20_000, categories=["skin"]))
    assert amounts(*rules, amount=1_000, lines=(line("tea", 1_000),)) == [(1, POINTS, 10)]
    assert amounts(*rules, amount=1_000, lines=(line("skin", 10),)) == [(1, POINTS, 20)]


@pytest.mark.parametrize(
    ("raw", "used", "given"),
    [(10, Used(), 10), (100, Used(), 30), (10, Used(25, 25), 5), (10, Used(30, 30), 0),
     (10, Used(0, 95), 5), (10, Used(40, 120), 0)],
)  # fmt: skip
def test_caps_leave_what_is_left_of_day_and_month(raw: int, used: Used, given: int) -> None:
    assert capped_amount(per_unit(cap_per_day=30, cap_per_month=100), raw, used) == given


def test_caps_of_zero_give_nothing() -> None:
    assert capped_amount(per_unit(cap_per_day=0), 10, Used()) == 0


@given(
    earned=st.integers(1, 10**6),
    amount=st.integers(1, 10**9),
    data=st.data(),
)
def test_refunds_in_any_order_end_at_the_same_balance(
    earned: int, amount: int, data: st.DataObject
) -> None:
    parts = []
    left = amount
    while left and len(parts) < 5:
        parts.append(data.draw(st.integers(1, left)))
        left -= parts[-1]

    def taken(order: list[int]) -> int:
        refunded = reversed_before = 0
        for part in order:
            refunded += part
            share = refund_share(
                earned=earned,
                reversed_before=reversed_before,
                amount_minor=amount,
                eligible=amount,
                refunded=Refunded(refunded),
            )
            assert share >= 0
            reversed_before += share
        return reversed_before

    shuffled = data.draw(st.permutations(parts))
    assert taken(parts) == taken(shuffled) == earned * (amount - left) // amount
    if left == 0:
        assert taken(parts) == earned
