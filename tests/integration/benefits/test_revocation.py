"""Rights come back when what they were given for no longer holds, and only then."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from benefits.catalogue.operations import change_stage
from benefits.grants.models import Grant, GrantRevocation, RulePeriod
from benefits.grants.operations import revoke
from benefits.rules.models import GrantRule
from benefits.rules.operations import end_rule
from members.earning.operations import record_purchase, record_refund
from members.profiles.operations import update_profile
from members.tiers.operations import create_scheme, publish_scheme
from members.tiers.values import TierDraft
from tenants.audit.models import AuditEntry
from tenants.events.models import Event
from tenants.events.operations import deliver_pending
from tests.integration.benefits.world import STAFF, World, problems

Run = Callable[..., dict[str, Any]]
ISSUE = "grants.issue"
NORTH = {"field": "region", "op": "=", "value": "north"}
_Cadence = GrantRule.Cadence


def rights_of(member: Any) -> list[tuple[str, str, bool]]:
    """Return benefit, period and whether it was taken back, in the order of granting."""
    return [
        (code, period, revoked is not None)
        for code, period, revoked in Grant.objects.filter(member=member)
        .order_by("pk")
        .values_list("benefit__code", "period_key", "revoked_at")
    ]


def causes() -> list[tuple[str, int]]:
    """Return why rights were taken back and how many units were left of each."""
    return list(GrantRevocation.objects.order_by("pk").values_list("cause", "units_left"))


def buy(world: World, member: Any, amount_minor: int, number: str = "P-1") -> Any:
    """Record a purchase and let everybody hear of it."""
    made = record_purchase(
        external_id=number,
        member=member,
        occurred_at=world.at,
        amount_minor=amount_minor,
        currency="CNY",
        by=STAFF,
        at=world.at,
    )
    deliver_pending(at=world.at)
    return made.purchase


def refund(world: World, number: str, amount_minor: int, name: str = "R-1") -> None:
    """Give part or all of a purchase back and let everybody hear of it."""
    record_refund(
        purchase_external_id=number,
        external_id=name,
        amount_minor=amount_minor,
        occurred_at=world.at,
        by=STAFF,
        at=world.at,
    )
    deliver_pending(at=world.at)


def publish_tiers(world: World) -> None:
    """Publish a scheme by spend: base, silver from 100, gold from 500."""
    scheme = create_scheme(
        metric="spend",
        window="lifetime",
        tiers=[
            TierDraft(code="base", name={"en": "Base"}, entry_threshold=0, keep_threshold=0),
            TierDraft(
                code="silver", name={"en": "Silver"}, entry_threshold=10_000, keep_threshold=0
            ),
            TierDraft(code="gold", name={"en": "Gold"}, entry_threshold=50_000, keep_threshold=0),
        ],
        by=STAFF,
        at=world.at,
    )
    publish_scheme(scheme=scheme, starts_on=date(2026, 3, 15), by=STAFF, at=world.at)


def test_a_full_refund_takes_back_what_the_purchase_gave(world: World) -> None:
    world.rule(world.benefit(code="sample"), cadence=_Cadence.ON_PURCHASE, quantity=3)
    member = world.member()
    purchase = buy(world, member, 5_000)
    grant = Grant.objects.get()
    world.redeem(member, grant)

    refund(world, "P-1", 2_000)
    assert rights_of(member) == [("sample", f"purchase:{purchase.pk}", False)]
    refund(world, "P-1", 3_000, "R-2")

    assert rights_of(member) == [("sample", f"purchase:{purchase.pk}", True)]
    taken = GrantRevocation.objects.get()
    assert (taken.grant_id, taken.cause, taken.units_left) == (grant.pk, "refunded", 2)
    assert taken.detail == {"purchase": purchase.pk}
    told = Event.objects.get(type="grant.revoked")
    assert (told.subject, told.data["cause"]) == (f"member:{member.pk}", "refunded")
    assert problems() == []


def test_a_rule_may_leave_a_refunded_right(world: World) -> None:
    world.rule(world.benefit(), cadence=_Cadence.ON_PURCHASE, on_refund="keep")
    member = world.member()
    buy(world, member, 5_000)

    refund(world, "P-1", 5_000)

    assert [row[2] for row in rights_of(member)] == [False]
    assert causes() == []


def test_a_purchase_refunded_before_it_is_heard_of_grants_nothing(world: World) -> None:
    world.rule(world.benefit(), cadence=_Cadence.ON_PURCHASE)
    member = world.member()
    made = {"member": member, "occurred_at": world.at, "currency": "CNY", "by": STAFF}
    record_purchase(external_id="P-1", amount_minor=900, at=world.at, **made)

    refund(world, "P-1", 900)

    assert rights_of(member) == []


def test_a_lost_condition_takes_back_only_where_the_rule_says_so(world: World, run: Run) -> None:
    member, other = world.member(), world.member()
    world.rule(world.benefit(code="lost"), condition=NORTH, on_lost="revoke", quantity=4)
    world.rule(world.benefit(code="kept"), condition=NORTH)
    run(ISSUE, at=world.at)
    update_profile(member=member, region="south", by=STAFF, at=world.at)

    result = run(ISSUE, at=world.at + timedelta(days=1))
    again = run(ISSUE, at=world.at + timedelta(days=2))

    assert (result["revoked"], result["members"]) == (1, 0)
    assert "revoked" not in again
    assert rights_of(member) == [("lost", "2026-03", True), ("kept", "2026-03", False)]
    assert [row[2] for row in rights_of(other)] == [False, False]
    assert causes() == [("no_longer_met", 4)]
    assert problems() == []


def test_a_new_tier_takes_back_the_old_right_then_grants_the_new(world: World, run: Run) -> None:
    publish_tiers(world)
    for tier in ("silver", "gold"):
        world.rule(
            world.benefit(code=tier),
            condition={"field": "tier", "op": "=", "value": tier},
            on_lost="revoke",
            exclusivity_group="monthly-gift",
        )
    member = world.member()

    buy(world, member, 20_000, "P-1")
    assert rights_of(member) == [("silver", "2026-03", False)]
    buy(world, member, 40_000, "P-2")
    assert rights_of(member) == [("silver", "2026-03", True), ("gold", "2026-03", False)]

    types = list(
        Event.objects.filter(type__startswith="grant.")
        .order_by("pk")
        .values_list("type", flat=True)
    )
    assert types == ["grant.issued", "grant.revoked", "grant.issued"]
    assert run(ISSUE, at=world.at)["members"] == 0
    assert problems() == []


def test_an_ended_rule_leaves_rights_unless_told_otherwise(world: World, run: Run) -> None:
    member = world.member()
    rules = [world.rule(world.benefit(code=code)) for code in ("kept", "taken")]
    run(ISSUE, at=world.at)

    end_rule(rule=rules[0], by=STAFF, at=world.at)
    end_rule(rule=rules[1], by=STAFF, at=world.at, revoke_grants=True)
    for _time in range(2):
        deliver_pending(at=world.at)

    assert rights_of(member) == [("kept", "2026-03", False), ("taken", "2026-03", True)]
    assert causes() == [("rule_ended", 1)]


def test_a_rule_ends_by_its_dates(world: World, run: Run) -> None:
    world.member()
    rule = world.rule(world.benefit(), ends_at=world.at + timedelta(days=2))
    assert run(ISSUE, at=world.at)["members"] == 1

    assert run(ISSUE, at=world.at + timedelta(days=2)) == {
        "rules": 0, "members": 0, "units": 0, "held_out": 0,
    }  # fmt: skip

    rule.refresh_from_db()
    assert rule.status == "ended"
    assert Event.objects.filter(type="rule.ended").count() == 1


def test_retiring_a_benefit_takes_rights_back_only_when_asked(world: World, run: Run) -> None:
    member = world.member()
    benefits = [world.benefit(code=code, stage="watch") for code in ("kept", "taken")]
    for benefit in benefits:
        world.rule(benefit)
    run(ISSUE, at=world.at)

    for benefit, revoked in zip(benefits, (False, True), strict=True):
        change_stage(
            benefit=benefit, to="retired", reason="Unused", revoke_grants=revoked, by=STAFF,
            at=world.at,
        )  # fmt: skip
    deliver_pending(at=world.at)

    assert [row[2] for row in rights_of(member)] == [False, True]
    assert causes() == [("benefit_retired", 1)]


def test_staff_take_a_right_back_once(world: World) -> None:
    grant = world.grant(world.member(), world.benefit(), quantity=5)
    for _time in range(2):
        revoke(grant=grant, reason="By mistake", by=STAFF, at=world.at)
    taken = GrantRevocation.objects.get()
    assert (taken.cause, taken.units_left, taken.actor) == ("staff", 5, "staff:7")
    assert taken.detail == {}
    assert AuditEntry.objects.get(action="grant.revoked").reason == "By mistake"


# --- Exclusivity --------------------------------------------------------------------------


def group(world: World, code: str, **facts: Any) -> GrantRule:
    """Publish a monthly rule of the group `gift` for a benefit of its own."""
    rule: GrantRule = world.rule(
        world.benefit(code=code), code=code, exclusivity_group="gift", **facts
    )
    return rule


def test_a_member_gets_from_the_first_rule_of_a_group(world: World, run: Run) -> None:
    north, south = world.member(), world.member(region="south")
    group(world, "late", priority=20)
    group(world, "early", priority=10, condition=NORTH)

    result = run(ISSUE, at=world.at)

    assert result["members"] == 2
    assert rights_of(north) == [("early", "2026-03", False)]
    assert rights_of(south) == [("late", "2026-03", False)]
    assert run(ISSUE, at=world.at)["members"] == 0


def test_a_better_rule_waits_for_a_right_that_stays(world: World, run: Run) -> None:
    member = world.member()
    group(world, "late", priority=20)
    run(ISSUE, at=world.at)
    group(world, "early", priority=10)

    assert run(ISSUE, at=world.at)["members"] == 0
    april = run(ISSUE, at=datetime(2026, 4, 2, tzinfo=UTC))

    assert april["members"] == 1
    assert rights_of(member) == [("late", "2026-03", False), ("early", "2026-04", False)]


def test_a_better_rule_takes_the_place_of_a_right_that_may_be_taken_back(
    world: World, run: Run
) -> None:
    member = world.member()
    group(world, "late", priority=20, on_lost="revoke", quantity=3)
    run(ISSUE, at=world.at)
    group(world, "early", priority=10)

    assert run(ISSUE, at=world.at)["members"] == 1

    assert rights_of(member) == [("late", "2026-03", True), ("early", "2026-03", False)]
    assert causes() == [("replaced", 3)]
    assert GrantRevocation.objects.get().detail == {"rule": "early"}
    assert problems() == []


# --- Caps ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caps", "months"),
    [
        ({"cap_units_total": 7}, [4, 3, 0]),
        ({"cap_minor_total": 6 * 1_200}, [4, 2, 0]),
        ({"cap_units_per_day": 3}, [3, 3, 3]),
        ({"cap_minor_per_day": 2_500, "cap_units_total": 5}, [2, 2, 1]),
        ({"cap_minor_per_member": 2_400}, [4, 4, 0]),
        ({"cap_minor_per_member": 2_399}, [4, 0, 0]),
    ],
)
def test_caps_in_units_and_money_hold_over_months(
    world: World, run: Run, caps: dict[str, int], months: list[int]
) -> None:
    for _one in range(4):
        world.member()
    world.rule(world.benefit(), **caps)

    days = [datetime(2026, month, 20, 4, tzinfo=UTC) for month in (3, 4, 5)]

    assert [run(ISSUE, at=day)["units"] for day in days] == months
    assert problems() == []


def test_a_cap_on_a_day_lets_the_rest_come_on_the_next(world: World, run: Run) -> None:
    for _one in range(5):
        world.member()
    world.rule(world.benefit(), cap_units_per_day=2)

    days = [run(ISSUE, at=world.at + timedelta(days=day))["units"] for day in range(4)]

    assert days == [2, 2, 1, 0]
    assert dict(RulePeriod.objects.filter(scope="day").values_list("period_key", "units")) == {
        "2026-03-15": 2,
        "2026-03-16": 2,
        "2026-03-17": 1,
        "2026-03-18": 0,
    }


def test_a_cap_given_later_counts_what_was_issued_before(world: World) -> None:
    rule = world.rule(world.benefit(), cadence=_Cadence.ON_PURCHASE)
    members = [world.member() for _one in range(3)]
    for number, member in enumerate(members[:2]):
        buy(world, member, 100, f"P-{number}")
    GrantRule.objects.filter(pk=rule.pk).update(cap_units_total=2)

    buy(world, members[2], 100, "P-9")

    assert Grant.objects.count() == 2
    assert RulePeriod.objects.get(scope="total").units == 2


def test_money_caps_count_the_cost_of_the_day_of_issue(world: World, run: Run) -> None:
    world.member()
    benefit = world.benefit()
    world.rule(benefit, cap_minor_per_member=5_000)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE benefits_benefitcost SET valid_to = '2026-04-01' WHERE benefit_id = %s",
            [benefit.pk],
        )
        cursor.execute(
            "INSERT INTO benefits_benefitcost (benefit_id, unit_cost_minor, valid_from)"
            " VALUES (%s, 3000, '2026-04-01')",
            [benefit.pk],
        )
    days = [datetime(2026, month, 20, 4, tzinfo=UTC) for month in (3, 4, 5)]

    # 1,200 in March and 3,000 in April; another 3,000 would pass 5,000.
    assert [run(ISSUE, at=day)["units"] for day in days] == [1, 1, 0]
