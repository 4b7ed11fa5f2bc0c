"""A tier for a time: given by a benefit, never less than what is held otherwise."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.kinds.upgrade import end_of
from benefits.catalogue.models import Benefit
from benefits.grants.models import Grant, Redemption
from benefits.grants.operations import reverse
from benefits.rules.models import GrantRule
from members.profiles.models import Member
from members.tiers.errors import UnknownTierError
from members.tiers.invariants import CHECKS
from members.tiers.models import TierChange, TierPin
from members.tiers.operations import (
    create_scheme,
    list_due,
    publish_scheme,
    set_override,
    settle_members,
)
from members.tiers.queries import get_standing
from members.tiers.values import TierDraft
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tests.integration.benefits.world import STAFF, World, problems


@pytest.fixture
def tiers(world: World) -> None:
    """Publish three tiers by lifetime growth."""
    scheme = create_scheme(
        metric="growth",
        window="lifetime",
        tiers=[
            TierDraft(code="base", name={"en": "Base"}, entry_threshold=0, keep_threshold=0),
            TierDraft(
                code="silver", name={"en": "Silver"}, entry_threshold=1_000, keep_threshold=1_000
            ),
            TierDraft(
                code="gold", name={"en": "Gold"}, entry_threshold=5_000, keep_threshold=5_000
            ),
        ],
        by=STAFF,
        at=world.at - timedelta(days=60),
    )
    first = world.at - timedelta(days=60)
    publish_scheme(scheme=scheme, starts_on=first.date(), by=STAFF, at=first)


def upgrade(world: World, tier: str = "silver", **parameters: Any) -> Benefit:
    return world.benefit(
        kind="upgrade",
        channel="instant",
        parameters={"tier": tier, **(parameters or {"days": 30})},
        unit_cost_minor=0,
    )


def tier_of(member: Member, at: datetime) -> str:
    found = get_standing(member_id=member.pk, at=at).tier
    assert found is not None
    return str(found.code)


def night(world: World, *, days: int) -> None:
    """End what is due on a later day."""
    at = world.at + timedelta(days=days)
    for part in list_due(on=at.date()):
        settle_members(member_ids=part, on=at.date(), at=at)


def causes(member: Member) -> list[tuple[str, str, str]]:
    found = TierChange.objects.filter(member=member).order_by("id")
    return list(found.values_list("cause", "from_tier__code", "to_tier__code"))


def checks() -> list[str]:
    return [*problems(), *(line for check in CHECKS.values() for line in check())]


@pytest.mark.parametrize(
    ("parameters", "on", "end"),
    [
        ({"days": 1}, date(2026, 3, 15), date(2026, 3, 16)),
        ({"days": 30}, date(2026, 1, 31), date(2026, 3, 2)),
        ({"months": 1}, date(2026, 1, 31), date(2026, 2, 28)),
        ({"months": 1}, date(2028, 1, 31), date(2028, 2, 29)),
        ({"months": 12}, date(2028, 2, 29), date(2029, 2, 28)),
    ],
)
def test_it_lasts_for_days_or_months(parameters: dict[str, int], on: date, end: date) -> None:
    assert end_of(on, parameters) == end


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"days": 3}, "/parameters/tier"),
        ({"tier": "platinum", "days": 3}, "/parameters/tier"),
        ({"tier": "gold"}, "/parameters/days"),
        ({"tier": "gold", "days": 3, "months": 1}, "/parameters/days"),
        ({"tier": "gold", "days": 0}, "/parameters/days"),
        ({"tier": "gold", "months": 37}, "/parameters/months"),
    ],
)
def test_it_refuses_what_makes_no_sense(
    world: World, tiers: None, parameters: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidBenefitError) as refused:
        world.benefit(kind="upgrade", channel="instant", parameters=parameters)
    assert refused.value.data["pointer"] == pointer
    assert not Benefit.objects.exists()


def test_it_begins_with_its_use_and_ends_by_itself(world: World, tiers: None) -> None:
    member = world.member()
    grant = world.grant(member, upgrade(world), ends_at=world.at + timedelta(days=90))
    assert tier_of(member, world.at) == "base"

    used = world.redeem(member, grant)

    assert used.state == "fulfilled"
    assert tier_of(member, world.at) == "silver"
    pin = TierPin.objects.get(member=member)
    assert (pin.source, pin.mode, pin.reason) == ("benefit", "at_least", f"redemption:{used.pk}")
    assert (pin.starts_on, pin.ends_on) == (date(2026, 3, 15), date(2026, 4, 14))
    night(world, days=29)
    assert tier_of(member, world.at + timedelta(days=29)) == "silver"
    for _time in range(2):
        night(world, days=30)
    assert tier_of(member, world.at + timedelta(days=30)) == "base"
    assert causes(member) == [("benefit", "base", "silver"), ("benefit_ended", "silver", "base")]
    assert checks() == []


def test_a_better_tier_is_never_shortened(world: World, tiers: None) -> None:
    member = world.member()
    set_override(
        member=member,
        tier="gold",
        mode="at_least",
        until=date(2026, 3, 20),
        reason="A favour",
        by=STAFF,
        at=world.at,
    )

    world.redeem(member, world.grant(member, upgrade(world, days=10)))

    assert tier_of(member, world.at) == "gold"
    night(world, days=6)
    assert tier_of(member, world.at + timedelta(days=6)) == "silver"
    night(world, days=10)
    assert tier_of(member, world.at + timedelta(days=10)) == "base"
    assert checks() == []


def test_two_upgrades_hold_beside_each_other(world: World, tiers: None) -> None:
    member = world.member()
    for tier, days in (("gold", 5), ("silver", 20)):
        world.redeem(member, world.grant(member, upgrade(world, tier, days=days)))

    found = []
    for day in (0, 5, 20):
        night(world, days=day)
        found.append(tier_of(member, world.at + timedelta(days=day)))

    assert found == ["gold", "silver", "base"]
    assert checks() == []


def test_reversing_it_ends_it_at_once(world: World, tiers: None) -> None:
    member = world.member()
    used = world.redeem(member, world.grant(member, upgrade(world)))

    for _time in range(2):
        reverse(redemption=used, reason="By mistake", by=STAFF, at=world.at + timedelta(days=2))

    assert tier_of(member, world.at + timedelta(days=2)) == "base"
    assert TierPin.objects.get(member=member).ending == "lifted"
    assert checks() == []


def test_a_tier_that_is_gone_is_refused_and_the_unit_stays(world: World, tiers: None) -> None:
    member = world.member()
    grant = world.grant(member, upgrade(world, "gold"))
    scheme = create_scheme(
        metric="growth",
        window="lifetime",
        tiers=[TierDraft(code="base", name={"en": "Base"}, entry_threshold=0, keep_threshold=0)],
        by=STAFF,
        at=world.at - timedelta(hours=1),
    )
    publish_scheme(
        scheme=scheme, starts_on=world.at.date(), by=STAFF, at=world.at - timedelta(hours=1)
    )

    with pytest.raises(UnknownTierError):
        world.redeem(member, grant)

    grant.refresh_from_db()
    assert grant.used == 0
    assert not Redemption.objects.exists()
    assert not TierPin.objects.exists()


def test_the_welcome_ritual_comes_once_and_rights_of_the_tier_go_with_it(
    world: World, tiers: None
) -> None:
    gift, lounge = world.benefit(code="gift"), world.benefit(code="lounge")
    silver = {"field": "tier", "op": "=", "value": "silver"}
    world.rule(gift, cadence=GrantRule.Cadence.ON_TIER_UP, condition=silver)
    world.rule(lounge, condition=silver, on_lost="revoke")
    member = world.member()
    for number in range(2):
        at = world.at + timedelta(hours=number)
        used = world.redeem(member, world.grant(member, upgrade(world, days=1)), at=at)
        deliver_pending(at=at)
        reverse(redemption=used, reason="By mistake", by=STAFF, at=at)
        deliver_pending(at=at)

    gifts = Grant.objects.filter(member=member, benefit=gift)
    assert gifts.count() == 1
    rights = Grant.objects.filter(member=member, benefit=lounge)
    assert [grant.revoked_at is None for grant in rights] == [False]
    assert Event.objects.filter(type="tier.welcomed").count() <= 1
    assert checks() == []
