"""Bad input is refused with a problem that names the place, and nothing is written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from api.base import REQUESTS_PER_MINUTE
from config.demo.programme import Programme
from core import clock
from core.actors import SYSTEM
from members.activity.models import Purchase
from members.points.models import Entry
from tenants.accounts.keys import create_api_key
from tenants.accounts.models import ApiKey
from tenants.brands.models import Brand
from tests.integration.api.conftest import Api

GOOD: dict[str, Any] = {
    "external_id": "P-1",
    "member": "ann",
    "occurred_at": "2026-01-05T10:00:00+08:00",
    "amount": {"amount": 1_000, "currency": "CNY"},
}


def _with(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


@pytest.fixture
def api(trial: tuple[Api, Programme]) -> Api:
    """Return the brand API; everything is rolled back."""
    return trial[0]


@pytest.fixture
def programme(trial: tuple[Api, Programme]) -> Programme:
    """Return what was set up behind `api`."""
    return trial[1]


@pytest.fixture
def partner_api(programme: Programme, brand: Brand) -> Callable[[str], Api]:
    """Return a maker of the partner API with a partner's key."""
    return lambda code: Api(brand, programme.partner_keys[code], "/api/partner/v1/")


@pytest.fixture
def ann(api: Api) -> Api:
    assert api("PUT", "members/ann", {}).status_code == 201
    return api


CASES: list[tuple[str, Any, int, str, str]] = [
    ("a list", [1], 422, "invalid", ""),
    ("no member", {k: v for k, v in GOOD.items() if k != "member"}, 422, "invalid", "/member"),
    ("number as text", _with(amount={"amount": "10", "currency": "CNY"}), 422, "invalid",
     "/amount/amount"),
    ("fraction", _with(amount={"amount": 10.5, "currency": "CNY"}), 422, "invalid",
     "/amount/amount"),
    ("boolean", _with(amount={"amount": True, "currency": "CNY"}), 422, "invalid",
     "/amount/amount"),
    ("negative", _with(amount={"amount": -1, "currency": "CNY"}), 422, "invalid",
     "/amount/amount"),
    ("huge", _with(amount={"amount": 10**30, "currency": "CNY"}), 422, "invalid",
     "/amount/amount"),
    ("no time zone", _with(occurred_at="yesterday"), 422, "invalid", "/occurred_at"),
    ("unknown field", _with(ammount=1), 422, "invalid", "/ammount"),
    ("member of another type", _with(member=7), 422, "invalid", "/member"),
    ("unknown member", _with(member="bob"), 404, "member_not_found", ""),
    ("foreign currency", _with(amount={"amount": 1, "currency": "USD"}), 422,
     "unsupported_currency", ""),
    ("no currency", _with(amount={"amount": 1, "currency": "yuan"}), 422, "invalid",
     "/amount/currency"),
    ("NUL", _with(external_id="a\x00b"), 422, "invalid", "/external_id"),
    ("line without quantity", _with(lines=[{"sku": "A", "amount": 1}]), 422, "invalid",
     "/lines/0/quantity"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code", "pointer"), [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_purchases_refuse_bad_bodies(
    ann: Api, body: Any, status: int, code: str, pointer: str
) -> None:
    answer = ann("POST", "purchases", body)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    if pointer:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert Purchase.objects.count() == 0
    assert Entry.objects.count() == 0


def test_malformed_json_is_a_problem(ann: Api) -> None:
    answer = ann("POST", "purchases", raw=b'{"external_id": ')
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_json"


def test_a_purchase_to_come_is_refused(ann: Api) -> None:
    later = (clock.now() + timedelta(hours=2)).isoformat()
    answer = ann("POST", "purchases", _with(occurred_at=later))
    assert answer.status_code == 422
    assert answer.json()["code"] == "future_purchase"


def test_the_same_purchase_counts_once_and_another_body_is_refused(ann: Api) -> None:
    assert ann("POST", "purchases", GOOD).status_code == 201
    assert ann("POST", "purchases", GOOD).status_code == 200
    other = ann("POST", "purchases", _with(amount={"amount": 2_000, "currency": "CNY"}))
    assert other.status_code == 409
    assert other.json()["code"] == "duplicate_purchase"
    assert Purchase.objects.get().amount_minor == 1_000


def test_a_batch_tells_for_each_item_what_became_of_it(ann: Api) -> None:
    bodies = [
        GOOD,
        _with(external_id="P-2", member="bob"),
        _with(external_id="P-3", amount={"amount": 1, "currency": "USD"}),
        _with(external_id="P-4", lines=[{"sku": "A", "amount": 1}]),
        GOOD,
        _with(amount={"amount": 2, "currency": "CNY"}),
    ]
    answer = ann("POST", "purchases/batch", {"purchases": bodies})
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["status"] for item in items] == [201, 404, 422, 422, 200, 409]
    assert items[0]["purchase"]["external_id"] == "P-1"
    assert items[0]["purchase"]["points"] == items[4]["purchase"]["points"]
    assert [item["problem"]["code"] for item in items if "problem" in item] == [
        "member_not_found",
        "unsupported_currency",
        "invalid",
        "duplicate_purchase",
    ]
    assert items[1]["problem"]["errors"][0]["pointer"] == "/member"
    assert items[3]["problem"]["errors"][0]["pointer"] == "/lines/0/quantity"
    assert [row.external_id for row in Purchase.objects.all()] == ["P-1"]


