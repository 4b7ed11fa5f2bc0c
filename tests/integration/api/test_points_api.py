"""Points in depth through the brand API."""

from datetime import timedelta
from typing import Any

import pytest

from config.demo.programme import Programme
from core import clock
from core.actors import SYSTEM, Actor
from members.points.models import AdjustmentRequest, Entry
from members.points.operations import change_wallet, create_wallet, snapshot_liability
from tenants.accounts.keys import create_api_key
from tenants.brands.context import current_brand
from tests.integration.api.conftest import Api

SCOPES = ["members:write", "members:read", "points:read", "points:write", "points:approve"]


@pytest.fixture
def api(trial: tuple[Api, Programme]) -> Api:
    """Return the brand API with a key that one person made; two members with points."""
    api = keyed(trial[0], trial[1].actor("owner"))
    for name in ("ann", "ben"):
        assert api("PUT", f"members/{name}", {}).status_code == 201
        add(api, name, 500)
    return api


def keyed(api: Api, by: Actor) -> Api:
    _row, text = create_api_key(
        kind="brand", name="Shop", scopes=SCOPES, is_live=True, by=by, at=clock.now()
    )
    return api.with_key(text)


def post(api: Api, path: str, body: Any, key: str = "") -> tuple[int, Any]:
    headers = {"Idempotency_Key": key or f"{path}-{body}"}
    answer = api("POST", path, body, **headers)
    return answer.status_code, answer.json()


def add(api: Api, name: str, amount: int) -> None:
    body = {"amount": amount, "reason": "Opening"}
    assert post(api, f"members/{name}/points/adjustments", body)[0] == 201


def rules(**given: Any) -> None:
    change_wallet(wallet="points", by=SYSTEM, at=clock.now(), **given)


def test_wallets_and_their_balances(api: Api) -> None:
    create_wallet(code="stars", name="Stars", by=SYSTEM, at=clock.now(), spend_step=5)
    items = api("GET", "wallets").json()["items"]
    assert [(row["code"], row["spend_step"]) for row in items] == [
        ("points", 1), ("growth", 1), ("stars", 5),
    ]  # fmt: skip
    body = {"amount": 9, "reason": "Star", "wallet": "stars"}
    assert post(api, "members/ann/points/adjustments", body)[0] == 201
    assert api("GET", "members/ann/points").json()["wallets"]["stars"]["available"] == 9
    assert api("GET", "members/ann/points/entries?wallet=stars").json()["items"][0]["delta"] == 9
    assert api("GET", "members/ann/points/entries?wallet=moons").status_code == 404


def test_a_member_spends_a_chosen_number(api: Api) -> None:
    rules(spend_min=100, spend_step=50)
    status, problem = post(api, "members/ann/points/spend", {"amount": 120})
    assert (status, problem["code"], problem["nearest"], problem["step"]) == (
        422, "spend_rule", 100, 50,
    )  # fmt: skip
    assert post(api, "points/holds", {"member": "ann", "amount": 120})[0] == 422
    body = {"amount": 150, "reason": "Order 7"}
    assert post(api, "members/ann/points/spend", body, "k")[1]["balance"] == 350
    assert post(api, "members/ann/points/spend", body, "k")[1]["balance"] == 350
    lots = api("GET", "members/ann/points/lots").json()["items"]
    assert [(lot["earned"], lot["spent"], lot["remaining"]) for lot in lots] == [(500, 150, 350)]
    assert [(move["kind"], move["quantity"]) for move in lots[0]["moves"]] == [
        ("adjust", 500), ("redeem", -150),
    ]  # fmt: skip
    assert lots[0]["cause"]["reason"] == "Opening"
    seq = api("GET", "members/ann/points/entries").json()["items"][0]["seq"]
    path = f"members/ann/points/entries/{seq}/reverse"
    assert post(api, path, {"amount": 50}) == (
        201, {"seq": 3, "delta": 50, "balance": 400, "shortfall": 0},
    )  # fmt: skip
    assert post(api, path, {"amount": 101})[1]["reversible"] == 100
    assert post(api, "members/ann/points/entries/99/reverse", {})[0] == 404


def test_consent_takes_another_person_through_the_api_too(
    api: Api, trial: tuple[Api, Programme]
) -> None:
    rules(adjust_limit=600)
    path = "members/ann/points/adjustments"
    status, asked = post(api, path, {"amount": 101, "reason": "Lost"})  # 500 are used up
    assert (status, asked["state"], asked["member"]) == (202, "pending", "ann")
    entries = Entry.objects.count()
    decide = f"points/adjustments/{asked['id']}"
    # The same key, and another that the same person made.
    for same in (api, keyed(api, trial[1].actor("owner"))):
        status, problem = post(same, f"{decide}/approve", {})
        assert (status, problem["code"]) == (403, "same_person")
    assert Entry.objects.count() == entries
    other = keyed(api, trial[1].actor("finance"))
    assert post(other, f"{decide}/refuse", {})[0] == 422  # a refusal says why
    status, done = post(other, f"{decide}/approve", {"note": "Checked"})
    assert (status, done["state"]) == (200, "approved")
    assert api("GET", "members/ann/points").json()["points"]["available"] == 601
    assert api("GET", "points/adjustments?state=approved").json()["items"][0]["id"] == asked["id"]
    assert api("GET", "points/adjustments?state=lost").status_code == 422
    assert post(other, f"{decide}/approve", {}, "again")[1]["code"] == "adjustment_request_decided"
    assert AdjustmentRequest.objects.get().note == "Checked"


def test_points_are_passed_on_where_the_brand_allows_it(api: Api) -> None:
    body = {"sender": "ann", "receiver": "ben", "amount": 200}
    assert post(api, "points/transfers", body, "a")[1]["code"] == "transfers_off"
    rules(transfers_on=True, transfer_day_points=250)
    assert post(api, "points/transfers", body, "b")[1]["balance"] == 300
    status, problem = post(api, "points/transfers", body, "c")
    assert (status, problem["code"], problem["left"]) == (409, "transfer_limit", 50)
    assert "retry_at" in problem
    assert api("GET", "members/ben/points").json()["points"]["available"] == 700
    dry = api("POST", "points/transfers?dry_run=true", {**body, "amount": 50})
    assert (dry.status_code, dry.json()["balance"]) == (201, 250)
    assert api("GET", "members/ann/points").json()["points"]["available"] == 300


def test_liability_of_days(api: Api) -> None:
    today = clock.today(current_brand().timezone)
    yesterday = today - timedelta(days=1)
    snapshot_liability(since=yesterday, until=today, at=clock.now())
    items = api("GET", f"points/liability?from={yesterday}").json()["items"]
    assert [row["outstanding"] for row in items] == [0, 1000]
    assert api("GET", "points/liability?from=2020-01-01").status_code == 422
    assert api("GET", "points/liability?from=soon").json()["code"] == "invalid"
