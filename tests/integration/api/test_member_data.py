"""Attributes, consents, export and erasure through the brand API."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from core import clock
from core.actors import SYSTEM
from members.activity.operations import record_event
from members.merging.duplicates import find_duplicates
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


def test_tags_are_added_and_removed_one_by_one(call: Call, ann: Member) -> None:
    enrol(external_id="bob", tags=["vip"], at=clock.now(), by=SYSTEM)
    added = call("POST", "members/ann/tags", {"tags": ["vip", "tea"]})
    assert (added.status_code, added.json()) == (200, {"tags": ["vip", "tea"]})
    assert call("POST", "members/ann/tags", {"tags": ["vip"]}).json() == {"tags": ["vip", "tea"]}
    assert call("GET", "tags").json()["items"] == [
        {"tag": "vip", "members": 2},
        {"tag": "tea", "members": 1},
    ]
    for _ in range(2):
        assert call("DELETE", "members/ann/tags/vip").json() == {"tags": ["tea"]}
    refused = call("POST", "members/ann/tags", {"tags": []})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/tags")
    assert (
        call("POST", "members/ann/tags", {"tags": ["x"]}, scope="members:read").status_code == 403
    )
    assert call("POST", "members/nobody/tags", {"tags": ["x"]}).status_code == 404
    ann.refresh_from_db()
    assert ann.tags == ["tea"]


def test_a_member_is_blocked_and_let_in_again(call: Call, ann: Member) -> None:
    free = {"status": "active", "reason": "", "since": None}
    assert call("GET", "members/ann/block").json() == free
    for _ in range(2):
        blocked = call("POST", "members/ann/block", {"reason": "Fraud"})
        assert blocked.status_code == 200
        assert (blocked.json()["status"], blocked.json()["reason"]) == ("blocked", "Fraud")
    spend = call("POST", "points/holds", {"member": "ann", "amount": 1}, **{"Idempotency-Key": "h"})
    assert (spend.status_code, spend.json()["code"]) == (403, "blocked_member")
    assert call("POST", "members/ann/block", {}).status_code == 422
    named = call("POST", "members/ann/block", {"reason": "Ann lied"})
    assert named.status_code == 200  # blocked already: nothing is written
    assert call("POST", "members/ann/unblock", {"reason": "Cleared"}).json() == free
    named = call("POST", "members/ann/block", {"reason": "a@example.com lied"})
    assert (named.status_code, named.json()["code"]) == (422, "names_member")
    assert call("GET", "members/ann/block").json() == free
    assert (
        call("POST", "members/ann/block", {"reason": "x"}, scope="members:read").status_code == 403
    )
    assert call("POST", "members/nobody/block", {"reason": "x"}).status_code == 404


def test_purposes_are_listed_with_their_words(call: Call, brand: Brand) -> None:
    items = call("GET", "consents").json()["items"]
    assert [one["purpose"] for one in items] == ["email", "sms", "profiling"]
    assert set(items[0]["text"]) == {"en", "zh-hans", "zh-hant"}
    assert call("GET", "consents", scope="points:read").status_code == 403


def test_what_a_member_did_is_listed_newest_first(call: Call, ann: Member) -> None:
    at = clock.now()
    for number, name in enumerate(("visit", "survey", "visit")):
        record_event(
            member=ann, name=name, occurred_at=at - timedelta(days=number), at=at,
            external_id=f"e{number}", properties={"shop": number},
        )  # fmt: skip
    first = call("GET", "members/ann/events?limit=2").json()
    assert [one["external_id"] for one in first["items"]] == ["e2", "e1"]
    rest = call("GET", f"members/ann/events?limit=2&cursor={first['next']}").json()
    assert ([one["properties"] for one in rest["items"]], rest["next"]) == ([{"shop": 0}], None)
    visits = call("GET", "members/ann/events?name=visit").json()["items"]
    assert [one["external_id"] for one in visits] == ["e2", "e0"]
    assert call("GET", "members/nobody/events").status_code == 404


def test_pairs_are_listed_and_told_apart(call: Call, brand: Brand) -> None:
    at = clock.now()
    for key in ("li-1", "li-2"):
        enrol(external_id=key, name="Li Lei", birthday=date(1990, 1, 2), at=at, by=SYSTEM)
    find_duplicates(at=at)
    (pair,) = call("GET", "duplicates").json()["items"]
    assert (pair["first"], pair["second"], pair["signs"]) == ("li-1", "li-2", ["name_birthday"])
    both = {"first": "li-2", "second": "li-1"}
    assert call("POST", "duplicates/apart", both, scope="members:read").status_code == 403
    for _ in range(2):
        assert call("POST", "duplicates/apart", both).status_code == 204
    assert call("GET", "duplicates").json()["items"] == []
    other = call("POST", "duplicates/apart", {"first": "li-1", "second": "nobody"})
    assert other.status_code == 404
