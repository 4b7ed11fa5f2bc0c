"""Pages of the budget: plans revised, imported, imagined; draws and revisions decided by two."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benefits.budget import operations, queries
from benefits.budget.jobs import take_snapshot
from benefits.budget.models import Budget, PlanRevision, ReserveDraw
from benefits.budget.settings import get_policy, set_policy
from core import clock
from core.ids import uuid7
from tenants.accounts.models import StaffMember
from tests.integration.benefits.budget.world import ANNA, make_budget, make_line
from tests.integration.console.test_members_actions import HTMX, assert_done, url

Login = Callable[..., Client]


@pytest.fixture
def budget(brand: Any, at: datetime) -> Iterator[Budget]:
    with clock.at(at):
        made = make_budget(at)
        line = make_line(made, at)
        operations.spend(line=line, amount_minor=280, key=uuid7(), at=at - timedelta(days=1))
        take_snapshot(budget=made, at=at)
        yield made


def _limit(limit: int | None, at: datetime) -> None:
    set_policy(
        reserve_share_bp=2_000, floor_share_bp=500, approval_limit_minor=limit, by=ANNA, at=at
    )


@pytest.mark.parametrize(
    "name", ["budget", "budget_report", "what_if", "plan_revisions", "import_plan", "approvals"]
)
def test_each_page_reads_little(budget: Budget, staff_client: Login, name: str) -> None:
    client = staff_client("finance")
    address = url(name) if name in {"budget", "approvals"} else url(name, budget.pk)
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as found:
        client.get(address)
    assert len(found) <= 12, [query["sql"][:120] for query in found]


def test_a_budget_is_opened_for_a_quarter(brand: Any, at: datetime, staff_client: Login) -> None:
    with clock.at(at):
        client = staff_client("finance")
        sent = {"name": "Q2", "period": "quarter", "starts": "2026-04", "total": "1000.01"}
        answer = client.post(url("create_budget"), sent, headers=HTMX)
        assert answer.status_code in {200, 204}
        made = Budget.objects.get()
        assert (made.starts_on, made.ends_on) == (date(2026, 4, 1), date(2026, 7, 1))
        assert (made.total_minor, made.opening_reserve_minor) == (100_001, 20_000)
        again = client.post(url("create_budget"), {**sent, "period": "month"}, headers=HTMX)
        assert again.status_code == 422
        assert Budget.objects.count() == 1


def test_rules_for_budgets_are_set(brand: Any, at: datetime, staff_client: Login) -> None:
    with clock.at(at):
        client = staff_client("finance")
        sent = {"reserve_share": "25", "floor_share": "7.5", "approval_limit": "500"}
        assert_done(client.post(url("budget_policy"), sent, headers=HTMX), "budget")
        found = get_policy()
        assert (found.reserve_share_bp, found.floor_share_bp) == (2_500, 750)
        assert found.approval_limit_minor == 50_000
        wrong = client.post(url("budget_policy"), {**sent, "floor_share": "26"}, headers=HTMX)
        assert wrong.status_code == 422
        assert get_policy().floor_share_bp == 750


def test_above_the_limit_a_plan_waits_in_the_inbox(
    budget: Budget, at: datetime, staff_client: Login
) -> None:
    _limit(1_000, at)
    finance, owner = staff_client("finance"), staff_client("owner")
    line = budget.lines.get()
    sent = {"amount": "10.01", "reason": "More guests"}
    assert_done(finance.post(url("plan_line", line.pk), sent, headers=HTMX), "budget")
    asked = PlanRevision.objects.get()
    assert (asked.state, asked.increase_minor) == ("requested", 1_001)
    assert queries.summary(budget=budget).planned == 10_000
    approve = url("decide_revision", asked.pk, "approve")
    assert finance.post(approve, headers=HTMX).status_code == 409
    assert queries.summary(budget=budget).planned == 10_000
    inbox = owner.get(url("approvals")).content.decode()
    assert "More guests" in inbox
    assert approve in inbox
    assert approve not in finance.get(url("approvals")).content.decode()
    assert_done(owner.post(approve, headers=HTMX), "budget")
    assert queries.summary(budget=budget).planned == 11_001


def test_a_role_without_the_right_decides_nothing(
    budget: Budget, at: datetime, staff_client: Login
) -> None:
    draw = operations.ask_draw(
        line=budget.lines.get(), purpose="pilot", reason="Try", amount_minor=500,
        exit_on=date(2026, 6, 1), by=ANNA, at=at,
    )  # fmt: skip
    manager = staff_client("manager")
    for verdict in ("approve", "refuse"):
        answer = manager.post(url("decide_draw", draw.pk, verdict), headers=HTMX)
        assert answer.status_code == 403
    assert manager.post(url("close_budget", budget.pk), headers=HTMX).status_code == 403
    assert ReserveDraw.objects.get().state == "requested"


def test_one_person_cannot_pass_four_eyes_by_changing_role(
    budget: Budget, staff_client: Login
) -> None:
    """A manager asks, becomes finance, and is still the one who asked."""
    client = staff_client("manager")
    sent = {
        "line": "spa",
        "purpose": "pilot",
        "amount": "5",
        "exit_on": "2026-06-01",
        "reason": "R",
    }
    assert_done(client.post(url("ask_draw", budget.pk), sent, headers=HTMX), "budget")
    draw = ReserveDraw.objects.get()
    StaffMember.objects.filter(pk=int(draw.asked_by.partition(":")[2])).update(role="owner")
    answer = client.post(url("decide_draw", draw.pk, "approve"), headers=HTMX)
    assert (answer.status_code, ReserveDraw.objects.get().state) == (409, "requested")
    assert_done(client.post(url("withdraw_draw", draw.pk), headers=HTMX), "budget")
    assert ReserveDraw.objects.get().state == "withdrawn"


def test_a_file_is_looked_at_then_applied(budget: Budget, staff_client: Login) -> None:
    client = staff_client("finance")
    bad = SimpleUploadedFile("plan.csv", b"code,amount\nspa,1.001\n???,5\n")
    answer = client.post(url("import_plan", budget.pk), {"file": bad})
    assert answer.status_code == 422
    assert "2 bad lines: nothing was changed" in answer.content.decode()
    good = SimpleUploadedFile("plan.csv", b"code,name,kind,amount\nspa,,,120\ntea,Tea,benefit,30\n")
    client.post(url("import_plan", budget.pk), {"file": good})
    made = PlanRevision.objects.get()
    assert queries.summary(budget=budget).planned == 10_000
    page = client.get(url("plan_revision", made.pk)).content.decode()
    assert "Nothing has changed yet" in page
    assert_done(client.post(url("decide_revision", made.pk, "submit"), headers=HTMX), "budget")
    assert queries.summary(budget=budget).planned == 15_000
    sheet = b"".join(client.get(url("export_plan", budget.pk)).streaming_content).decode()  # type: ignore[attr-defined]
    assert "tea,Tea,benefit,30.00,refuse" in sheet


def test_what_if_says_where_it_ends_and_makes_a_revision(
    budget: Budget, staff_client: Login
) -> None:
    client = staff_client("finance")
    page = client.get(url("what_if", budget.pk), {"plan_spa": "50", "use_spa": "100"})
    assert page.status_code == 200
    assert "Revise the plan like this" in page.content.decode()
    assert not PlanRevision.objects.exists()
    wrong = client.get(url("what_if", budget.pk), {"use_spa": "lots"})
    assert wrong.status_code == 422
    client.post(url("what_if", budget.pk), {"plan_spa": "50"})
    assert queries.summary(budget=budget).planned == 15_000


def test_an_ended_period_is_closed_for_good(
    budget: Budget, at: datetime, staff_client: Login
) -> None:
    client = staff_client("finance")
    assert client.post(url("close_budget", budget.pk), headers=HTMX).status_code == 422
    later = at + timedelta(days=300)
    with clock.at(later):
        client = staff_client("finance")
        shown = client.get(url("budget"), {"budget": budget.pk}).content.decode()
        assert "This period has ended" in shown
        assert_done(client.post(url("close_budget", budget.pk), headers=HTMX), "budget")
        shown = client.get(url("budget"), {"budget": budget.pk}).content.decode()
        assert "This period is closed" in shown
    assert Budget.objects.get().closed_reserve_minor == 20_000
