"""Purchases with their explanation, refunds by line, batches, rules and simulations."""

from datetime import timedelta
from typing import Any

import pytest

from config.demo.programme import Programme
from core import clock
from core.actors import SYSTEM
from members.activity.models import ActivityEvent, Refund
from members.earning.models import EarningRule
from members.earning.simulation import last_month
from tenants.accounts.keys import create_api_key
from tests.integration.api.conftest import Api


@pytest.fixture
def api(trial: tuple[Api, Programme]) -> Api:
    """Return the brand API with a member `ann`; everything is rolled back."""
    assert trial[0]("PUT", "members/ann", {}).status_code == 201
    return trial[0]


def body(key: str, amount: int, *, lines: list[tuple[str, int, int]] = [], **more: Any) -> Any:  # noqa: B006
    return {
        "external_id": key,
        "member": "ann",
        "occurred_at": (clock.now() - timedelta(hours=1)).isoformat(),
        "amount": {"amount": amount, "currency": "CNY"},
        "lines": [
            {"sku": "A", "category": category, "quantity": quantity, "amount": line}
            for category, quantity, line in lines
        ],
        **more,
    }


def refund(key: str, **more: Any) -> dict[str, Any]:
    return {"external_id": key, "occurred_at": clock.now().isoformat(), **more}


def test_a_purchase_explains_itself(api: Api) -> None:
    bought = api("POST", "purchases", body("P-1", 60_000, lines=[("skin", 3, 50_000)])).json()
    detail = api("GET", "purchases/P-1").json()
    points, growth = detail["earned"]
    rule = EarningRule.objects.get()
    assert points == {
        "rule": {"id": rule.pk, "name": rule.name},
        "wallet": "points",
        "counted": {"amount": 60_000, "currency": "CNY"},
        "base": 60_000 * rule.points // rule.unit_minor,
        "tier_multiplier_bp": 10_000,
        "campaign_multiplier_bp": 10_000,
        "campaigns": [],
        "before_caps": bought["points"],
        "cut_by_cap": 0,
        "amount": bought["points"],
        "taken_back": 0,
    }
    assert (growth["wallet"], growth["amount"]) == ("growth", bought["growth"])
    (entry,) = api("GET", "members/ann/points/entries").json()["items"]
    assert entry["explanation"] == points
    page = api("GET", "members/ann/purchases?limit=1").json()
    assert [row["external_id"] for row in page["items"]] == ["P-1"]
    assert api("GET", "purchases/none").status_code == 404


def test_refunds_by_line_make_their_amount(api: Api) -> None:
    api("POST", "purchases", body("P-1", 60_000, lines=[("skin", 3, 50_000), ("tea", 1, 9_000)]))
    first = refund("R-1", lines=[{"line": 1, "quantity": 1}])
    answer = api("POST", "purchases/P-1/refunds", first)
    assert (answer.status_code, answer.json()["amount"]["amount"]) == (201, 16_666)
    assert api("POST", "purchases/P-1/refunds", first).status_code == 200
    too_many = api(
        "POST", "purchases/P-1/refunds", refund("R-2", lines=[{"line": 1, "quantity": 3}])
    )
    assert (too_many.status_code, too_many.json()["left_quantity"]) == (409, 2)
    assert too_many.json()["errors"][0]["pointer"] == "/lines/0/quantity"
    rest = api("POST", "purchases/P-1/refunds", refund("R-2", lines=[{"line": 1, "quantity": 2}]))
    assert rest.json()["amount"]["amount"] == 33_334
    detail = api("GET", "purchases/P-1").json()
    assert [row["lines"] for row in detail["refunds"]] == [
        [{"line": 1, "quantity": 1, "amount": 16_666}],
        [{"line": 1, "quantity": 2, "amount": 33_334}],
    ]
    assert detail["refunded"]["amount"] == 50_000