def test_a_batch_has_a_size(ann: Api) -> None:
    for body in ({"purchases": []}, {"purchases": [GOOD] * 1001}, {"purchases": 7}):
        assert ann("POST", "purchases/batch", body).status_code == 422
    assert Purchase.objects.count() == 0


def test_spending_needs_an_idempotency_key(ann: Api) -> None:
    answer = ann("POST", "redemptions", {"member": "ann", "benefit": "facial"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_required"


def test_a_refusal_tells_the_reason(ann: Api) -> None:
    answer = ann("POST", "redemptions", {"member": "ann", "benefit": "facial"},
                 idempotency_key="x")  # fmt: skip
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_granted"


def test_a_hold_is_captured_or_released_once(ann: Api) -> None:
    ann("POST", "purchases", GOOD | {"amount": {"amount": 10_000, "currency": "CNY"}})
    too_much = ann("POST", "points/holds", {"member": "ann", "amount": 101}, idempotency_key="a")
    assert too_much.status_code == 409
    assert too_much.json()["code"] == "insufficient_points"
    assert too_much.json()["missing"] == 1
    held = ann("POST", "points/holds", {"member": "ann", "amount": 60}, idempotency_key="b")
    assert held.status_code == 201
    hold = held.json()["id"]
    points = ann("GET", "members/ann/points").json()["points"]
    assert (points["available"], points["held"]) == (40, 60)
    assert ann("POST", f"points/holds/{hold}/release", idempotency_key="c").status_code == 200
    late = ann("POST", f"points/holds/{hold}/capture", idempotency_key="d")
    assert late.status_code == 409
    assert late.json()["code"] == "hold_not_open"
    points = ann("GET", "members/ann/points").json()["points"]
    assert (points["available"], points["held"]) == (100, 0)


@pytest.mark.parametrize("key", ["", "nonsense", "tsk_live_0000000000000000_" + "a" * 43])
def test_a_key_is_needed(api: Api, key: str) -> None:
    answer = api.with_key(key)("GET", "members/ann")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_key_of_the_other_api_is_no_key(api: Api, programme: Any) -> None:
    partner_key = next(iter(programme.partner_keys.values()))
    assert api.with_key(partner_key)("GET", "members").status_code == 401


def test_a_key_without_the_scope_is_refused(api: Api) -> None:
    _row, text = create_api_key(
        kind="brand", name="Reader", scopes=["points:read"], is_live=True, by=SYSTEM,
        at=clock.now(),
    )  # fmt: skip
    answer = api.with_key(text)("POST", "purchases", GOOD)
    assert answer.status_code == 403
    assert Purchase.objects.count() == 0


def test_wrong_methods_and_addresses_are_problems(api: Api) -> None:
    assert api("DELETE", "members/ann").json()["code"] == "method_not_allowed"
    assert api("GET", "nowhere").json()["code"] == "not_found"


def test_another_partner_sees_no_order(api: Api, partner_api: Any) -> None:
    answer = partner_api("qingya")("GET", "orders/F99999999")
    assert answer.status_code == 404
    assert partner_api("qingya")("POST", "orders/F99999999/accept").status_code == 404


def test_bad_cursors_and_limits_are_refused(api: Api) -> None:
    assert api("GET", "members?cursor=%%%").status_code == 400
    assert api("GET", "members?limit=0").status_code == 422
    assert api("GET", "members?limit=ten").status_code == 422


def test_calls_are_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REQUESTS_PER_MINUTE, ApiKey.Kind.BRAND, 2)
    assert api("GET", "tiers").status_code == 200
    second = api("GET", "tiers")
    assert second["RateLimit"].startswith('"default";r=0')
    third = api("GET", "tiers")
    if third.status_code == 200:  # a new minute began between the calls
        third = [api("GET", "tiers") for _ in range(3)][-1]
    assert third.status_code == 429
    assert int(third["Retry-After"]) >= 1
