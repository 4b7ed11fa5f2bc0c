"""Campaigns: made, moved, refused; what they do to a purchase, and what a bonus gives back."""

from datetime import date

import pytest

from core.actors import SYSTEM
from members.earning.campaign_operations import (
    activate_campaign,
    create_campaign,
    delete_campaign,
    end_campaign,
    pause_campaign,
    update_campaign,
)
from members.earning.errors import (
    CampaignNotFoundError,
    CampaignStateError,
    InvalidCampaignError,
    InvalidRuleError,
    RuleStateError,
)
from members.earning.invariants import CHECKS
from members.earning.models import Campaign, Earning, EarningRule
from members.earning.operations import record_refund
from members.earning.rule_operations import (
    activate_rule,
    create_rule,
    delete_rule,
    pause_rule,
    update_rule,
)
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.members.earning.world import (
    AT,
    TODAY,
    buy,
    campaign,
    days_ago,
    join,
    moment,
    rule,
)

DATES = {"starts_at": moment(days_ago(3)), "ends_at": moment(date(2026, 4, 1))}


def test_multipliers_stack_as_stated_and_are_kept_with_the_earning(brand: Brand) -> None:
    base = rule(wallets="points", cap_per_day=500)
    other = rule(name="other", wallets="points", unit_minor=1_000)
    campaign(name="double", multiplier_bp=20_000)
    triple = campaign(name="triple", multiplier_bp=30_000)
    on_top = campaign(name="on top", multiplier_bp=15_000, combine="multiply", rule_ids=[base.pk])
    member = join()
    assert buy(member, 10_000).points == 450 + 30
    first, second = Earning.objects.order_by("rule_id")
    assert (first.base, first.raw, first.amount, first.cut) == (100, 450, 450, 0)
    assert (first.campaign_bp, first.campaigns) == (45_000, [triple.pk, on_top.pk])
    assert (second.rule_id, second.campaign_bp, second.campaigns) == (
        other.pk,
        30_000,
        [triple.pk],
    )
    # 50 of the cap are left; the rest is told.
    assert buy(member, 10_000).points == 50 + 30
    assert buy(member, 10_000).points == 30
    cut = Earning.objects.filter(rule=base).order_by("purchase_id")
    assert [(row.amount, row.cut) for row in cut] == [(450, 0), (50, 400), (0, 450)]
    assert [line for check in CHECKS.values() for line in check()] == []


def test_bonus_is_given_once_per_purchase_and_taken_back_with_it(brand: Brand) -> None:
    bonus = campaign(name="spring", effect="bonus", points=30, channels=["web"])
    member = join()
    assert buy(member, 1_000, key="A-1", channel="web").points == 30
    assert buy(member, 1_000, channel="store").points == 0
    assert Earning.objects.get().rule.campaign_id == bonus.pk
    outcome = record_refund(
        purchase_external_id="A-1",
        external_id="R-1",
        amount_minor=500,
        occurred_at=moment(TODAY, 11),
        by=SYSTEM,
        at=AT,
    )
    assert outcome.points == 15


def test_the_rule_of_a_bonus_follows_its_campaign_only(brand: Brand) -> None:
    bonus = campaign(effect="bonus", points=30)
    made = EarningRule.objects.get()
    with pytest.raises(RuleStateError):
        pause_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    pause_campaign(campaign_id=bonus.pk, by=SYSTEM, at=AT)
    assert EarningRule.objects.get().status == "paused"
    assert buy(join(), 1_000).points == 0
    activate_campaign(campaign_id=bonus.pk, by=SYSTEM, at=AT)
    assert buy(join(), 1_000).points == 30
    end_campaign(campaign_id=bonus.pk, by=SYSTEM, at=AT)
    assert (EarningRule.objects.count(), EarningRule.objects.get().status) == (1, "ended")


