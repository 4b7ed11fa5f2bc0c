"""Callbacks of partners' own systems, over HTTP."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from standardwebhooks import Webhook

from core.actors import Actor
from partners.adapters.models import PartnerCall
from partners.adapters.operations import set_connection
from tests.integration.partners.world import World

STAFF = Actor(kind="staff", id=7, label="Kim")
SETTINGS = {
    "request": {"url": "https://partner.example.com/orders", "body": {}},
    "status": {"method": "GET", "url": "https://partner.example.com/orders/{number}"},
    "answer": {"state": "/state"},
    "states": {"ok": "accepted"},
}


def test_a_signed_callback_makes_us_ask_and_no_other(
    brand: Any, at: datetime, client_for: Callable[..., Client]
) -> None:
    world = World(at)
    benefit, partner = world.benefit(), world.partner()
    world.offering(benefit, partner)
    connection = set_connection(partner=partner, settings=SETTINGS, by=STAFF, at=at)
    order = world.order(benefit)
    client, path = client_for(brand), f"/api/partner/v1/callbacks/{partner.code}"

    def send(body: Any, *, secret: str = connection.callback_secret) -> tuple[int, Any]:
        text, now = json.dumps(body), datetime.now(tz=UTC)
        response = client.post(
            path,
            text,
            content_type="application/json",
            headers={
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(secret).sign("msg_1", now, text),
            },
        )
        return response.status_code, response.json()

    assert send({"order": order.number}) == (202, {"asks": True})
    assert send({"order": order.number, "again": 1}) == (202, {"asks": True})
    (call,) = PartnerCall.objects.all()
    assert (call.action, call.order_id) == ("status", order.pk)

    other = "whsec_" + "A" * 43 + "="
    status, problem = send({"order": order.number}, secret=other)
    assert (status, problem["code"]) == (401, "invalid_signature")
    status, problem = send({})
    assert (status, problem["code"]) == (422, "invalid_connection")
    assert problem["errors"][0]["pointer"] == "/order"
    status, problem = send({"order": "F22222222"})
    assert (status, problem["code"]) == (404, "not_found")
    assert PartnerCall.objects.count() == 1
