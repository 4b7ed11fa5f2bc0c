"""The end of a period: nothing is carried over, nothing is opened again, late costs show."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from benefits.budget import operations, queries, revisions
from benefits.budget.errors import (
    BudgetClosedError,
    CurrencyChangedError,
    DrawDecidedError,
    FourEyesError,
    InvalidPeriodError,
    NotYoursError,
)
from benefits.budget.jobs import tell_late_spends
from benefits.budget.models import Budget, PlanRevision, ReserveDraw
from benefits.budget.plan_files import PlannedLine
from benefits.budget.settings import set_policy
from core.actors import SYSTEM, Actor
from core.ids import uuid7
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.benefits.budget.world import (
    ANNA,
    BEN,
    ask,
    assert_books_whole,
    make_budget,
    make_line,
)

AFTER = datetime(2027, 1, 5, 4, tzinfo=UTC)


@pytest.fixture
def budget(brand: Brand, at: datetime) -> Budget:
    return make_budget(at)


def test_what_waits_at_the_close_is_withdrawn(budget: Budget, at: datetime) -> None:
    line = make_line(budget, at)
    draw = ask(line, 500, at)
    set_policy(reserve_share_bp=2000, floor_share_bp=0, approval_limit_minor=0, by=ANNA, at=at)
    asked = revisions.revise_plan(
        budget=budget, lines=[PlannedLine(code="spa", planned_minor=10_001)], by=BEN, at=at
    )
    operations.close_period(budget=budget, by=ANNA, at=AFTER)
    assert ReserveDraw.objects.get(pk=draw.pk).state == "withdrawn"
    assert PlanRevision.objects.get(pk=asked.pk).state == "withdrawn"
    for call in (
        lambda: operations.approve_draw(draw=draw, by=BEN, at=AFTER),
        lambda: ask(line, 1, at),
        lambda: operations.add_line(
            budget=budget, code="x", name="X", kind="mall", by=ANNA, at=AFTER
        ),
        lambda: revisions.approve_revision(revision=asked, by=ANNA, at=AFTER),
    ):
        with pytest.raises(BudgetClosedError):
            call()
    assert_books_whole()


def test_late_costs_are_booked_and_shown_beside_the_close(budget: Budget, at: datetime) -> None:
    line = make_line(budget, at)
    operations.commit(line=line, amount_minor=700, key=uuid7(), at=at)
    operations.spend(line=line, amount_minor=300, key=uuid7(), at=at)
    closed = operations.close_period(budget=budget, by=ANNA, at=AFTER)
    assert (closed.closed_spent_minor, closed.closed_committed_minor) == (300, 700)
    operations.spend(
        line=line, amount_minor=650, committed_minor=700, key=uuid7(), at=AFTER + timedelta(hours=1)
    )
    found = queries.summary(budget=Budget.objects.get())
    assert (found.spent, found.committed, found.late_spent) == (950, 0, 650)
    assert tell_late_spends(on=date(2027, 1, 5), at=AFTER) == 1
    assert tell_late_spends(on=date(2027, 1, 6), at=AFTER) == 0
    event = Event.objects.get(type="budget.late_spend")
    assert event.data == {"on": "2027-01-05", "amount_minor": 650}
    assert_books_whole()


def test_nothing_opens_a_closed_budget_again(budget: Budget, at: datetime) -> None:
    operations.close_period(budget=budget, by=ANNA, at=AFTER)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        Budget.objects.filter(pk=budget.pk).update(
            status="open", closed_at=None, closed_reserve_minor=None, closed_spent_minor=None,
            closed_committed_minor=None,
        )  # fmt: skip
    assert Budget.objects.get().status == "closed"


@pytest.mark.parametrize(
    "change",
    [{"total_minor": 200_000}, {"opening_reserve_minor": 1}, {"currency": "EUR"},
     {"ends_on": date(2028, 1, 1)}],
)  # fmt: skip
def test_what_a_budget_rests_on_never_changes(budget: Budget, change: dict[str, object]) -> None:
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        Budget.objects.filter(pk=budget.pk).update(**change)


def test_another_currency_is_refused(brand: Brand, budget: Budget, at: datetime) -> None:
    line = make_line(budget, at)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        Brand.objects.filter(pk=brand.pk).update(currency="EUR")
    before, brand.currency = brand.currency, "EUR"
    try:
        with pytest.raises(CurrencyChangedError):
            operations.plan(line=line, amount_minor=1, key=uuid7(), by=ANNA, at=at)
        with pytest.raises(CurrencyChangedError):
            ask(line, 1, at)
    finally:
        brand.currency = before
    assert queries.summary(budget=budget).planned == 10_000


def test_only_people_ask_and_decide(budget: Budget, at: datetime) -> None:
    line = make_line(budget, at)
    key = Actor(kind="api", id=9, label="Made by Anna")
    for nobody in (key, SYSTEM, Actor(kind="staff"), Actor(kind="member", id=1)):
        with pytest.raises(FourEyesError):
            ask(line, 100, at, by=nobody)
    draw = ask(line, 100, at)
    for nobody in (ANNA, key, SYSTEM, Actor(kind="staff"), Actor(kind="operator", id=2)):
        with pytest.raises(FourEyesError):
            operations.approve_draw(draw=draw, by=nobody, at=at)
    assert ReserveDraw.objects.get().state == "requested"
    # The same person under another name and role is the same person.
    with pytest.raises(FourEyesError):
        operations.approve_draw(
            draw=draw, by=Actor(kind="staff", id=1, label="Owner Anna", address="10.0.0.9"), at=at
        )
    assert queries.summary(budget=budget).reserve_left == 20_000


@pytest.mark.parametrize("decided_by", ["staff:1", "api:9", "system"])
def test_the_database_wants_two_people_for_a_draw(
    budget: Budget, at: datetime, decided_by: str
) -> None:
    draw = ask(make_line(budget, at), 100, at)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReserveDraw.objects.filter(pk=draw.pk).update(
            state="approved", decided_by=decided_by, decided_at=at
        )


def test_only_the_asker_takes_a_request_back(budget: Budget, at: datetime) -> None:
    draw = ask(make_line(budget, at), 100, at)
    with pytest.raises(NotYoursError):
        operations.withdraw_draw(draw=draw, by=BEN, at=at)
    assert operations.withdraw_draw(draw=draw, by=ANNA, at=at).state == "withdrawn"
    with pytest.raises(DrawDecidedError):
        operations.approve_draw(draw=draw, by=BEN, at=at)
    assert queries.summary(budget=budget).reserve_left == 20_000


def test_a_draw_is_not_approved_after_its_exit_date(budget: Budget, at: datetime) -> None:
    draw = ask(make_line(budget, at), 100, at)
    with pytest.raises(InvalidPeriodError):
        operations.approve_draw(draw=draw, by=BEN, at=datetime(2026, 6, 1, 4, tzinfo=UTC))
    assert queries.summary(budget=budget).reserve_left == 20_000


def test_money_that_comes_back_can_be_used_again(budget: Budget, at: datetime) -> None:
    line = make_line(budget, at)
    operations.spend(line=line, amount_minor=10_000, key=uuid7(), at=at)
    key = uuid7()
    for _again in range(3):
        operations.credit(line=line, amount_minor=400, key=key, at=at)
    assert queries.summary(budget=budget).spent == 9_600
    operations.commit(line=line, amount_minor=400, key=uuid7(), at=at)
    assert_books_whole()
