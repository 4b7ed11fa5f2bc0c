"""A simulated draft gives what it would have given, and leaves no trace."""

from datetime import date

from django.db import connection

from members.earning.campaign_operations import draft_campaign
from members.earning.models import Campaign, Earning, EarningRule
from members.earning.rule_operations import draft_rule
from members.earning.simulation import Figures, simulate_campaign, simulate_rule
from members.points.models import Entry, Wallet
from tenants.brands.models import Brand
from tests.integration.members.earning.world import AT, buy, campaign, join, moment, rule
from tests.integration.members.tiers.world import make_scheme

FEBRUARY = date(2026, 2, 10)
DATES = {"starts_at": moment(date(2026, 4, 1)), "ends_at": moment(date(2026, 4, 5))}


def world() -> None:
    Wallet.objects.filter(code="points").update(cost_per_point_micro=1_500_000)
    rule(wallets="points")
    north, south = join(region="north"), join(region="south")
    buy(north, 10_000, on=FEBRUARY, channel="web")
    buy(north, 5_000, on=FEBRUARY)
    buy(south, 2_000, on=date(2026, 2, 28), channel="web")
    buy(south, 90_000, on=date(2026, 3, 1), channel="web")
    buy(south, 90_000, on=date(2026, 1, 31), channel="web")


def test_a_rule_is_simulated_on_last_month(brand: Brand) -> None:
    world()
    before = (Entry.objects.count(), Earning.objects.count(), EarningRule.objects.count())
    draft = draft_rule(
        {
            "name": "web",
            "effect": "per_unit",
            "points": 2,
            "channels": ["web"],
            "cap_per_month": 150,
            **DATES,
        },
        at=AT,
    )
    found = simulate_rule(rule=draft, at=AT)
    assert (found.first, found.last) == (date(2026, 2, 1), date(2026, 2, 28))
    assert found.total == Figures(
        members=2, purchases=3, reached=2, given=170, without=170, points=170 + 150 + 40
    )
    assert (found.total.effect, found.cost_minor(found.total.effect)) == (190, 285)
    assert (draft.starts_at, draft.pk) == (DATES["starts_at"], None)
    assert (Entry.objects.count(), Earning.objects.count(), EarningRule.objects.count()) == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'simulated%'")
        assert cursor.fetchone() == (0,)


def test_a_group_lets_a_draft_replace_what_is_given(brand: Brand) -> None:
    rule(wallets="points", stacking="best", stack_group="g")
    buy(join(), 10_000, on=FEBRUARY)
    draft = draft_rule(
        {
            "name": "more",
            "effect": "fixed",
            "points": 130,
            "stacking": "best",
            "stack_group": "g",
        },
        at=AT,
    )
    total = simulate_rule(rule=draft, at=AT).total
    assert (total.given, total.without, total.points, total.effect) == (100, 100, 130, 30)


def test_campaigns_are_simulated_by_tier_as_if_in_force_all_month(brand: Brand) -> None:
    world()
    make_scheme(metric="spend", window="lifetime")
    gold = join(region="north")
    buy(gold, 100_000, on=FEBRUARY)
    later = buy(gold, 1_000, on=date(2026, 2, 11))
    assert later.points == 15  # gold's 1.5
    double = draft_campaign(
        {
            "name": "double",
            "effect": "multiplier",
            "multiplier_bp": 20_000,
            "condition": {"field": "region", "op": "=", "value": "north"},
            **DATES,
        },
        at=AT,
    )
    found = simulate_campaign(campaign=double, at=AT)
    assert found.by_tier["gold"] == Figures(
        members=1, purchases=2, reached=1, given=1_015, without=1_015, points=2_030
    )
    assert found.total.reached == 2
    assert found.total.effect == 150 + 1_015
    bonus = draft_campaign(
        {"name": "bonus", "effect": "bonus", "points": 7, "channels": ["web"], **DATES}, at=AT
    )
    assert simulate_campaign(campaign=bonus, at=AT).total.effect == 14
    assert not Campaign.objects.exists()


def test_a_campaign_in_force_is_compared_with_the_month_without_it(brand: Brand) -> None:
    double = campaign()
    world()
    total = simulate_campaign(campaign=double, at=AT).total
    assert (total.given, total.without, total.points) == (340, 170, 340)


def test_a_month_without_purchases_gives_zeroes(brand: Brand) -> None:
    rule()
    draft = draft_rule({"name": "x", "effect": "fixed", "points": 1}, at=AT)
    assert simulate_rule(rule=draft, at=AT).total == Figures()
