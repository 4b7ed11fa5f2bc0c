"""Benefits, packages and grant rules, changed through the console."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.catalogue.models import Benefit, BenefitCost, StageChange
from benefits.catalogue.operations import change_stage
from benefits.catalogue.queries import get_benefit
from benefits.rules.models import GrantRule
from benefits.rules.queries import get_rule
from core import clock
from tenants.audit.models import AuditEntry
from tests.integration.benefits.world import STAFF
from tests.integration.console.pages import led_to
from tests.integration.console.programme import Programme

HTMX = {"HX-Request": "true"}


@pytest.fixture
def made(brand: Any, at: datetime) -> Iterator[Programme]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        yield Programme(at)


@pytest.fixture
def client(made: Programme, staff_client: Callable[..., Client]) -> Client:
    """Return a client signed in as the owner."""
    return staff_client("owner")


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


GIFT = {
    "name_en": "Candle",
    "name_zh-hans": "香薰",
    "code": "candle",
    "sku": "C-1",
    "channel": "staff",
    "stage": "pilot",
    "unit_cost_minor": "12.50",
    "list_price_minor": "39",
    "sla_hours": "48",
    "service_steps": "Wrap it\nHand it over",
    "regions": "north, south",
    "cancel_returns_unit": "on",
    "icon": "gift",
}


def test_a_benefit_is_made_with_all_that_was_typed(client: Client) -> None:
    answer = client.post(url("create_benefit", "gift"), GIFT, headers=HTMX)
    assert led_to(answer) == url("benefit", "candle")
    benefit = get_benefit(code="candle")
    assert (benefit.kind, benefit.stage, benefit.channel) == ("gift", "pilot", "staff")
    assert benefit.name == {"en": "Candle", "zh-hans": "香薰"}
    assert benefit.parameters == {"sku": "C-1"}
    assert (benefit.list_price_minor, benefit.sla_hours) == (3_900, 48)
    assert benefit.service_steps == ["Wrap it", "Hand it over"]
    assert benefit.regions == ["north", "south"]
    assert benefit.icon == "gift"
    cost = BenefitCost.objects.get(benefit=benefit)
    assert (cost.unit_cost_minor, cost.valid_from) == (1_250, date(2026, 3, 15))
    entry = AuditEntry.objects.get(action="benefit.created")
    assert (entry.actor_kind, entry.actor_label) == ("staff", "Owner")


def test_a_wrong_benefit_shows_where_and_makes_nothing(client: Client) -> None:
    for wrong, words in [
        ({"name_en": ""}, "This field is required."),
        ({"unit_cost_minor": "twelve"}, "Give an amount such as 1250 or 1250.50."),
        ({"code": "Not a code"}, "is-invalid"),
        ({"starts_at": "2026-04-02T10:00", "ends_at": "2026-04-01T10:00"}, "It must end after"),
    ]:
        answer = client.post(url("create_benefit", "gift"), {**GIFT, **wrong}, headers=HTMX)
        assert answer.status_code == 422, wrong
        assert words in answer.content.decode(), wrong
    assert not Benefit.objects.exists()


def test_a_discount_is_a_share_or_an_amount(client: Client) -> None:
    facts = {**GIFT, "code": "ten", "channel": "code"}
    both = {**facts, "percent_bp": "10", "amount_minor": "5"}
    answer = client.post(url("create_benefit", "discount"), both, headers=HTMX)
    assert answer.status_code == 422
    client.post(url("create_benefit", "discount"), {**facts, "percent_bp": "12.5"})
    assert get_benefit(code="ten").parameters == {"percent_bp": 1_250}


def test_a_code_in_use_is_refused_on_its_field(client: Client, made: Programme) -> None:
    made.benefits.benefit(code="candle")
    answer = client.post(url("create_benefit", "gift"), GIFT, headers=HTMX)
    assert answer.status_code == 422
    assert "This code is in use already." in answer.content.decode()
    assert Benefit.objects.count() == 1


def test_a_benefit_is_changed_and_its_other_fields_stay(client: Client, made: Programme) -> None:
    texts = {"en": "Tea", "fr": "Thé"}
    benefit = made.benefits.benefit(code="tea", name=texts, sla_hours=24, regions=["north"])
    form = {
        "name_en": "Green tea",
        "channel": "staff",
        "list_price_minor": "0",
        "sla_hours": "24",
        "regions": "north",
        "icon": "leaf",
    }
    answer = client.post(url("edit_benefit", "tea"), form, headers=HTMX)
    assert answer.status_code == 204
    assert "benefits:changed" in answer["HX-Trigger"]
    benefit.refresh_from_db()
    assert benefit.name == {"en": "Green tea", "fr": "Thé"}
    assert (benefit.sla_hours, benefit.regions, benefit.icon) == (24, ["north"], "leaf")
    assert benefit.cancel_returns_unit is False


def test_a_stage_moves_only_with_a_reason_and_to_what_may_follow(
    client: Client, made: Programme
) -> None:
    benefit = made.benefits.benefit(code="tea", stage="core")
    for wrong in ({"to": "star", "reason": ""}, {"to": "retired", "reason": "Enough"}):
        assert client.post(url("move_benefit", "tea"), wrong, headers=HTMX).status_code == 422
    benefit.refresh_from_db()
    assert benefit.stage == "core"
    answer = client.post(
        url("move_benefit", "tea"), {"to": "star", "reason": "Loved by all"}, headers=HTMX
    )
    assert answer.status_code == 204
    benefit.refresh_from_db()
    assert benefit.stage == "star"
    change = StageChange.objects.get(benefit=benefit, to_stage="star")
    assert (change.from_stage, change.reason) == ("core", "Loved by all")
    history = client.get(url("benefit", "tea") + "?tab=history").content.decode()
    assert "Loved by all" in history
    assert "Core → Star service" in history


RULE = {
    "name": "Tea for spenders",
    "code": "tea-spenders",
    "quantity": "2",
    "cadence": "monthly",
    "hold_out_bp": "10",
    "cap_minor_per_period": "500",
    "priority": "100",
    "condition-rows": "3",
    "condition-0-field": "spend_365d",
    "condition-0-op": ">=",
    "condition-0-value": "1000.50",
    "condition-1-field": "region",
    "condition-1-op": "in",
    "condition-1-value": "north, south",
    "condition-2-field": "",
}


def test_a_rule_goes_from_idea_to_live(client: Client, made: Programme) -> None:
    tea = made.benefits.benefit(code="tea")
    line = made.benefits.rules_line()
    form = {**RULE, "what": f"benefit:{tea.code}", "budget_line": line.code}
    answer = client.post(url("create_rule"), form, headers=HTMX)
    assert led_to(answer) == url("rule", "tea-spenders")
    rule = get_rule(code="tea-spenders")
    assert (rule.status, rule.benefit_id, rule.quantity) == ("draft", tea.pk, 2)
    assert (rule.hold_out_bp, rule.cap_minor_per_period) == (1_000, 50_000)
    assert rule.condition == {
        "all": [
            {"field": "spend_365d", "op": ">=", "value": 100_050},
            {"field": "region", "op": "in", "value": ["north", "south"]},
        ]
    }
    page = client.get(url("rule", rule.code)).content.decode()
    assert "Spend in the last 365 days is at least" in page
    for name, status in [
        ("publish_rule", "published"),
        ("pause_rule", "paused"),
        ("publish_rule", "published"),
        ("end_rule", "ended"),
    ]:
        assert client.post(url(name, rule.code), headers=HTMX).status_code == 204
        rule.refresh_from_db()
        assert rule.status == status
    assert client.post(url("publish_rule", rule.code), headers=HTMX).status_code == 409
    rule.refresh_from_db()
    assert (rule.status, rule.version) == ("ended", 2)


def test_a_rule_with_a_wrong_audience_is_not_saved(client: Client, made: Programme) -> None:
    tea = made.benefits.benefit(code="tea")
    form = {**RULE, "what": f"benefit:{tea.code}", "condition-0-value": "a lot"}
    answer = client.post(url("create_rule"), form, headers=HTMX)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Give an amount such as 1250." in text
    assert 'value="a lot"' in text
    assert not GrantRule.objects.exists()


def test_a_draft_shows_its_audience_as_rows_again(client: Client, made: Programme) -> None:
    tea = made.benefits.benefit(code="tea")
    client.post(url("create_rule"), {**RULE, "what": f"benefit:{tea.code}"})
    text = client.get(url("edit_rule", "tea-spenders")).content.decode()
    assert 'value="1000.50"' in text
    assert 'value="north, south"' in text
    changed = {**RULE, "what": f"benefit:{tea.code}", "condition-0-value": "2000"}
    del changed["code"]
    answer = client.post(url("edit_rule", "tea-spenders"), changed, headers=HTMX)
    assert led_to(answer) == url("rule", "tea-spenders")
    assert get_rule(code="tea-spenders").condition["all"][0]["value"] == 200_000


def test_an_audience_that_rows_cannot_show_stays_as_it_is(client: Client, made: Programme) -> None:
    tea = made.benefits.benefit(code="tea")
    north = {"field": "region", "op": "=", "value": "north"}
    # Deeper than the form goes.
    tree: dict[str, Any] = {"any": [north, north]}
    for _level in range(4):
        tree = {"any": [{"all": [tree, north]}, north]}
    rule = made.benefits.rule(tea, publish=False, code="odd", condition=tree)
    text = client.get(url("edit_rule", "odd")).content.decode()
    assert "It stays as it is." in text
    form = {
        "name": "Odd one",
        "what": "benefit:tea",
        "quantity": "1",
        "cadence": "monthly",
        "priority": "5",
    }
    assert led_to(client.post(url("edit_rule", "odd"), form, headers=HTMX)) == url("rule", "odd")
    rule.refresh_from_db()
    assert (rule.name, rule.priority, rule.condition) == ("Odd one", 5, tree)


def test_a_published_rule_is_not_changed(client: Client, made: Programme) -> None:
    rule = made.benefits.rule(made.benefits.benefit(code="tea"), code="fixed", name="Fixed")
    form = {**RULE, "what": "benefit:tea"}
    del form["code"]
    answer = client.post(url("edit_rule", "fixed"), form, headers=HTMX)
    assert answer.status_code == 422
    rule.refresh_from_db()
    assert (rule.name, rule.quantity, rule.condition) == ("Fixed", 1, {})


def test_rows_tell_whom_they_reach_and_grow(client: Client, made: Programme) -> None:
    for number in range(3):
        made.benefits.member(external_id=f"n-{number}", region="north")
    made.benefits.member(external_id="s-1", region="south")
    rows = {
        "condition-rows": "1",
        "condition-0-field": "region",
        "condition-0-op": "=",
        "condition-0-value": "north",
    }
    text = client.post(url("condition_rows"), rows).content.decode()
    assert "Reaches now:" in text
    assert ">3</b>" in text
    assert "Region is north" in text
    grown = client.post(url("condition_rows"), {**rows, "add": "1"}).content.decode()
    assert 'name="condition-1-field"' in grown
    half = client.post(url("condition_rows"), {**rows, "condition-0-value": ""}).content.decode()
    assert "Reaches now:" not in half


def test_only_who_may_publish_publishes(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    rule = made.benefits.rule(made.benefits.benefit(), publish=False, code="waiting")
    finance = staff_client("finance")
    assert finance.get(url("rule", "waiting")).status_code == 200
    assert finance.post(url("publish_rule", "waiting")).status_code == 403
    rule.refresh_from_db()
    assert rule.status == "draft"
    assert finance.get(url("publish_rule", "waiting")).status_code == 405


def test_a_rule_keeps_what_could_no_longer_be_chosen(client: Client, made: Programme) -> None:
    tea = made.benefits.benefit(code="tea", stage="watch")
    made.benefits.benefit(code="cup")
    line = made.benefits.line()
    rule = made.benefits.rule(tea, publish=False, code="old", budget_line=line)
    change_stage(benefit=tea, to="retired", reason="Old", by=STAFF, at=made.at)
    with clock.at(made.at.replace(year=2028)):
        text = client.get(url("edit_rule", "old")).content.decode()
    assert '<option value="benefit:tea" selected>' in text
    assert '<option value="gifts" selected>' in text
    assert '<option value="benefit:tea"' not in client.get(url("create_rule")).content.decode()
    rule.refresh_from_db()
    assert (rule.benefit_id, rule.budget_line_id) == (tea.pk, line.pk)


def test_a_new_rule_can_begin_at_its_benefit(client: Client, made: Programme) -> None:
    made.benefits.benefit(code="tea")
    made.benefits.benefit(code="cup")
    text = client.get(url("create_rule") + "?benefit=cup").content.decode()
    assert '<option value="benefit:cup" selected>' in text