@pytest.mark.parametrize(
    ("fields", "status", "code", "pointer"),
    [
        ({}, 422, "invalid_amount", "/amount"),
        ({"lines": [{"line": 9, "quantity": 1}]}, 422, "invalid_purchase", "/lines/0/line"),
        (
            {"lines": [{"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]},
            422,
            "invalid_purchase",
            "/lines/1/line",
        ),
        (
            {"lines": [{"line": 1, "quantity": 1, "amount": 60_000}]},
            409,
            "refund_too_large",
            "/lines/0/amount",
        ),
        (
            {"amount": {"amount": 1, "currency": "CNY"}, "lines": [{"line": 1, "quantity": 1}]},
            422,
            "invalid_purchase",
            "/amount",
        ),
        ({"amount": {"amount": 60_001, "currency": "CNY"}}, 409, "refund_too_large", "/amount"),
        (
            {"amount": {"amount": 1, "currency": "USD"}},
            422,
            "unsupported_currency",
            "/amount/currency",
        ),
        (
            {"amount": {"amount": 1, "currency": "CNY"}, "occurred_at": "2020-01-01T00:00:00Z"},
            422,
            "refund_before_purchase",
            "/occurred_at",
        ),
    ],
)
def test_refunds_that_can_not_be_name_the_place(
    api: Api, fields: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    api("POST", "purchases", body("P-1", 60_000, lines=[("skin", 3, 50_000)]))
    answer = api("POST", "purchases/P-1/refunds", {**refund("R-1"), **fields})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert Refund.objects.count() == 0


def test_a_refund_before_its_purchase_is_sent_again(api: Api) -> None:
    early = refund("R-1", purchase="P-1", amount={"amount": 600, "currency": "CNY"})
    (item,) = api("POST", "refunds/batch", {"refunds": [early]}).json()["items"]
    assert (item["status"], item["problem"]["code"]) == (404, "purchase_not_found")
    api("POST", "purchases", body("P-1", 1_000))
    sent = {"refunds": [early, early, {**early, "external_id": "R-2"}, {"purchase": "P-1"}]}
    items = api("POST", "refunds/batch", sent).json()["items"]
    assert [item["status"] for item in items] == [201, 200, 409, 422]
    assert items[2]["problem"]["left_minor"] == 400
    assert Refund.objects.count() == 1


def test_a_batch_of_events(api: Api) -> None:
    at = (clock.now() - timedelta(minutes=1)).isoformat()
    visit = {"member": "ann", "name": "visit", "occurred_at": at, "external_id": "E-1"}
    later = {**visit, "external_id": "E-2", "occurred_at": "2999-01-01T00:00:00Z"}
    sent = {"events": [visit, visit, {**visit, "name": "view"}, later, {**visit, "member": "x"}]}
    items = api("POST", "events/batch", sent).json()["items"]
    assert [item["status"] for item in items] == [201, 200, 409, 422, 404]
    assert items[3]["problem"]["errors"][0]["pointer"] == "/at"
    assert ActivityEvent.objects.get().name == "visit"


def test_rules_are_read_and_drafts_simulated_without_a_trace(api: Api) -> None:
    assert [row["status"] for row in api("GET", "earning-rules").json()["items"]] == ["active"]
    assert api("GET", "campaigns").json() == {"items": []}
    first = last_month(at=clock.now())
    api("POST", "purchases", body("P-1", 10_000, occurred_at=f"{first}T10:00:00+08:00"))
    found = api("POST", "earning-rules/simulate", {"effect": "fixed", "points": 40}).json()
    assert found["first_day"] == str(first)
    assert (found["total"]["purchases"], found["total"]["points_effect"]) == (1, 40)
    assert found["total"]["points_without"] == found["total"]["points_given"]
    double = {"effect": "multiplier", "multiplier_bp": 20_000,
              "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"}  # fmt: skip
    total = api("POST", "campaigns/simulate", double).json()["total"]
    assert total["points_effect"] == total["points_given"] > 0
    bad = api("POST", "earning-rules/simulate", {"effect": "fixed", "points": 1, "condition": {
        "field": "moon", "op": "=", "value": 1}})  # fmt: skip
    assert bad.json()["errors"][0]["pointer"] == "/condition/field"
    assert EarningRule.objects.count() == 1


def test_reading_needs_the_scope(api: Api) -> None:
    _key, text = create_api_key(
        kind="brand", name="x", scopes=["purchases:write"], is_live=True, by=SYSTEM, at=clock.now()
    )
    other = api.with_key(text)
    for method, path in (
        ("GET", "earning-rules"),
        ("GET", "campaigns"),
        ("GET", "purchases/P-1"),
        ("GET", "members/ann/purchases"),
        ("POST", "campaigns/simulate"),
    ):
        assert other(method, path, {} if method == "POST" else None).status_code == 403, path
