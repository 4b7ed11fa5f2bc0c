"""Statements through the partner API: only one's own, disputed by line, agreed once."""

from datetime import timedelta
from typing import Any

import pytest

from config.demo.programme import Programme
from core import clock
from partners.pool.contracts import add_contract
from partners.pool.models import Partner
from partners.settlements import operations
from partners.settlements.generation import make_statements
from partners.settlements.models import Statement
from tenants.brands.models import Brand
from tests.integration.api.conftest import Api
from tests.integration.partners.world import STAFF


@pytest.fixture
def partners(trial: tuple[Api, Programme], brand: Brand) -> list[Api]:
    """Return the APIs of two partners, each with a statement of a monthly fee, sent today."""
    programme = trial[1]
    rows = list(Partner.objects.order_by("pk"))
    now = clock.now()
    first = now.date().replace(day=1)
    month = (first - timedelta(days=1)).replace(day=1)
    for row in rows:
        add_contract(partner=row, valid_from=month, monthly_fee_minor=10_000, by=STAFF, at=now)
    Partner.objects.update(activated_at=now - timedelta(days=70))
    make_statements(month=month, at=now)
    for statement in Statement.objects.order_by("pk"):
        operations.send(statement=statement, by=STAFF, at=now)
    return [Api(brand, programme.partner_keys[row.code], "/api/partner/v1/") for row in rows]


def test_a_partner_reads_disputes_withdraws_and_agrees(partners: list[Api]) -> None:
    api = partners[0]
    (found,) = api("GET", "statements").json()["items"]
    number = found["id"]
    assert (found["state"], found["total"], found["open_disputes"]) == (
        "sent",
        {"amount": 10_000, "currency": "CNY"},
        0,
    )
    one = api("GET", f"statements/{number}")
    (line,) = api("GET", f"statements/{number}/lines").json()["items"]
    assert (line["kind"], line["amount"]["amount"], line["dispute"]) == (
        "monthly_fee",
        10_000,
        None,
    )
    address = f"statements/{number}/lines/{line['id']}/dispute"
    assert api("GET", address).status_code == 404
    body: dict[str, Any] = {
        "text": "Twelve thousand",
        "expected": {"amount": 12_000, "currency": "CNY"},
    }
    stale = api("POST", address, body, if_match='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    wrong = api("POST", address, {**body, "expected": {"amount": 1, "currency": "USD"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (
        422,
        "/expected/currency",
    )
    first = api("POST", address, body, if_match=one["ETag"], idempotency_key="k1")
    again = api("POST", address, body, if_match=one["ETag"], idempotency_key="k1")
    assert (first.status_code, again.content) == (200, first.content)
    assert [message["text"] for message in first.json()["messages"]] == ["Twelve thousand"]
    refused = api("POST", f"statements/{number}/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "dispute_open")
    back = api("POST", f"{address}/withdraw", {})
    assert (back.status_code, back.json()["state"]) == (200, "withdrawn")
    agreed = api("POST", f"statements/{number}/approve").json()
    assert agreed["agreed_at"] is not None
    late = api("POST", address, {"text": "And yet"})
    assert (late.status_code, late.json()["code"]) == (409, "statement_state")
    kinds = [event["type"] for event in api("GET", "events").json()["items"]]
    assert kinds == [
        "statement.sent",
        "statement.disputed",
        "statement.dispute_withdrawn",
        "statement.agreed",
    ]


def test_another_partners_statement_and_a_draft_are_not_there(partners: list[Api]) -> None:
    mine = partners[0]("GET", "statements").json()["items"][0]["id"]
    other = partners[1]
    lines = partners[0]("GET", f"statements/{mine}/lines").json()["items"]
    for method, path in (
        ("GET", f"statements/{mine}"),
        ("GET", f"statements/{mine}/lines"),
        ("POST", f"statements/{mine}/approve"),
        ("POST", f"statements/{mine}/lines/{lines[0]['id']}/dispute"),
    ):
        body = {"text": "x"} if path.endswith("dispute") else None
        assert other(method, path, body).status_code == 404, path
    Statement.objects.filter(number=mine).update(state="draft", sent_at=None, sent_by="")
    assert partners[0]("GET", f"statements/{mine}").status_code == 404
    assert partners[0]("GET", "statements").json()["items"] == []
    assert partners[0]("GET", "statements?status=draft").status_code == 422
