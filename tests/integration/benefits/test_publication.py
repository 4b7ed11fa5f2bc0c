"""What publishing a rule checks and shows, and what a rule would do without being published."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.budget.operations import add_line
from benefits.grants.models import Grant, HoldOut
from benefits.grants.rehearsing import dry_run, trace_rule
from benefits.insights.models import BenefitMonth, ProgrammeMonth
from benefits.rules.errors import ImpossibleRuleError, NoBudgetError
from benefits.rules.hold_out import share_of
from benefits.rules.models import GrantRule, RuleVersion
from benefits.rules.operations import pause_rule, publish_rule, update_rule
from benefits.rules.publication import check_publication
from benefits.rules.queries import list_versions, unpublished_changes
from benefits.rules.terms import changes_between
from members.activity.operations import record_event
from members.earning.operations import record_purchase
from tests.integration.benefits.world import STAFF, World
from tests.integration.partners.world import World as PartnersWorld

Run = Callable[..., dict[str, Any]]
NORTH = {"field": "region", "op": "=", "value": "north"}
SOUTH = {"field": "region", "op": "=", "value": "south"}


def codes(found: Any) -> list[str]:
    """Return the codes of what was found."""
    return [finding.code for finding in found.findings]


# --- Refusals -----------------------------------------------------------------------------


def test_a_rule_that_nobody_pays_for_is_refused(world: World) -> None:
    rule = world.rule(world.benefit(code="tea"), publish=False, budget_line=None)

    with pytest.raises(NoBudgetError) as refused:
        publish_rule(rule=rule, by=STAFF, at=world.at)

    assert refused.value.data == {"pointer": "/budget_line", "benefit": "tea"}
    assert codes(check_publication(rule=rule, at=world.at)) == ["no_budget", "empty_audience"]
    rule.refresh_from_db()
    assert (rule.status, rule.version) == ("draft", 0)
    assert not RuleVersion.objects.exists()


def test_a_line_of_the_benefit_pays_too_and_what_is_free_needs_none(world: World) -> None:
    benefit = world.benefit()
    add_line(
        budget=world.budget(), code="tea", name="Tea", kind="benefit", target_id=benefit.pk,
        by=STAFF, at=world.at,
    )  # fmt: skip
    for what in (benefit, world.benefit(unit_cost_minor=0)):
        rule = world.rule(what, publish=False, budget_line=None)
        assert publish_rule(rule=rule, by=STAFF, at=world.at).version == 1


def test_a_line_of_a_year_that_is_over_does_not_pay(world: World) -> None:
    rule = world.rule(world.benefit(), publish=False)
    with pytest.raises(NoBudgetError):
        publish_rule(rule=rule, by=STAFF, at=datetime(2027, 2, 1, tzinfo=world.at.tzinfo))


@pytest.mark.parametrize(
    ("facts", "data"),
    [
        (
            {"condition": {"all": [NORTH, SOUTH]}},
            {"pointer": "/condition", "field": "region"},
        ),
        (
            {"quantity": 3, "cap_units_per_period": 2},
            {
                "pointer": "/cap_units_per_period",
                "cap": "cap_units_per_period",
                "limit": 2,
                "each": 3,
            },
        ),
        (
            {"cap_minor_per_member": 1_199},
            {
                "pointer": "/cap_minor_per_member",
                "cap": "cap_minor_per_member",
                "limit": 1_199,
                "each": 1_200,
            },
        ),
    ],
)
def test_a_rule_that_can_never_grant_is_refused(
    world: World, facts: dict[str, Any], data: dict[str, Any]
) -> None:
    rule = world.rule(world.benefit(), publish=False, **facts)

    with pytest.raises(ImpossibleRuleError) as refused:
        publish_rule(rule=rule, by=STAFF, at=world.at)

    assert refused.value.data == data
    assert not check_publication(rule=rule, at=world.at).may_be_published
    assert not RuleVersion.objects.exists()


# --- What it would cost -------------------------------------------------------------------


def months(world: World, benefit: Any) -> None:
    """Write down three months: 40 of 100 units used; 10,000.00 revenue, 300.00 cost each."""
    zero = dict.fromkeys(
        (
            "orders", "active_members", "new_members", "members", "buyers_90d", "repeaters_90d",
            "units_issued", "units_used", "points_issued", "points_spent", "points_expired",
            "liability_points", "liability_minor",
        ),
        0,
    )  # fmt: skip
    for month in (date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)):
        ProgrammeMonth.objects.create(
            month=month, revenue_minor=1_000_000, cost_minor=30_000, computed_at=world.at, **zero
        )
        facts = {
            field.name: 0
            for field in BenefitMonth._meta.concrete_fields
            if field.name not in {"id", "benefit", "month", "computed_at"}
        }
        BenefitMonth.objects.create(
            benefit=benefit,
            month=month,
            computed_at=world.at,
            **{**facts, "units_issued": 100, "units_used": 40},
        )


def test_the_cost_of_a_month_counts_partners_and_what_gets_used(world: World) -> None:
    for _one in range(10):
        world.member()
    benefit = world.benefit(kind="partner_service", channel="partner", unit_cost_minor=1_000)
    partners = PartnersWorld(world.at)
    for price in (4_000, 5_001):
        partners.offering(benefit, price_minor=price)
    months(world, benefit)
    rule = world.rule(benefit, publish=False, quantity=2, cadence="quarterly")

    found = check_publication(rule=rule, at=world.at)

    # ⌈10 / 3⌉ grants of two units at 10.00 + ⌈(40.00 + 50.01) / 2⌉, of which 40 % get used.
    assert found.monthly.grants == 4
    assert found.monthly.most_minor == 4 * 2 * (1_000 + 4_501)
    assert found.monthly.expected_minor == 4 * 2 * (1_000 + 4_501) * 40 // 100
    assert found.monthly.partner_minor == 4 * 2 * 4_501 * 40 // 100
    assert found.monthly.is_known
    assert (found.ratio_bp, found.ratio_after_bp) == (300, (30_000 + 17_603) // 100)
    assert codes(found) == []
    assert found.may_be_published


def test_budget_line_and_cost_line_are_told_when_passed(world: World) -> None:
    for _one in range(40):
        world.member()
    benefit = world.benefit()
    months(world, benefit)
    rule = world.rule(benefit, publish=False, quantity=3, budget_line=world.line(planned=50_000))

    found = check_publication(rule=rule, at=world.at)

    # 40 × 3 × 12.00 at 40 % is 576.00: above the 500.00 of the line, and 8.76 % of revenue.
    assert {finding.code: finding.data for finding in found.findings} == {
        "over_budget": {"left_minor": 50_000, "expected_minor": 57_600},
        "over_cost_line": {"after_bp": 876, "line_bp": 700},
    }
    assert found.may_be_published


def test_rules_of_events_are_foreseen_from_what_happened(world: World) -> None:
    buyers = [world.member(), world.member(region="south")]
    for number, days in enumerate((1, 20, 89, 91)):
        for member in buyers:
            at = world.at - timedelta(days=days)
            record_purchase(
                external_id=f"P-{number}-{member.pk}", member=member, occurred_at=at,
                amount_minor=100, currency="CNY", by=STAFF, at=at,
            )  # fmt: skip
    rule = world.rule(world.benefit(), publish=False, cadence="on_purchase", condition=NORTH)

    # Three of the northern member's in 90 days: one a month.
    assert check_publication(rule=rule, at=world.at).monthly.grants == 1


@pytest.mark.parametrize("cadence", ["on_join", "on_tier_up", "on_event"])
def test_rules_of_every_trigger_are_foreseen(world: World, cadence: str) -> None:
    member = world.member(at=world.at - timedelta(days=3))
    for days in (1, 2, 3):
        at = world.at - timedelta(days=days)
        record_event(member=member, name="visit", occurred_at=at, at=at)
    record_event(member=member, name="view", occurred_at=world.at, at=world.at)
    facts = {"event_name": "visit"} if cadence == "on_event" else {}
    rule = world.rule(world.benefit(), publish=False, cadence=cadence, **facts)

    # In 90 days: one enrolment, no tier reached, three visits; a third of it in a month.
    monthly = check_publication(rule=rule, at=world.at).monthly
    assert monthly.grants == {"on_join": 1, "on_tier_up": 0, "on_event": 1}[cadence]


def test_rules_that_give_the_same_to_the_same_are_told(world: World) -> None:
    for region in ("north", "north", "south"):
        world.member(region=region)
    benefit = world.benefit()
    world.rule(benefit, code="north-tea", name="Tea", condition=NORTH)
    world.rule(benefit, code="south-tea", condition=SOUTH)
    world.rule(world.benefit(), code="cake", exclusivity_group="gift", priority=5)
    rule = world.rule(benefit, publish=False, condition=NORTH, exclusivity_group="gift", priority=5)

    found = check_publication(rule=rule, at=world.at)

    assert [(finding.code, finding.data["rule"], finding.data["members"]) for finding in
            found.findings] == [("same_priority", "cake", 2), ("same_benefit", "north-tea", 2)]  # fmt: skip


# --- Versions -----------------------------------------------------------------------------


def test_versions_differ_by_what_was_changed(world: World) -> None:
    rule = world.rule(world.benefit(), condition=NORTH)
    pause_rule(rule=rule, by=STAFF, at=world.at)
    update_rule(rule=rule, condition=SOUTH, cap_minor_total=900_000, by=STAFF, at=world.at)
    rule.refresh_from_db()

    waiting = unpublished_changes(rule=rule)
    publish_rule(rule=rule, by=STAFF, at=world.at)
    new, old = list_versions(rule=rule)

    assert {change.name: (change.before, change.after) for change in waiting} == {
        "condition": (NORTH, SOUTH),
        "cap_minor_total": (None, 900_000),
    }
    assert changes_between(old.terms, new.terms) == waiting
    assert (new.version, old.version) == (2, 1)
    rule.refresh_from_db()
    assert unpublished_changes(rule=rule) == []


# --- Rehearsals ---------------------------------------------------------------------------


def outcome(rule: GrantRule, member: Any, world: World) -> str:
    return trace_rule(rule=rule, member=member, at=world.at).decision.outcome


def test_a_trace_tells_each_condition_with_the_members_value(world: World) -> None:
    member = world.member(tags=["press"])
    rule = world.rule(
        world.benefit(),
        publish=False,
        condition={"all": [NORTH, {"not": {"field": "tags", "op": "contains", "value": "press"}}]},
    )

    found = trace_rule(rule=rule, member=member, at=world.at)

    parts = found.decision.checks[1].data["parts"]
    assert [(row["depth"], row.get("word", row.get("field")), row["holds"]) for row in parts] == [
        (0, "all", False),
        (1, "region", True),
        (1, "not", False),
        (2, "tags", True),
    ]
    assert [row["value"] for row in parts if "value" in row] == ["north", ["press"]]
    assert found.decision.outcome == "condition"
    assert [check.passed for check in found.in_force] == [False, True, True]
    assert not found.is_granted
    assert not Grant.objects.exists()


def test_a_trace_follows_what_was_issued(world: World, run: Run) -> None:
    members = [world.member() for _one in range(4)]
    rule = world.rule(
        world.benefit(), quantity=2, cap_units_per_period=4, cap_per_member=2, condition=NORTH
    )
    assert {outcome(rule, member, world) for member in members} == {"granted"}

    run("grants.issue", at=world.at)

    holders = set(Grant.objects.values_list("member_id", flat=True))
    for member in members:
        wanted = "period_open" if member.pk in holders else "cap_units_per_period"
        found = trace_rule(rule=rule, member=member, at=world.at)
        assert found.decision.outcome == wanted
        assert not found.is_granted
    later = trace_rule(rule=rule, member=members[0], at=world.at + timedelta(days=30))
    wanted = "cap_per_member" if members[0].pk in holders else "granted"
    assert later.decision.outcome == wanted


def test_a_trace_tells_the_number_behind_a_hold_out(world: World) -> None:
    rule = world.rule(world.benefit(), code="tea", hold_out_bp=5_000)
    for _one in range(6):
        member = world.member()
        number = share_of(rule_code="tea", member_id=member.pk)
        check = next(
            check
            for check in trace_rule(rule=rule, member=member, at=world.at).decision.checks
            if check.code == "hold_out"
        )
        assert check.data == {"number": number, "hold_out_bp": 5_000}
        assert check.passed == (number >= 5_000)


def test_a_dry_run_says_what_the_job_then_does(world: World, run: Run) -> None:
    for number in range(30):
        world.member(region="north" if number % 3 else "south")
    rule = world.rule(
        world.benefit(),
        code="tea",
        quantity=2,
        condition=NORTH,
        hold_out_bp=3_000,
        cap_units_per_period=14,
    )

    before = dry_run(rule=rule, at=world.at, sample=50)
    assert not Grant.objects.exists()
    assert not HoldOut.objects.exists()
    result = run("grants.issue", at=world.at)
    after = dry_run(rule=rule, at=world.at)

    assert (before.members, before.units, before.held_out) == (
        7, result["units"], result["held_out"],
    )  # fmt: skip
    assert before.cut_by_caps == 20 - before.held_out - 7
    assert before.cost_minor == 14 * 1_200
    assert {member.pk for member in before.sample} == set(
        Grant.objects.values_list("member_id", flat=True)
    )
    assert (after.members, after.held_out, after.units) == (0, 0, 0)
