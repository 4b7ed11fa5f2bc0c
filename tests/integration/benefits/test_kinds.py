"""What each kind of benefit does when it is used, and what it refuses to be."""

from datetime import timedelta
from typing import Any

import pytest

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.kinds import KINDS, get_kind
from benefits.catalogue.models import Benefit
from benefits.grants.operations import reverse
from members.earning.models import Campaign, EarningBoost, EarningRule
from members.earning.operations import record_purchase
from tests.integration.benefits.world import STAFF, World, problems


@pytest.mark.parametrize(
    ("kind", "parameters", "pointer"),
    [
        ("free_service", {"duration_minutes": 0}, "/parameters/duration_minutes"),
        ("free_service", {"sku": "x"}, "/parameters/sku"),
        ("periodic_service", {}, "/parameters/every_months"),
        ("periodic_service", {"every_months": 3, "remind_days": 0}, "/parameters/remind_days"),
        ("content", {"url": "http://example.com/"}, "/parameters/url"),
        ("content", {"url": "https://"}, "/parameters/url"),
        ("content", {"access_days": 0}, "/parameters/access_days"),
        ("points_multiplier", {"multiplier_bp": 10_000, "days": 3}, "/parameters/multiplier_bp"),
        ("points_multiplier", {"multiplier_bp": 20_000}, "/parameters/days"),
        ("discount", {}, "/parameters/percent_bp"),
        ("points_credit", {"points": -1}, "/parameters/points"),
    ],
)
def test_a_kind_refuses_parameters_that_make_no_sense(
    world: World, kind: str, parameters: dict[str, Any], pointer: str
) -> None:
    channel = min(get_kind(kind).channels)
    with pytest.raises(InvalidBenefitError) as refused:
        world.benefit(kind=kind, channel=channel, parameters=parameters)
    assert refused.value.data["pointer"] == pointer
    assert not Benefit.objects.exists()


def test_every_kind_of_the_domain_is_there() -> None:
    assert set(KINDS) >= {
        "gift",
        "discount",
        "free_service",
        "partner_service",
        "periodic_service",
        "points_credit",
        "points_multiplier",
        "content",
        "upgrade",
    }


def test_a_periodic_service_reminds_unless_told_when(world: World) -> None:
    benefit = world.benefit(kind="periodic_service", parameters={"every_months": 6})
    assert benefit.parameters == {"every_months": 6, "remind_days": 14}


def earning_rule(world: World, **facts: Any) -> EarningRule:
    """Make a live rule: a point for each 1.00."""
    made: EarningRule = EarningRule.objects.create(
        **{
            "name": "Base",
            "effect": "per_unit",
            "points": 1,
            "unit_minor": 100,
            "wallets": "points",
            "status": "active",
            "created_at": world.at,
            **facts,
        }
    )
    return made


def buy(world: World, member: Any, *, days: int, amount_minor: int = 10_000) -> int:
    """Record a purchase some days later; return the points it earned."""
    at = world.at + timedelta(days=days)
    return record_purchase(
        external_id=f"P-{world.next()}",
        member=member,
        occurred_at=at,
        amount_minor=amount_minor,
        currency="CNY",
        by=STAFF,
        at=at,
    ).points


def test_a_points_multiplier_acts_from_its_use_until_its_end(world: World) -> None:
    earning_rule(world)
    benefit = world.benefit(
        kind="points_multiplier",
        channel="instant",
        parameters={"multiplier_bp": 25_000, "days": 3},
        unit_cost_minor=0,
    )
    member, other = world.member(), world.member()
    grant = world.grant(member, benefit)

    assert buy(world, member, days=0) == 100
    used = world.redeem(member, grant)

    assert used.state == "fulfilled"
    assert [buy(world, member, days=day) for day in (0, 2, 3)] == [250, 250, 100]
    assert buy(world, other, days=1) == 100
    assert problems() == []


def test_the_greatest_of_campaigns_and_multipliers_holds(world: World) -> None:
    earning_rule(world)
    Campaign.objects.create(
        name="Double",
        effect="multiplier",
        multiplier_bp=20_000,
        combine="best",
        starts_at=world.at,
        ends_at=world.at + timedelta(days=9),
        status="active",
        created_at=world.at,
    )
    member = world.member()
    for factor in (15_000, 30_000):
        benefit = world.benefit(
            kind="points_multiplier",
            channel="instant",
            parameters={"multiplier_bp": factor, "days": 3},
            unit_cost_minor=0,
        )
        world.redeem(member, world.grant(member, benefit))
        assert buy(world, member, days=1) == max(20_000, factor) // 100


def test_reversing_a_multiplier_ends_it(world: World) -> None:
    earning_rule(world)
    benefit = world.benefit(
        kind="points_multiplier",
        channel="instant",
        parameters={"multiplier_bp": 20_000, "days": 30},
        unit_cost_minor=0,
    )
    member = world.member()
    used = world.redeem(member, world.grant(member, benefit))
    assert buy(world, member, days=1) == 200

    for _time in range(2):
        reverse(redemption=used, reason="By mistake", by=STAFF, at=world.at + timedelta(days=2))

    assert buy(world, member, days=3) == 100
    assert EarningBoost.objects.get().ends_at == world.at + timedelta(days=2)
