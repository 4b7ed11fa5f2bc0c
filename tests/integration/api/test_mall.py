"""The mall over the brand API: orders, steps, cash, signed notices, lucky draws."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from benefits.mall.draws import operations as draws
from benefits.mall.draws.operations import PrizeDraft
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.operations import create_item
from benefits.mall.payments import operations as payments
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.testing import sign_notice
from config.demo.programme import Programme
from core import clock, ids
from core.actors import SYSTEM
from members.points.operations import earn
from members.points.values import Source
from members.profiles.operations import enrol
from tests.integration.api.conftest import Api

ADDRESS = {"recipient": "Li Lei", "phone": "+8613800000000", "lines": "1 Garden Road"}


def buyer() -> Any:
    """Return a member with points."""
    at = clock.now() - timedelta(hours=1)
    member = enrol(external_id="api-1", by=SYSTEM, at=at)
    earn(owner_id=member.pk, amount=1_000, key=ids.uuid7(), at=at, source=Source("test", 1))
    return member


def flask() -> MallItem:
    return create_item(
        code="api-flask", kind="physical", name={"en": "Flask"}, points=100, cash_minor=990,
        stock=2, on_sale=True, by=SYSTEM, at=clock.now() - timedelta(hours=1),
    )  # fmt: skip


def test_an_order_goes_its_way(trial: tuple[Api, Programme]) -> None:
    api, _made = trial
    buyer()
    flask()
    body = {"member": "api-1", "item": "api-flask", "address": ADDRESS}
    placed = api("POST", "mall/orders", body, idempotency_key="o1")
    assert placed.status_code == 201
    order = placed.json()
    assert (order["state"], order["cash"]["amount"], order["variant"]) == ("placed", 990, None)
    assert order["expires_at"] is not None
    assert api("POST", "mall/orders", body, idempotency_key="o1").content == placed.content
    address = f"mall/orders/{order['id']}"
    early = api("POST", f"{address}/confirm")
    assert (early.status_code, early.json()["code"]) == (409, "payment_due")

    paid = api("POST", f"{address}/payments", {"reference": "till 1"}, idempotency_key="p1")
    assert (paid.status_code, paid.json()["state"]) == (200, "confirmed")
    assert [p["state"] for p in paid.json()["payments"]] == ["paid"]
    sent = api("POST", f"{address}/ship", {"carrier": "SF", "tracking": "SF-1"})
    assert (sent.json()["state"], sent.json()["tracking"]) == ("shipped", "SF-1")
    assert api("POST", f"{address}/complete").json()["state"] == "completed"
    assert api("GET", address).json()["carrier"] == "SF"
    listed = api("GET", "mall/orders?member=api-1&state=completed").json()
    assert [row["id"] for row in listed["items"]] == [order["id"]]
    assert api("GET", "mall/orders?state=lost").status_code == 422
    assert api("GET", "mall/items?member=api-1").json()["items"][0]["variants"] == []


def test_a_provider_calls_back_with_its_signature(trial: tuple[Api, Programme]) -> None:
    api, _made = trial
    member, item, now = buyer(), flask(), datetime.now(UTC)
    secret = payments.open_account(provider="test", by=SYSTEM, at=now).secret
    placed = api(
        "POST",
        "mall/orders",
        {"member": "api-1", "item": item.code, "address": ADDRESS},
        idempotency_key="o1",
    ).json()
    order = MallOrder.objects.get(key=placed["id"])
    payment = payments.start_payment(order=order, provider="test", by=SYSTEM, at=now)
    headers, body = sign_notice(payment=payment, is_paid=True, secret=secret, at=now)
    client = Client(HTTP_HOST=f"{api.brand.slug}.localhost")
    path = "/api/brand/v1/mall/payments/test/notices"

    def call(signature: dict[str, str], content: bytes) -> Any:
        named = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in signature.items()}
        return client.post(path, content, content_type="application/json", **named)

    forged = call({**headers, "webhook-signature": "v1,AAAA"}, body)
    assert (forged.status_code, forged.json()["code"]) == (401, "bad_signature")
    assert call(headers, body.replace(b"990", b"991")).status_code == 401
    assert call({}, body).status_code == 401
    for _time in range(2):
        done = call(headers, body)
        assert (done.status_code, done.json()["state"]) == (200, "paid")
    order.refresh_from_db()
    assert (order.state, MallPayment.objects.count()) == ("confirmed", 1)
    assert member.pk == order.member_id


def test_a_draw_is_played_with_its_proof(trial: tuple[Api, Programme]) -> None:
    api, _made = trial
    buyer()
    at = clock.now() - timedelta(hours=1)
    draw = draws.create_draw(
        code="wheel", name={"en": "Wheel"}, points=10, per_member_limit=1,
        prizes=[
            PrizeDraft(kind="nothing", name={"en": "A smile"}, weight=1_000_000, is_fallback=True)
        ],
        by=SYSTEM, at=at,
    )  # fmt: skip
    draws.open_draw(draw=draw, by=SYSTEM, at=at)
    (shown,) = api("GET", "mall/draws?member=api-1").json()["items"]
    assert (shown["available"], shown["prizes"][0]["chances"]) == (True, 1_000_000)
    play = {"member": "api-1", "words": "luck"}
    assert api("POST", "mall/draws/wheel/tickets", play).status_code == 400
    made = api("POST", "mall/draws/wheel/tickets", play, idempotency_key="d1")
    assert made.status_code == 201
    ticket = made.json()
    assert (ticket["number"], ticket["seed"], ticket["seed_hash"]) == (1, None, shown["seed_hash"])
    assert api("POST", "mall/draws/wheel/tickets", play, idempotency_key="d1").json() == ticket
    used = api("POST", "mall/draws/wheel/tickets", play, idempotency_key="d2")
    assert (used.status_code, used.json()["code"]) == (409, "draw_limit_used")
    draws.end_draw(draw=draw, by=SYSTEM, at=clock.now())
    assert len(api("GET", f"mall/draws/tickets/{ticket['id']}").json()["seed"]) == 64
