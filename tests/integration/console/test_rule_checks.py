"""The publish dialog, the test with one member, versions, and how a rule ends, in the console."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.grants.issuing import issue
from benefits.grants.models import Grant, GrantRevocation
from benefits.rules.models import GrantRule
from benefits.rules.operations import pause_rule, update_rule
from benefits.rules.periods import Period
from core import clock
from tenants.events.operations import deliver_pending
from tests.integration.benefits.world import STAFF
from tests.integration.console.programme import Programme

HTMX = {"HX-Request": "true"}
NORTH = {"field": "region", "op": "=", "value": "north"}


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


def test_the_publish_dialog_shows_reach_cost_and_line(client: Client, made: Programme) -> None:
    for region in ("north", "north", "south"):
        made.benefits.member(region=region)
    made.benefits.rule(
        made.benefits.benefit(), publish=False, code="tea", condition=NORTH, quantity=2
    )
    text = client.get(url("check_rule", "tea"), headers=HTMX).content.decode()
    assert 'id="expected-cost">CN¥48.00</b>' in text
    assert "Nothing stands in the way" in text
    assert "Left on “Rules”" in text
    assert "CN¥50,000.00" in text
    assert "disabled" not in text


def test_what_stands_in_the_way_is_said_and_closes_the_button(
    client: Client, made: Programme
) -> None:
    rule = made.benefits.rule(
        made.benefits.benefit(),
        publish=False,
        code="tea",
        budget_line=None,
        condition={"all": [NORTH, {"field": "region", "op": "=", "value": "south"}]},
    )
    text = client.get(url("check_rule", "tea"), headers=HTMX).content.decode()
    assert "its condition contradicts itself" in text
    assert "No line of the budget in force pays for it." in text
    assert 'class="btn btn-primary" disabled' in text
    assert client.post(url("publish_rule", "tea"), headers=HTMX).status_code == 409
    rule.refresh_from_db()
    assert rule.status == "draft"


def test_one_member_is_tested_with_every_answer(client: Client, made: Programme) -> None:
    north, south = made.benefits.member(), made.benefits.member(region="south")
    made.benefits.rule(made.benefits.benefit(), code="tea", condition=NORTH, cap_per_member=3)
    address = url("try_rule", "tea")
    headers = {**HTMX, "HX-Target": "trace"}
    yes = client.get(address, {"member": north.number}, headers=headers).content.decode()
    no = client.get(address, {"member": south.number}, headers=headers).content.decode()
    assert f"{north.number} gets it now." in yes
    assert "0 of 3 used; this one: 1" in yes
    assert f"{south.number} does not get it." in no
    assert '<b class="tnum">south</b>' in no
    nobody = client.get(address, {"member": "zzz"}, headers=headers).content.decode()
    assert "No member is found by this." in nobody
    assert not Grant.objects.exists()


def test_versions_show_what_each_changed(client: Client, made: Programme) -> None:
    rule = made.benefits.rule(made.benefits.benefit(), code="tea", condition=NORTH)
    pause_rule(rule=rule, by=STAFF, at=made.at)
    update_rule(rule=rule, quantity=3, cap_minor_total=90_000, by=STAFF, at=made.at)
    text = client.get(url("rule_versions", "tea"), headers=HTMX).content.decode()
    assert "Changed since, not published yet" in text
    assert '<del class="text-secondary">1</del> → <ins>3</ins>' in text
    assert "<ins>900.00</ins>" in text


def test_ending_a_rule_takes_back_only_when_told(client: Client, made: Programme) -> None:
    made.benefits.member()
    rule = made.benefits.rule(made.benefits.benefit(), code="tea")
    issue(rule=rule, period=Period("2026-03", None, None), at=made.at)
    form = {"revoke_grants": "on", "reason": "Over"}
    assert client.post(url("end_rule", "tea"), form, headers=HTMX).status_code == 204
    deliver_pending(at=made.at)
    assert GrantRevocation.objects.get().cause == "rule_ended"


BUILDER = {
    "builder": "",
    "what": "benefit:tea",
    "quantity": "2",
    "cadence": "monthly",
    "condition-rows": "0",
    "condition-groups": "1",
}


def test_the_builder_tells_reach_cost_and_lines_while_it_is_filled_in(
    client: Client, made: Programme
) -> None:
    for _one in range(3):
        made.benefits.member()
    made.benefits.benefit(code="tea")
    made.benefits.rules_line()
    form = {**BUILDER, "budget_line": "rules", "cap_per_member": "4"}
    text = client.post(url("condition_rows"), form, headers=HTMX).content.decode()
    assert "Every month: 2 × Tea box for every member." in text
    assert 'id="effect-audience">3</b>' in text
    assert 'id="expected-cost">CN¥72.00</b>' in text
    assert "Left on “Rules”" in text
    assert "Units per member at most: 4." in text
    assert "Nothing stands in the way" in text
    assert 'id="rule-effect" class="builder-side" aria-live="polite" hx-swap-oob="true"' in text
    # Nothing that is not filled in yet is called a mistake.
    assert "invalid" not in text
    unpaid = client.post(url("condition_rows"), BUILDER, headers=HTMX).content.decode()
    assert "No line of the budget in force pays for it." in unpaid
    assert not GrantRule.objects.exists()


def test_the_builder_asks_what_a_cadence_needs(client: Client, made: Programme) -> None:
    made.benefits.benefit(code="tea")
    headers = {**HTMX, "HX-Trigger-Name": "cadence"}
    on_event = {**BUILDER, "cadence": "on_event"}
    text = client.post(url("condition_rows"), on_event, headers=headers).content.decode()
    assert 'name="event_name"' in text
    assert "Not complete yet" in text
    told = {**on_event, "event_name": "visit"}
    text = client.post(url("condition_rows"), told, headers=HTMX).content.decode()
    assert "On the event “visit”: 2 × Tea box for every member." in text
    assert 'name="event_name"' not in text


def test_an_edited_rule_is_no_conflict_of_its_own(client: Client, made: Programme) -> None:
    made.benefits.member()
    rule = made.benefits.rule(made.benefits.benefit(code="tea"), code="tea-rule")
    form = {**BUILDER, "builder": rule.code, "budget_line": "rules"}
    text = client.post(url("condition_rows"), form, headers=HTMX).content.decode()
    assert "Nothing stands in the way" in text
    other = client.post(url("condition_rows"), {**form, "builder": ""}, headers=HTMX)
    assert "gives the same to 1 of its members" in other.content.decode()
