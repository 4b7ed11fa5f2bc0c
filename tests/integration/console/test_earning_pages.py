"""Purchases, earning rules and campaigns in the console: pages, effects, refusals."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock
from core.actors import SYSTEM
from members.activity.models import Purchase, Refund
from members.activity.operations import Line
from members.earning.campaign_operations import activate_campaign, create_campaign
from members.earning.models import Campaign, EarningRule
from members.earning.operations import record_purchase
from members.earning.queries import list_rules
from members.earning.rule_operations import create_rule
from members.profiles.models import Member
from tests.integration.console.members_world import MembersWorld
from tests.integration.console.pages import led_to

LIMIT = 12
HTMX = {"HX-Request": "true", "HX-Target": "dlg"}


@pytest.fixture
def world(brand: Any, at: datetime) -> Iterator[MembersWorld]:
    """Return makers inside `brand`, with the clock set and a programme in force."""
    with clock.at(at):
        made = MembersWorld(at)
        made.programme()
        yield made


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def buy(member: Member, at: datetime, key: str = "order-9", **fields: Any) -> Purchase:
    return record_purchase(
        external_id=key,
        member=member,
        occurred_at=at - timedelta(hours=1),
        amount_minor=30_000,
        currency="CNY",
        lines=(Line("tea-1", 3, 20_000, "tea"), Line("cup", 1, 9_000)),
        by=SYSTEM,
        at=at,
        **fields,
    ).purchase


def campaign(at: datetime, **fields: Any) -> Campaign:
    facts: dict[str, Any] = {
        "name": "Double week",
        "effect": "multiplier",
        "multiplier_bp": 20_000,
        "starts_at": at - timedelta(days=3),
        "ends_at": at + timedelta(days=4),
        **fields,
    }
    made = create_campaign(by=SYSTEM, at=at, **facts)
    return activate_campaign(campaign_id=made.pk, by=SYSTEM, at=at)


def pages(world: MembersWorld, at: datetime) -> dict[str, str]:
    member = world.buyer()
    made = campaign(at)
    purchase = buy(member, at)
    (rule,) = list_rules()
    draft = create_rule(
        name="Visit", trigger="event", event_name="visit", effect="fixed", points=5,
        cap_per_day=5, by=SYSTEM, at=at,
    )  # fmt: skip
    home = url("member", member.number)
    sum_done = "CN¥300.00 × 1 per CN¥1.00 · tier × 1.5 · Double week × 2"
    return {
        url("purchases"): "order-9",
        url("purchases") + "?q=order-9&store=&since=2026-03-01": member.number,
        url("purchases") + "?refunded=1": "No purchases here",
        url("purchase", purchase.pk): sum_done,
        url("refund_lines", purchase.pk): "tea-1 · pieces of 3",
        url("earning_rules"): "1 point and as much growth per CN¥1.00",
        url("earning_rules") + "?status=draft": "Event “visit”",
        url("earning_rule", rule.pk): "Every purchase: 1 point and as much growth per CN¥1.00.",
        url("earning_rule", draft.pk): "At most 5 a day per member.",
        url("create_earning_rule"): "Beside other rules",
        url("edit_earning_rule", draft.pk): "visit",
        url("simulate_earning_rule", rule.pk): "No purchases in that month",
        url("campaigns"): "Double week",
        url("campaign", made.pk): "Every purchase: points × 2.",
        url("create_campaign"): "What it gives",
        url("simulate_campaign", made.pk): "No purchases in that month",
        home + "?tab=points": sum_done,
    }


def test_each_page_shows_its_things_in_few_queries(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    for address, word in pages(world, at).items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200, address
        assert word in text, (address, text[-3000:])
        work = [q for q in queries if not q["sql"].startswith(("SET search_path", "SAVEPOINT",
                                                               "RELEASE"))]  # fmt: skip
        most = LIMIT if "simulate" not in address else 34
        assert len(work) <= most, (address, len(work), [q["sql"][:100] for q in work])


RULE = {
    "name": "Tea", "trigger": "purchase", "event_name": "", "points": "2", "effect": "per_unit",
    "unit_minor": "5", "wallets": "points", "cap_per_day": "", "cap_per_month": "300",
    "pending_days": "", "categories": "tea, cups", "category_mode": "only", "stores": "",
    "channels": "web", "stacking": "best", "stack_group": "drinks", "priority": "10",
    "starts_at": "", "ends_at": "", "condition-rows": "1", "condition-0-field": "region",
    "condition-0-op": "=", "condition-0-value": "cn/sh", "condition-groups": "1",
}  # fmt: skip


def test_a_rule_is_drafted_said_as_a_sentence_started_and_ended(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    said = client.post(url("earning_sentence"), RULE, headers=HTMX).content.decode()
    assert "Purchases of tea, cups by web: 2 points per CN¥5.00." in said
    assert "At most 300 a month per member." in said
    assert "Of the group “drinks” only the best rule gives." in said
    answer = client.post(url("create_earning_rule"), RULE, headers=HTMX)
    rule = EarningRule.objects.get(name="Tea")
    assert led_to(answer) == url("earning_rule", rule.pk)
    assert (rule.points, rule.unit_minor, rule.categories, rule.channels) == (
        2,
        500,
        ["tea", "cups"],
        ["web"],
    )
    assert rule.condition == {"all": [{"field": "region", "op": "=", "value": "cn/sh"}]}
    changed = client.post(url("edit_earning_rule", rule.pk), {**RULE, "points": "3"}, headers=HTMX)
    assert changed.status_code == 204
    for name, status in (
        ("activate_earning_rule", "active"),
        ("pause_earning_rule", "paused"),
        ("activate_earning_rule", "active"),
        ("end_earning_rule", "ended"),
    ):
        assert client.post(url(name, rule.pk), headers=HTMX).status_code == 204
        rule.refresh_from_db()
        assert (rule.status, rule.points) == (status, 3)
    assert client.post(url("delete_earning_rule", rule.pk), headers=HTMX).status_code == 409


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trigger": "event"}, "A rule on events names one"),
        ({"stack_group": ""}, "A rule that competes names its group"),
        ({"points": "0"}, "greater than or equal to 1"),
        ({"starts_at": "2026-03-05T00:00", "ends_at": "2026-03-04T00:00"}, "A rule ends after"),
    ],
)
def test_what_can_not_be_is_told_beside_its_field(
    world: MembersWorld,
    staff_client: Callable[..., Client],
    changes: dict[str, str],
    message: str,
) -> None:
    before = EarningRule.objects.count()
    answer = staff_client("owner").post(
        url("create_earning_rule"), {**RULE, **changes}, headers=HTMX
    )
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert EarningRule.objects.count() == before


CAMPAIGN = {
    "name": "Weekend", "effect": "multiplier", "multiplier_bp": "1.5", "points": "",
    "starts_at": "2026-03-20T00:00", "ends_at": "2026-03-22T00:00", "combine": "multiply",
    "categories": "", "stores": "", "channels": "", "condition-rows": "0",
}  # fmt: skip


def test_a_campaign_is_drafted_tried_and_started(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    (rule,) = list_rules()
    missing = client.post(url("create_campaign"), {**CAMPAIGN, "multiplier_bp": ""}, headers=HTMX)
    assert (missing.status_code, "Give a value." in missing.content.decode()) == (422, True)
    answer = client.post(url("create_campaign"), {**CAMPAIGN, "rule_ids": [rule.pk]}, headers=HTMX)
    made = Campaign.objects.get()
    assert led_to(answer) == url("campaign", made.pk)
    assert (made.multiplier_bp, made.rule_ids, made.combine) == (15_000, [rule.pk], "multiply")
    page = client.get(url("campaign", made.pk)).content.decode()
    assert "Every purchase: points × 1.5. Acts on “One for one” only." in page
    world.buyer()
    buy(Member.objects.get(), at - timedelta(days=30))  # 300 × 1.5 of the tier
    tried = client.get(url("simulate_campaign", made.pk), headers=HTMX).content.decode()
    assert "+225" in tried
    assert client.post(url("activate_campaign", made.pk), headers=HTMX).status_code == 204
    assert Campaign.objects.get().status == "active"
    assert client.post(url("delete_campaign", made.pk), headers=HTMX).status_code == 409


def test_lines_come_back_once(
    world: MembersWorld, at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    purchase = buy(world.buyer(), at)
    body = {"external_id": "C-1", "line_1": "2", "line_2": "", "amount": ""}
    for _ in range(2):
        answer = client.post(url("refund_lines", purchase.pk), body, headers=HTMX)
        assert answer.status_code == 204
    refund = Refund.objects.get(purchase=purchase)
    assert refund.amount_minor == 13_333
    too_many = client.post(
        url("refund_lines", purchase.pk), {**body, "external_id": "C-2"}, headers=HTMX
    )
    assert too_many.status_code == 422
    assert "Fewer pieces are left of this line." in too_many.content.decode()
    nothing = client.post(url("refund_lines", purchase.pk), {"external_id": "C-3"}, headers=HTMX)
    assert nothing.status_code == 422
    assert Refund.objects.filter(purchase=purchase).count() == 1
    page = client.get(url("purchase", purchase.pk)).content.decode()
    assert "2 × tea-1" in page


def test_roles_see_and_change_what_is_theirs(
    world: MembersWorld, staff_client: Callable[..., Client]
) -> None:
    (rule,) = list_rules()
    support = staff_client("support")
    assert support.get(url("purchases")).status_code == 200
    assert support.post(url("pause_earning_rule", rule.pk), headers=HTMX).status_code == 403
    assert support.post(url("create_earning_rule"), RULE, headers=HTMX).status_code == 403
    assert EarningRule.objects.get().status == "active"
