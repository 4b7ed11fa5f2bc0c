"""The promise of the product through its APIs: purchase, points, tier, benefit, partner, cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benefits.budget.models import BudgetEntry
from benefits.budget.queries import line_summaries
from benefits.grants.issuing import issue
from benefits.grants.models import Redemption
from benefits.grants.periods import rule_start
from benefits.rules.models import GrantRule
from benefits.rules.periods import period_on
from config.demo.programme import Programme
from core import clock
from members.points.models import Entry
from tests.integration.api.conftest import Api


def _purchase(number: str, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "external_id": number,
        "member": "ann",
        "occurred_at": (clock.now() - timedelta(minutes=5)).isoformat(),
        "amount": {"amount": amount, "currency": "CNY"},
        **more,
    }


def test_a_purchase_becomes_a_service_and_its_cost(
    api: Api,
    partner_api: Callable[[str], Api],
    programme: Programme,
    relay: Callable[[], None],
) -> None:
    joined = api("PUT", "members/ann", {"name": "Ann", "region": "cn/sh"})
    assert joined.status_code == 201
    assert joined.json()["points"]["available"] == 0

    _hold_nobody_out()
    # ¥6,000 = 6,000 growth: platinum at once (5,000), points at the multiplier of the tier held.
    bought = api("POST", "purchases", _purchase("P-1", 600_000), idempotency_key="p1")
    assert bought.status_code == 201, bought.content
    outcome = bought.json()
    assert outcome["growth"] == 6_000
    assert outcome["points"] == 6_000
    assert outcome["tier_change"]["to_tier"] == "platinum"
    again = api("POST", "purchases", _purchase("P-1", 600_000), idempotency_key="p1")
    assert again.status_code == 422  # another time of purchase is another body
    relay()

    # What the new tier owes for the month came with it, so the night has nothing to add.
    assert _issue_monthly() == 0
    usable = {b["benefit"]: b for b in api("GET", "members/ann/benefits").json()["items"]}
    assert usable["facial"]["usable"] is True
    assert usable["facial"]["why"]

    body = {"member": "ann", "benefit": "facial"}
    first = api("POST", "redemptions", body, idempotency_key="use-1")
    assert first.status_code == 201, first.content
    replay = api("POST", "redemptions", body, idempotency_key="use-1")
    assert replay.content == first.content
    assert replay["Idempotent-Replayed"] == "true"
    assert Redemption.objects.count() == 1
    other_body = {"member": "ann", "benefit": "birthday-gift"}
    mismatch = api("POST", "redemptions", other_body, idempotency_key="use-1")
    assert mismatch.status_code == 422
    relay()

    number, partner = _offered(partner_api, programme)
    accepted = partner("POST", f"orders/{number}/accept")
    assert accepted.status_code == 200, accepted.content
    assert accepted.json()["state"] == "accepted"
    price = accepted.json()["price"]["amount"]
    when = (clock.now() + timedelta(days=1)).isoformat()
    assert partner("POST", f"orders/{number}/schedule", {"scheduled_for": when}).status_code == 200
    assert partner("POST", f"orders/{number}/start").status_code == 200
    wrong = partner("POST", f"orders/{number}/fulfil", {"code": "WRONG1"})
    assert wrong.status_code == 422
    assert wrong.json()["code"] == "wrong_code"
    code = api("GET", f"redemptions/{first.json()['id']}").json()["code"]
    done = partner("POST", f"orders/{number}/fulfil", {"code": code})
    assert done.status_code == 200, done.content
    assert partner("POST", f"orders/{number}/fulfil", {"code": code}).json() == done.json()

    redemption = Redemption.objects.get()
    assert redemption.state == "fulfilled"
    assert redemption.cost_minor == price
    assert programme.budget is not None
    lines = {row.line.code: row for row in line_summaries(budget=programme.budget)}
    assert lines["service"].spent == price
    assert BudgetEntry.objects.filter(kind="spend").count() == 1


def _hold_nobody_out() -> None:
    GrantRule.objects.filter(code="facial-monthly").update(hold_out_bp=0)


def _issue_monthly() -> int:
    rule = GrantRule.objects.get(code="facial-monthly")
    at = clock.now()
    period = period_on(
        cadence=rule.cadence,
        on=clock.local_date(at, "Asia/Shanghai"),
        every_months=rule.every_months,
        since=rule_start(rule),
    )
    return issue(rule=rule, period=period, at=at).units


def _offered(partner_api: Callable[[str], Api], programme: Programme) -> tuple[str, Api]:
    for code in programme.partners:
        partner = partner_api(code)
        found = partner("GET", "orders?status=offered").json()["items"]
        if found:
            return found[0]["id"], partner
    raise AssertionError("no partner was offered the order")


def test_a_declined_order_goes_to_the_next_partner(
    api: Api,
    partner_api: Callable[[str], Api],
    programme: Programme,
    relay: Callable[[], None],
) -> None:
    _hold_nobody_out()
    api("PUT", "members/ann", {"region": "cn/sh"})
    api("POST", "purchases", _purchase("P-1", 600_000))
    relay()
    api("POST", "redemptions", {"member": "ann", "benefit": "facial"}, idempotency_key="u")
    relay()
    number, first = _offered(partner_api, programme)
    assert first("POST", f"orders/{number}/decline", {"reason": "full"}).status_code == 200
    again, second = _offered(partner_api, programme)
    assert again == number
    assert second.key != first.key
    assert first("GET", f"orders/{number}").json()["state"] == "declined"
    late = first("POST", f"orders/{number}/accept")
    assert late.status_code == 409
    assert late.json()["code"] == "invalid_state"


def test_a_refund_takes_points_and_growth_back(api: Api) -> None:
    api("PUT", "members/ann", {})
    api("POST", "purchases", _purchase("P-1", 100_000))
    refund = {
        "external_id": "R-1",
        "amount": {"amount": 40_000, "currency": "CNY"},
        "occurred_at": clock.now().isoformat(),
    }
    assert api("POST", "purchases/P-1/refunds", refund).json()["points"] == 400
    assert api("POST", "purchases/P-1/refunds", refund).status_code == 200
    points = api("GET", "members/ann/points").json()
    assert points["points"]["available"] == 600
    assert points["growth"]["available"] == 600
    assert Entry.objects.filter(kind=Entry.Kind.CLAWBACK).count() == 2


def test_a_dry_run_changes_nothing(api: Api) -> None:
    api("PUT", "members/ann", {})
    answer = api("POST", "purchases?dry_run=true", _purchase("P-1", 100_000))
    assert answer.status_code == 201
    assert answer["Dry-Run"] == "true"
    assert answer.json()["points"] == 1_000
    assert api("GET", "members/ann/points").json()["points"]["available"] == 0
    assert Entry.objects.count() == 0
