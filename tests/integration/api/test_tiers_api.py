"""Tiers through the brand API: standing, changes, by hand, paid, schemes, simulation."""

from datetime import timedelta
from typing import Any

import pytest

from config.demo.programme import Programme
from core import clock
from core.actors import SYSTEM
from members.profiles.operations import enrol
from members.tiers.models import PaidTerm, TierPin, TierScheme
from members.tiers.operations import create_plan
from tenants.jobs.operations import run_pending
from tests.integration.api.conftest import Api


@pytest.fixture
def api(trial: tuple[Api, Programme]) -> Api:
    """Return the brand API, in a test that is rolled back."""
    return trial[0]


@pytest.fixture
def member(api: Api) -> str:
    enrol(external_id="kim", at=clock.now() - timedelta(days=2), by=SYSTEM)
    create_plan(
        code="club", name={"en": "Club"}, tier_code="platinum", price_minor=9_900,
        period_months=1, by=SYSTEM, at=clock.now(),
    )  # fmt: skip
    return "kim"


def soon() -> str:
    return str(clock.now().date() + timedelta(days=9))


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json()


def test_paid_membership_is_bought_once_and_refunded(api: Api, member: str) -> None:
    path = f"members/{member}/paid-memberships"
    body = {"plan": "club", "reference": "pay-1", "amount": {"amount": 8_000, "currency": "CNY"}}
    term = ok(api("POST", path, body, idempotency_key="k1"), 201)
    assert (term["state"], term["paid"]) == ("active", {"amount": 8_000, "currency": "CNY"})
    again = ok(api("POST", path, body, idempotency_key="k2"))
    assert again == term
    assert PaidTerm.objects.count() == 1
    standing = ok(api("GET", f"members/{member}/tier"))
    assert (standing["code"], standing["earned"], standing["held_by"]["source"]) == (
        "platinum",
        "silver",
        "paid",
    )
    (change,) = ok(api("GET", f"members/{member}/tier/changes"))["items"]
    assert (change["to_tier"], change["cause"], change["metric_value"]) == (
        "platinum",
        "paid",
        None,
    )
    stopped = ok(api("PUT", f"paid-memberships/{term['id']}/renewal", {"renews": False}))
    assert stopped["renews"] is False
    done = ok(
        api(
            "POST",
            f"paid-memberships/{term['id']}/refund",
            {"reference": "r"},
            idempotency_key="k3",
        )
    )
    assert (done["state"], done["refunded"]["amount"]) == ("refunded", 8_000)
    assert ok(api("GET", f"members/{member}/tier"))["code"] == "silver"
    assert [row["id"] for row in ok(api("GET", path))["items"]] == [term["id"]]


def test_wrong_payment_is_a_problem(api: Api, member: str) -> None:
    in_dollars = {"amount": 1, "currency": "USD"}
    for number, (body, status, code) in enumerate(
        [
            ({"plan": "none", "reference": "p"}, 404, "paid_plan_not_found"),
            ({"plan": "club", "reference": "p", "amount": in_dollars}, 422, "invalid_payment"),
            ({"plan": "club"}, 422, "invalid"),
        ]
    ):
        path = f"members/{member}/paid-memberships"
        answer = api("POST", path, body, idempotency_key=f"w{number}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not PaidTerm.objects.exists()


def test_tier_by_hand_is_set_and_lifted(api: Api, member: str) -> None:
    path = f"members/{member}/tier/override"
    body = {"tier": "gold", "mode": "at_least", "until": soon(), "reason": "Apology"}
    assert ok(api("PUT", path, body, idempotency_key="k1"))["code"] == "gold"
    wrong = api("PUT", path, {**body, "tier": "ruby"}, idempotency_key="k2")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_tier")
    lifted = api("DELETE", path, {"reason": "Done"}, idempotency_key="k3")
    assert ok(lifted)["code"] == "silver"
    none = api("DELETE", path, {"reason": "Done"}, idempotency_key="k4")
    assert (none.status_code, none.json()["code"]) == (404, "no_tier_override")


def test_dry_run_of_a_payment_stores_nothing(api: Api, member: str) -> None:
    body = {"plan": "club", "reference": "pay-1"}
    answer = api("POST", f"members/{member}/paid-memberships?dry_run=true", body)
    assert ok(answer, 201)["state"] == "active"
    assert not TierPin.objects.exists()


def test_schemes_plans_and_a_simulation(api: Api, member: str) -> None:
    (scheme,) = ok(api("GET", "tiers/schemes"))["items"]
    assert ok(api("GET", "tiers/schemes/1")) == scheme
    assert api("GET", "tiers/schemes/9").status_code == 404
    assert [plan["code"] for plan in ok(api("GET", "tiers/plans"))["items"]] == ["club"]
    names = ("metric", "window", "window_months", "downgrade_policy", "notice_days")
    draft = {name: scheme[name] for name in names}
    cells = ("code", "name", "entry_threshold", "keep_threshold", "multiplier_bp", "grace_days")
    draft["tiers"] = [{name: tier[name] for name in cells} for tier in scheme["tiers"]]
    asked = ok(api("POST", "tiers/simulations", draft), 202)
    assert (asked["state"], asked["result"]) == ("open", None)
    assert ok(api("GET", f"jobs/{asked['job']}"))["kind"] == "tiers.simulate"
    run_pending(at=clock.now())
    ended = ok(api("GET", f"tiers/simulations/{asked['id']}"))
    assert (ended["id"], ended["job"], ended["state"]) == (asked["id"], asked["job"], "done")
    job = ok(api("GET", f"jobs/{asked['job']}"))
    assert job["state"] == "done"
    assert job["result"] == {"members": 1, "risen": 0, "fallen": 0}
    assert api("GET", "tiers/simulations/999999").status_code == 404
    found = ended["result"]
    assert (found["members"], found["risen"], found["fallen"]) == (1, 0, 0)
    assert found["moves"] == [{"from_tier": "silver", "to_tier": "silver", "members": 1}]
    assert {cost["name"] for cost in found["costs"]} == {"points", "benefits"}
    assert TierScheme.objects.count() == 1
    draft["tiers"].reverse()
    refused = api("POST", "tiers/simulations", draft)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_tier_scheme")