def test_campaigns_move_forward_only_and_leave_a_trace(brand: Brand) -> None:
    made = create_campaign(
        name="x", effect="multiplier", multiplier_bp=20_000, by=SYSTEM, at=AT, **DATES
    )
    changed = update_campaign(
        campaign_id=made.pk, fields={"multiplier_bp": 30_000}, by=SYSTEM, at=AT
    )
    assert (changed.multiplier_bp, changed.name) == (30_000, "x")
    activate_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)
    for refused in (update_campaign, delete_campaign):
        extra = {"fields": {"name": "y"}} if refused is update_campaign else {}
        with pytest.raises(CampaignStateError):
            refused(campaign_id=made.pk, by=SYSTEM, at=AT, **extra)  # type: ignore[operator]
    end_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)
    with pytest.raises(CampaignStateError) as found:
        activate_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)
    assert found.value.data["status"] == "ended"
    assert Campaign.objects.get().name == "x"
    actions = AuditEntry.objects.filter(target_type="campaign").order_by("pk")
    assert [entry.action for entry in actions] == [
        "campaign.created",
        "campaign.changed",
        "campaign.moved",
        "campaign.moved",
    ]
    assert actions[1].changes == {"multiplier_bp": [20_000, 30_000]}
    with pytest.raises(CampaignNotFoundError):
        end_campaign(campaign_id=0, by=SYSTEM, at=AT)


def test_a_campaign_whose_dates_have_passed_stays_a_draft(brand: Brand) -> None:
    made = create_campaign(
        name="x",
        effect="bonus",
        points=1,
        starts_at=moment(days_ago(9)),
        ends_at=moment(days_ago(1)),
        by=SYSTEM,
        at=AT,
    )
    with pytest.raises(CampaignStateError):
        activate_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)
    assert (Campaign.objects.get().status, EarningRule.objects.count()) == ("draft", 0)
    delete_campaign(campaign_id=made.pk, by=SYSTEM, at=AT)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"effect": "magic"}, "/effect"),
        ({"multiplier_bp": 10_000}, "/multiplier_bp"),
        ({"multiplier_bp": 1_000_001}, "/multiplier_bp"),
        ({"points": 5}, "/points"),
        ({"effect": "bonus", "multiplier_bp": 10_000, "points": 0}, "/points"),
        ({"effect": "bonus", "points": 5}, "/multiplier_bp"),
        ({"effect": "bonus", "multiplier_bp": 10_000, "points": 5, "rule_ids": [1]}, "/rule_ids"),
        ({"rule_ids": [0]}, "/rule_ids"),
        ({"combine": "add"}, "/combine"),
        ({"stores": [""]}, "/stores"),
        ({"ends_at": DATES["starts_at"]}, "/ends_at"),
        ({"condition": {"field": "moon", "op": "=", "value": 1}}, "/condition/field"),
    ],
)
def test_wrong_campaign_is_refused(brand: Brand, fields: dict[str, object], pointer: str) -> None:
    values = {"name": "x", "effect": "multiplier", "multiplier_bp": 20_000, **DATES, **fields}
    with pytest.raises(InvalidCampaignError) as refused:
        create_campaign(by=SYSTEM, at=AT, **values)  # type: ignore[arg-type]
    assert refused.value.data["pointer"] == pointer
    assert not Campaign.objects.exists()


def test_drafts_of_rules_are_changed_and_removed_and_others_are_not(brand: Brand) -> None:
    made = create_rule(name="base", effect="per_unit", points=1, by=SYSTEM, at=AT)
    assert update_rule(rule_id=made.pk, fields={"points": 2}, by=SYSTEM, at=AT).points == 2
    with pytest.raises(InvalidRuleError):
        update_rule(rule_id=made.pk, fields={"points": 0}, by=SYSTEM, at=AT)
    assert EarningRule.objects.get().points == 2
    activate_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    with pytest.raises(RuleStateError):
        update_rule(rule_id=made.pk, fields={"points": 3}, by=SYSTEM, at=AT)
    with pytest.raises(RuleStateError):
        delete_rule(rule_id=made.pk, by=SYSTEM, at=AT)
    assert EarningRule.objects.get().points == 2
    draft = create_rule(name="gone", effect="per_unit", points=1, by=SYSTEM, at=AT)
    delete_rule(rule_id=draft.pk, by=SYSTEM, at=AT)
    assert EarningRule.objects.count() == 1


def test_a_group_chooses_in_one_way(brand: Brand) -> None:
    rule(stacking="best", stack_group="g")
    other = create_rule(
        name="x", effect="fixed", points=1, stacking="first", stack_group="g", by=SYSTEM, at=AT
    )
    with pytest.raises(InvalidRuleError) as refused:
        activate_rule(rule_id=other.pk, by=SYSTEM, at=AT)
    assert refused.value.data["pointer"] == "/stacking"
    assert EarningRule.objects.get(pk=other.pk).status == "draft"
