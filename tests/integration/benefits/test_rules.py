"""Rules: drafting, publishing with a preview, pausing, ending."""

from datetime import timedelta
from typing import Any

import pytest

from benefits.catalogue.errors import CostMissingError
from benefits.catalogue.operations import create_package
from benefits.rules.errors import (
    BenefitNotLiveError,
    InvalidRuleError,
    RuleCodeTakenError,
    RuleStateError,
    UnknownRuleError,
)
from benefits.rules.hold_out import is_held_out
from benefits.rules.models import GrantRule, RuleVersion
from benefits.rules.operations import end_rule, pause_rule, publish_rule, update_rule
from benefits.rules.queries import get_rule, list_rules, preview
from members.segments.conditions import ConditionError
from tenants.audit.models import AuditEntry
from tests.integration.benefits.world import STAFF, World

NORTH = {"field": "region", "op": "=", "value": "north"}


def test_a_preview_counts_audience_units_and_cost(world: World) -> None:
    for _one in range(4):
        world.member()
    world.member(region="south")
    line = world.line(planned=50_000)
    rule = world.rule(world.benefit(), publish=False, condition=NORTH, quantity=3, budget_line=line)

    shown = preview(rule=rule, at=world.at)

    assert shown.as_data() == {
        "basis": "period",
        "audience": 4,
        "held_out": 0,
        "units": 12,
        "cost_minor": 12 * 1_200,
        "budget_left_minor": 50_000,
    }


def test_a_preview_leaves_out_the_held_out_and_heeds_caps(world: World) -> None:
    members = [world.member() for _one in range(30)]
    rule = world.rule(
        world.benefit(), publish=False, code="tea", hold_out_bp=3_000, cap_units_per_period=7
    )
    out = sum(
        is_held_out(rule_code="tea", member_id=member.pk, hold_out_bp=3_000) for member in members
    )

    shown = preview(rule=rule, at=world.at)

    assert (shown.audience, shown.held_out, shown.units) == (30, out, 7)
    assert (shown.cost_minor, shown.budget_left_minor) == (7 * 1_200, 5_000_000)


def test_a_preview_of_a_package_adds_its_benefits_up(world: World) -> None:
    world.member()
    package = create_package(
        code="spring",
        name={"en": "Spring"},
        items=[(world.benefit(), 2), (world.benefit(unit_cost_minor=50), 1)],
        by=STAFF,
        at=world.at,
    )
    rule = world.rule(package=package, publish=False, cadence=GrantRule.Cadence.ON_JOIN)

    shown = preview(rule=rule, at=world.at)

    assert (shown.basis, shown.units, shown.cost_minor) == ("matching", 3, 2_450)


def test_publishing_freezes_the_terms_and_what_was_shown(world: World) -> None:
    world.member()
    benefit = world.benefit(code="tea")
    rule = world.rule(benefit, publish=False, code="monthly-tea", condition=NORTH)

    version = publish_rule(rule=rule, by=STAFF, at=world.at)

    found = get_rule(code="monthly-tea")
    assert (found.status, found.version) == ("published", 1)
    assert version.terms["benefit"] == "tea"
    assert version.terms["condition"] == NORTH
    assert version.preview["audience"] == 1
    assert version.published_by == "staff:7"
    entry = AuditEntry.objects.get(action="rule.published")
    assert entry.changes == {
        "version": [None, 1],
        "audience": [None, 1],
        "cost_minor": [None, 1_200],
    }


def test_a_published_rule_is_paused_to_be_changed(world: World) -> None:
    rule = world.rule(world.benefit())
    with pytest.raises(RuleStateError) as refused:
        update_rule(rule=rule, quantity=2, by=STAFF, at=world.at)
    assert refused.value.data == {"status": "published"}
    assert GrantRule.objects.get().quantity == 1

    pause_rule(rule=rule, by=STAFF, at=world.at, reason="too many")
    update_rule(rule=rule, quantity=2, by=STAFF, at=world.at)
    publish_rule(rule=rule, by=STAFF, at=world.at)

    terms = list(RuleVersion.objects.order_by("version").values_list("version", "terms__quantity"))
    assert terms == [(1, 1), (2, 2)]


