"""Settlement in the console: every page, and what staff do on the way to paid."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import clock
from core.actors import Actor
from core.ids import uuid7
from partners.orders import operations as orders
from partners.pool.contracts import add_contract, get_contract
from partners.settlements import disputes, operations, prepaid, queries
from partners.settlements.generation import make_statements
from partners.settlements.models import Correction, PrepaidEntry, Statement
from tenants.jobs.models import Job
from tests.integration.console.programme import Programme
from tests.integration.partners.world import STAFF, by

HTMX = {"HX-Request": "true"}
NOW = datetime(2026, 4, 2, 4, 0, tzinfo=UTC)
LIMIT = 12


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


@pytest.fixture
def statement(brand: Any, at: datetime) -> Iterator[Statement]:
    """Return a draft of March with one order and a fee; the clock stands at 2 April."""
    with clock.at(at):
        made = Programme(at)
        order = made.order()
        partner = order.partner
        assert partner is not None
        add_contract(
            partner=partner,
            valid_from=at.date(),
            monthly_fee_minor=10_000,
            commission_bp=500,
            by=STAFF,
            at=at,
        )
        orders.accept(order=order, by=STAFF, at=at)
        orders.fulfil(order=order, override_reason="seen", by=STAFF, at=at)
        prepaid.buy_pack(
            partner=partner, amount_minor=2_000, reference="P-1", key=uuid7(), by=STAFF, at=at
        )
    with clock.at(NOW):
        make_statements(month=date(2026, 3, 1), at=NOW)
        yield Statement.objects.select_related("partner").get()


def dispute(statement: Statement) -> int:
    line = queries.list_lines(statement=statement, kinds=["service"])[0]
    disputes.dispute_line(
        statement=statement,
        line_id=line.id,
        partner_id=statement.partner_id,
        text="=SUM(A1) we agreed on more",
        expected_minor=6_000,
        by=by(statement.partner_id),
        at=NOW,
    )
    return line.id


def test_each_page_shows_its_things_in_few_queries(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    operations.send(statement=statement, by=STAFF, at=NOW)
    line_id = dispute(statement)
    operations.correct(
        partner=statement.partner, amount_minor=300, reason="Tip", key=uuid7(), by=STAFF, at=NOW
    )
    number, partner = statement.number, statement.partner.code
    client = staff_client("owner")
    for address, word in {
        url("settlements"): "1 line waits for you",
        url("settlements") + "?month=2026-03&state=paid": "No statements here",
        url("statement", number): "we agreed on more",
        url("statement", number) + "?kind=commission": "Commission",
        url("mark_paid", number): "Reference of the payment",
        url("answer_dispute", number, line_id): "What you tell the partner",
        url("correct_partner", partner): "It is a line of the next statement",
        url("prepaid", partner): "P-1",
        url("pay_ahead", partner, "ahead"): "Coming statements draw on it",
        url("pay_ahead", partner, "back"): "Paid back by",
        url("new_contract", partner): "Commission kept",
        url("partner", partner): "¥100.00",
    }.items():
        with CaptureQueriesContext(connection) as found:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200, address
        assert word in text, (address, word)
        assert "<c-" not in text, address
        assert 'style="' not in text, address
        assert len(found) <= LIMIT, (address, len(found))
        part = client.get(address, headers=HTMX)
        assert "<html" not in part.content.decode(), address


def test_a_statement_is_sent_disputed_answered_approved_and_paid(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    manager, finance = staff_client("manager"), staff_client("finance")
    number = statement.number
    assert manager.post(url("send_statement", number), headers=HTMX).status_code == 204
    line_id = dispute(statement)
    answer = {"verdict": "grant", "granted": "", "text": "Yes"}
    refused = finance.post(url("answer_dispute", number, line_id), answer, headers=HTMX)
    assert refused.status_code == 422
    answer["granted"] = "60"
    done = finance.post(url("answer_dispute", number, line_id), answer, headers=HTMX)
    assert done.status_code == 204
    statement.refresh_from_db()
    assert (statement.corrections_minor, statement.total_minor) == (1_000, 15_750)
    assert manager.post(url("approve_statement", number), headers=HTMX).status_code == 403
    early = finance.post(url("approve_statement", number), headers=HTMX)
    assert early.status_code == 409
    operations.agree(
        statement=statement, partner_id=statement.partner_id, by=by(statement.partner_id), at=NOW
    )
    assert finance.post(url("approve_statement", number), headers=HTMX).status_code == 204
    page = finance.get(url("statement", number)).content.decode()
    assert "¥137.50" in page  # 157.50 less the 20.00 paid ahead
    paid = {"reference": "T-9", "paid_on": "2026-04-02"}
    assert finance.post(url("mark_paid", number), paid, headers=HTMX).status_code == 204
    statement.refresh_from_db()
    assert (statement.state, statement.paid_reference) == ("paid", "T-9")


def test_whoever_sent_it_cannot_approve_it(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    finance = staff_client("finance")
    finance.post(url("send_statement", statement.number), headers=HTMX)
    statement.refresh_from_db()
    operations.agree(
        statement=statement, partner_id=statement.partner_id, by=by(statement.partner_id), at=NOW
    )
    refused = finance.post(url("approve_statement", statement.number), headers=HTMX)
    assert refused.status_code == 403
    page = finance.get(url("statement", statement.number)).content.decode()
    assert "Somebody other than the sender must approve." in page
    statement.refresh_from_db()
    assert statement.state == "sent"


def test_files_hold_every_line_and_no_formula(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    operations.send(statement=statement, by=STAFF, at=NOW)
    line_id = dispute(statement)
    disputes.decide(
        statement=statement,
        line_id=line_id,
        granted_minor=6_000,
        text="=1+1",
        by=Actor(kind="staff", id=9, label="Lin"),
        at=NOW,
    )
    client = staff_client("finance")
    answer: Any = client.get(url("statement_file", statement.number, "csv"))
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert rows[0] == "Line,Day,Kind,Order,Benefit,Reason,Amount (CNY)"
    assert len(rows) == 6  # the head, four lines, the total
    assert rows[4].split(",")[5:] == ["'=1+1", "10.00"]
    assert rows[-1] == ",,Total,,,,157.50"
    answer = client.get(url("statement_file", statement.number, "xlsx"))
    with ZipFile(BytesIO(b"".join(answer.streaming_content))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "=1+1" in sheet
    assert "<f>" not in sheet
    assert "<v>157.50</v>" in sheet
    assert client.get(url("statement_file", statement.number, "pdf")).status_code == 404


def test_the_last_month_is_made_by_hand_and_an_open_one_refused(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("finance")
    assert client.post(url("make_statements", "2026-02"), headers=HTMX).status_code == 204
    refused = client.post(url("make_statements", "2026-04"), headers=HTMX)
    assert refused.status_code == 409
    jobs = Job.objects.filter(kind="settlements.month").order_by("pk")
    assert [job.parameters for job in jobs] == [{"month": "2026-02-01"}]
    assert client.post(url("send_statements", "2026-03"), headers=HTMX).status_code == 204
    statement.refresh_from_db()
    assert statement.state == "sent"


def test_money_ahead_terms_and_corrections_are_noted_once(
    statement: Statement, staff_client: Callable[..., Client]
) -> None:
    client = staff_client("owner")
    partner = statement.partner
    key = str(uuid7())
    for _ in range(2):
        pack = {"amount_minor": "50", "reference": "P-2", "key": key}
        done = client.post(url("pay_ahead", partner.code, "ahead"), pack, headers=HTMX)
        assert done.status_code == 204
        off = {"amount_minor": "3", "take_off": "on", "reason": "Glass broken", "key": key}
        done = client.post(url("correct_partner", partner.code), off, headers=HTMX)
        assert done.status_code == 204
    assert prepaid.left(partner_id=partner.pk) == 7_000
    assert list(Correction.objects.values_list("amount_minor", flat=True)) == [-300]
    back = {"amount_minor": "71", "reference": "B", "key": str(uuid7())}
    refused = client.post(url("pay_ahead", partner.code, "back"), back, headers=HTMX)
    assert refused.status_code == 422
    assert PrepaidEntry.objects.count() == 2
    terms = {
        "valid_from": "2026-05-01",
        "commission_bp": "7.5",
        "monthly_fee_minor": "0",
        "late_penalty_bp": "0",
        "failure_penalty_minor": "0",
        "cancel_fee_bp": "50",
        "cancel_notice_hours": "24",
        "objection_days": "5",
        "payment_days": "14",
    }
    for _ in range(2):
        answer = client.post(url("new_contract", partner.code), terms, headers=HTMX)
    assert answer.status_code == 422  # the second overlaps the first
    found = get_contract(partner_id=partner.pk, on=date(2026, 5, 1))
    assert found is not None
    assert (found.commission_bp, found.objection_days) == (750, 5)


def test_support_sees_no_settlement(
    statement: Statement, staff_client: Callable[..., Client], at: datetime
) -> None:
    client = staff_client("support")
    for address in (
        url("settlements"),
        url("statement", statement.number),
        url("statement_file", statement.number, "csv"),
        url("prepaid", statement.partner.code),
    ):
        assert client.get(address).status_code == 403, address
    assert clock.now() - at > timedelta(days=10)
