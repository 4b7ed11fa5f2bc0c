"""Attributes, consents, export and erasure through the brand API."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from core import clock
from core.actors import SYSTEM
from members.profiles.attribute_operations import define_attribute
from members.profiles.models import Member
from members.profiles.operations import block_member, enrol
from tenants.accounts.keys import create_api_key
from tenants.brands.models import Brand

Call = Callable[..., HttpResponse]


@pytest.fixture
def call(brand: Brand, client_for: Callable[[Brand], Client]) -> Call:
    """Return a caller with a key of the given scopes."""
    keys: dict[str, str] = {}

    def send(method: str, path: str, body: Any = None, scope: str = "*", **headers: str) -> Any:
        if scope not in keys:
            at = clock.now() - timedelta(days=1)
            facts: dict[str, Any] = {"kind": "brand", "name": scope, "scopes": [scope]}
            keys[scope] = create_api_key(**facts, is_live=True, by=SYSTEM, at=at)[1]
        return client_for(brand).generic(
            method,
            f"/api/brand/v1/{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"Authorization": f"Bearer {keys[scope]}", **headers},
        )

    return send


@pytest.fixture
def ann(brand: Brand) -> Member:
    return enrol(external_id="ann", name="Ann", email="a@example.com", at=clock.now(), by=SYSTEM)


def test_attributes_are_listed_and_written_by_type(call: Call, ann: Member) -> None:
    define_attribute(code="size", type="number", label={"en": "Size"}, by=SYSTEM, at=clock.now())
    items = call("GET", "attributes").json()["items"]
    assert [(one["code"], one["type"], one["required"]) for one in items] == [
        ("size", "number", False)
    ]
    put = call("PUT", "members/ann", {"attributes": {"size": 3}})
    assert (put.status_code, put.json()["attributes"]) == (200, {"size": 3})
    for wrong in ({"size": "3"}, {"colour": "red"}):
        refused = call("PUT", "members/ann", {"attributes": wrong})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == f"/attributes/{next(iter(wrong))}"
    assert call("PUT", "members/ann", {"attributes": {"size": None}}).json()["attributes"] == {}


def test_consents_are_read_and_written_with_their_history(call: Call, ann: Member) -> None:
    assert call("PUT", "members/ann/consents/email", {"given": True}).status_code == 200
    call("PUT", "members/ann/consents/email", {"given": True})
    body = call("GET", "members/ann/consents").json()
    state = {one["purpose"]: (one["given"], one["given_version"]) for one in body["consents"]}
    assert state == {"email": (True, 1), "sms": (None, None), "profiling": (None, None)}
    assert [(one["purpose"], one["given"], one["source"]) for one in body["history"]] == [
        ("email", True, "api")
    ]
    refused = call("PUT", "members/ann/consents/fax", {"given": True})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/consents/fax")
    assert call("PUT", "members/ann/consents/email", {"given": "sure"}).status_code == 422


def test_an_export_needs_its_own_scope(call: Call, ann: Member) -> None:
    assert call("GET", "members/ann/export", scope="members:read").status_code == 403
    body = call("GET", "members/ann/export", scope="members:export").json()
    assert (body["format"], body["member"]) == ("tessera-member-data/1", ann.number)
    assert "a@example.com" in json.dumps(body)


def test_erasing_needs_scope_key_and_number_and_is_answered_once(call: Call, ann: Member) -> None:
    body = {"confirm": ann.number}
    path = "members/ann/erasure"
    assert call("POST", path, body, scope="members:write").status_code == 403
    assert call("POST", path, body).status_code == 400
    slip = call("POST", path, {"confirm": "M1"}, **{"Idempotency-Key": "k-0"})
    assert (slip.status_code, slip.json()["errors"][0]["pointer"]) == (422, "/confirm")
    tried = call("POST", f"{path}?dry_run=true", body, **{"Idempotency-Key": "k-1"})
    assert tried.status_code == 202
    assert Member.objects.get(pk=ann.pk).status == "active"
    first = call("POST", path, body, **{"Idempotency-Key": "k-1"})
    again = call("POST", path, body, **{"Idempotency-Key": "k-1"})
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    assert call("GET", "members/ann").status_code == 404
    assert call("GET", f"members/erased-{ann.number}").json()["status"] == "erased"
    assert call("GET", f"members/erased-{ann.number}/erasure").json()["state"] == "started"


def test_a_blocked_member_holds_no_points(call: Call, ann: Member) -> None:
    block_member(member=ann, reason="x", by=SYSTEM, at=clock.now())
    held = call(
        "POST", "points/holds", {"member": "ann", "amount": 1}, **{"Idempotency-Key": "k-2"}
    )
    spent = call("POST", "members/ann/points/spend", {"amount": 1}, **{"Idempotency-Key": "k-3"})
    for refused in (held, spent):
        assert (refused.status_code, refused.json()["code"]) == (403, "blocked_member")


def test_no_reason_in_the_ledger_names_the_member(call: Call, ann: Member) -> None:
    body = {"amount": 1, "reason": "for a@example.com"}
    refused = call("POST", "members/ann/points/spend", body, **{"Idempotency-Key": "k-4"})
    assert (refused.status_code, refused.json()["code"]) == (422, "names_member")