def test_states_of_a_rule_go_one_way(world: World) -> None:
    draft = world.rule(world.benefit(), publish=False)
    for move in (pause_rule, end_rule):
        with pytest.raises(RuleStateError):
            move(rule=draft, by=STAFF, at=world.at)
    publish_rule(rule=draft, by=STAFF, at=world.at)
    with pytest.raises(RuleStateError):
        publish_rule(rule=draft, by=STAFF, at=world.at)
    assert end_rule(rule=draft, by=STAFF, at=world.at).status == "ended"
    for move in (pause_rule, end_rule, publish_rule):
        with pytest.raises(RuleStateError) as refused:
            move(rule=draft, by=STAFF, at=world.at)
        assert refused.value.data == {"status": "ended"}
    assert GrantRule.objects.get().version == 1


def test_publishing_refuses_ideas_unknown_costs_and_the_past(world: World) -> None:
    for facts, extra, error in (
        ({"stage": "idea"}, {}, BenefitNotLiveError),
        ({"unit_cost_minor": None}, {}, CostMissingError),
        ({}, {"ends_at": world.at}, InvalidRuleError),
    ):
        rule = world.rule(world.benefit(**facts), publish=False, **extra)
        with pytest.raises(error):
            publish_rule(rule=rule, by=STAFF, at=world.at)
    assert set(GrantRule.objects.values_list("status", "version")) == {("draft", 0)}
    assert not RuleVersion.objects.exists()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"benefit": None}, "/benefit"),
        ({"cadence": "hourly"}, "/cadence"),
        ({"every_months": 3}, "/every_months"),
        ({"cadence": "every_n_months"}, "/every_months"),
        ({"cadence": "on_event"}, "/event_name"),
        ({"event_name": "visit"}, "/event_name"),
        ({"quantity": 0}, "/quantity"),
        ({"quantity": True}, "/quantity"),
        ({"hold_out_bp": 10_000}, "/hold_out_bp"),
        ({"cap_per_member": 0}, "/cap_per_member"),
        ({"colour": "red"}, "/colour"),
        ({"code": "No Code"}, "/code"),
    ],
)
def test_rules_refuse_wrong_values(world: World, changes: dict[str, Any], pointer: str) -> None:
    benefit = world.benefit()
    with pytest.raises(InvalidRuleError) as refused:
        world.rule(**{"benefit": benefit, "publish": False, **changes})
    assert refused.value.data["pointer"] == pointer
    assert not GrantRule.objects.exists()


def test_rules_refuse_bad_conditions_and_taken_codes(world: World) -> None:
    benefit = world.benefit()
    with pytest.raises(ConditionError):
        world.rule(benefit, publish=False, condition={"field": "shoe_size", "op": "=", "value": 4})
    world.rule(benefit, publish=False, code="tea")
    with pytest.raises(RuleCodeTakenError):
        world.rule(benefit, publish=False, code="tea")
    with pytest.raises(InvalidRuleError):
        world.rule(
            benefit,
            publish=False,
            starts_at=world.at,
            ends_at=world.at - timedelta(days=1),
        )
    assert GrantRule.objects.count() == 1


def test_rules_are_found_by_benefit_also_in_packages(world: World) -> None:
    tea, wash = world.benefit(), world.benefit()
    package = create_package(
        code="spring", name={"en": "Spring"}, items=[(tea, 1), (wash, 1)], by=STAFF, at=world.at
    )
    one = world.rule(tea, publish=False, priority=2)
    both = world.rule(package=package, priority=1)

    assert [rule.pk for rule in list_rules(benefit=tea)] == [both.pk, one.pk]
    assert [rule.pk for rule in list_rules(benefit=wash)] == [both.pk]
    assert [rule.pk for rule in list_rules(status="draft")] == [one.pk]
    with pytest.raises(UnknownRuleError):
        get_rule(code="nope")
