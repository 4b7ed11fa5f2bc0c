"""Movements of a budget, exact to the minor unit."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from benefits.budget import operations, queries
from benefits.budget.errors import (
    BudgetClosedError,
    BudgetOverlapError,
    DrawDecidedError,
    FourEyesError,
    InvalidPeriodError,
    KeyReusedError,
    LineExhaustedError,
    NotPlannableError,
    ReserveExhaustedError,
)
from benefits.budget.invariants import CHECKS
from benefits.budget.jobs import take_snapshot
from benefits.budget.models import Budget, BudgetEntry, BudgetLine, ReserveDraw
from core.actors import Actor
from core.ids import uuid7
from tenants.brands.models import Brand
from tenants.events.models import Event

ANNA = Actor(kind="staff", id=1, label="Anna")
BEN = Actor(kind="staff", id=2, label="Ben")


@pytest.fixture
def budget(brand: Brand, at: datetime) -> Budget:
    return operations.create_budget(
        name="2026",
        starts_on=date(2026, 1, 1),
        ends_on=date(2027, 1, 1),
        total_minor=100_000,
        floor_minor=5_000,
        by=ANNA,
        at=at,
    )


@pytest.fixture
def line(budget: Budget, at: datetime) -> BudgetLine:
    made = operations.add_line(
        budget=budget, code="spa", name="Spa", kind="benefit", by=ANNA, at=at
    )
    operations.plan(line=made, amount_minor=10_000, key=uuid7(), by=ANNA, at=at)
    return made


def _figures(budget: Budget) -> tuple[int, int, int, int]:
    found = queries.summary(budget=budget)
    return found.planned, found.committed, found.spent, found.reserve_left


def _holds() -> None:
    assert {name: check() for name, check in CHECKS.items()} == {key: [] for key in CHECKS}


@pytest.mark.parametrize(
    ("total", "share", "reserve"),
    [(100_000, 2000, 20_000), (1, 2000, 0), (2, 2500, 0), (6, 2500, 2), (12, 2000, 2),
     (13, 2000, 3), (7, 0, 0), (7, 10_000, 7)],
)  # fmt: skip
def test_the_opening_reserve_is_rounded_half_even_once(
    brand: Brand, at: datetime, total: int, share: int, reserve: int
) -> None:
    made = operations.create_budget(
        name="B",
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 2, 1),
        total_minor=total,
        reserve_share_bp=share,
        by=ANNA,
        at=at,
    )
    assert made.opening_reserve_minor == reserve
    assert made.opening_reserve_minor + made.plannable_minor == total


def test_periods_do_not_overlap(budget: Budget, at: datetime) -> None:
    def make(start: date, end: date) -> Budget:
        return operations.create_budget(
            name="B", starts_on=start, ends_on=end, total_minor=1, by=ANNA, at=at
        )

    with pytest.raises(BudgetOverlapError):
        make(date(2026, 12, 31), date(2027, 6, 1))
    with pytest.raises(InvalidPeriodError):
        make(date(2027, 6, 1), date(2027, 6, 1))
    assert Budget.objects.count() == 1
    make(date(2027, 1, 1), date(2027, 6, 1))


def test_plans_stop_before_the_reserve(line: BudgetLine, budget: Budget, at: datetime) -> None:
    with pytest.raises(NotPlannableError) as refused:
        operations.plan(line=line, amount_minor=70_001, key=uuid7(), by=ANNA, at=at)
    assert refused.value.data == {"left_minor": 70_000}
    assert _figures(budget) == (10_000, 0, 0, 20_000)
    operations.plan(line=line, amount_minor=70_000, key=uuid7(), by=ANNA, at=at)
    assert _figures(budget)[0] == 80_000
    _holds()


def test_what_is_used_cannot_be_taken_back(line: BudgetLine, budget: Budget, at: datetime) -> None:
    operations.commit(line=line, amount_minor=4_000, key=uuid7(), at=at)
    with pytest.raises(LineExhaustedError) as refused:
        operations.plan(line=line, amount_minor=-6_001, key=uuid7(), by=ANNA, at=at)
    assert refused.value.data["left_minor"] == 6_000
    operations.plan(line=line, amount_minor=-6_000, key=uuid7(), by=ANNA, at=at)
    assert _figures(budget) == (4_000, 4_000, 0, 20_000)
    _holds()


def test_a_line_refuses_what_passes_its_plan(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.commit(line=line, amount_minor=9_999, key=uuid7(), at=at)
    with pytest.raises(LineExhaustedError) as refused:
        operations.commit(line=line, amount_minor=2, key=uuid7(), at=at)
    assert refused.value.data["left_minor"] == 1
    assert _figures(budget) == (10_000, 9_999, 0, 20_000)
    operations.commit(line=line, amount_minor=1, key=uuid7(), at=at)
    _holds()


def test_the_same_key_counts_once(line: BudgetLine, budget: Budget, at: datetime) -> None:
    key = UUID(int=7)
    for _again in range(3):
        operations.commit(line=line, amount_minor=500, key=key, at=at)
    assert _figures(budget)[1] == 500
    with pytest.raises(KeyReusedError):
        operations.commit(line=line, amount_minor=501, key=key, at=at)
    assert _figures(budget)[1] == 500
    _holds()


def test_spending_uses_up_what_was_committed(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.commit(line=line, amount_minor=1_000, key=uuid7(), at=at)
    key = uuid7()
    for _again in range(2):
        operations.spend(line=line, amount_minor=800, committed_minor=1_000, key=key, at=at)
    assert _figures(budget) == (10_000, 0, 800, 20_000)
    operations.spend(line=line, amount_minor=0, committed_minor=0, key=uuid7(), at=at)
    assert _figures(budget) == (10_000, 0, 800, 20_000)
    _holds()


def test_a_cost_is_booked_even_past_the_plan_and_tells(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.spend(line=line, amount_minor=10_001, key=uuid7(), at=at)
    assert _figures(budget)[2] == 10_001
    assert Event.objects.filter(type="budget.line_overrun").count() == 1
    _holds()


def test_a_line_that_only_warns_lets_through(budget: Budget, at: datetime) -> None:
    free = operations.add_line(
        budget=budget, code="p", name="P", kind="points", policy="alert", by=ANNA, at=at
    )
    operations.commit(line=free, amount_minor=50, key=uuid7(), at=at)
    assert queries.line_summaries(budget=budget)[0].left == -50
    assert Event.objects.filter(type="budget.line_overrun").count() == 1
    _holds()


def _ask(line: BudgetLine, amount: int, at: datetime, by: Actor = ANNA) -> ReserveDraw:
    return operations.ask_draw(
        line=line,
        purpose="pilot",
        reason="Try it",
        amount_minor=amount,
        exit_on=date(2026, 6, 1),
        by=by,
        at=at,
    )


def test_a_draw_needs_a_second_person(line: BudgetLine, budget: Budget, at: datetime) -> None:
    draw = _ask(line, 3_000, at)
    assert _figures(budget)[3] == 20_000
    for decide in (operations.approve_draw, operations.refuse_draw):
        with pytest.raises(FourEyesError):
            decide(draw=draw, by=ANNA, at=at)
    assert ReserveDraw.objects.get().state == "requested"
    operations.approve_draw(draw=draw, by=BEN, at=at)
    assert _figures(budget)[3] == 17_000
    assert queries.line_summaries(budget=budget)[0].left == 13_000
    with pytest.raises(DrawDecidedError):
        operations.approve_draw(draw=draw, by=BEN, at=at)
    assert _figures(budget)[3] == 17_000
    _holds()


def test_the_reserve_is_never_passed(line: BudgetLine, budget: Budget, at: datetime) -> None:
    operations.approve_draw(draw=_ask(line, 19_999, at), by=BEN, at=at)
    last = _ask(line, 2, at)
    with pytest.raises(ReserveExhaustedError) as refused:
        operations.approve_draw(draw=last, by=BEN, at=at)
    assert refused.value.data == {"left_minor": 1}
    last.refresh_from_db()
    assert last.state == "requested"
    operations.approve_draw(draw=_ask(line, 1, at), by=BEN, at=at)
    assert _figures(budget)[3] == 0
    _holds()


def test_a_reserve_under_its_floor_tells(line: BudgetLine, at: datetime) -> None:
    operations.approve_draw(draw=_ask(line, 15_000, at), by=BEN, at=at)
    assert not Event.objects.filter(type="budget.reserve_low").exists()
    operations.approve_draw(draw=_ask(line, 1, at), by=BEN, at=at)
    event = Event.objects.get(type="budget.reserve_low")
    assert event.data == {"left_minor": 4_999, "floor_minor": 5_000}


def test_what_is_unspent_returns_at_the_exit_date(budget: Budget, at: datetime) -> None:
    pilot = operations.add_line(budget=budget, code="x", name="X", kind="pilot", by=ANNA, at=at)
    operations.approve_draw(draw=_ask(pilot, 4_000, at), by=BEN, at=at)
    operations.spend(line=pilot, amount_minor=1_500, key=uuid7(), at=at)
    assert operations.return_due(at=at) == 0
    exit_day = at + timedelta(days=90)
    assert [operations.return_due(at=exit_day) for _again in range(3)] == [1, 0, 0]
    assert _figures(budget)[2:] == (1_500, 18_500)
    assert ReserveDraw.objects.get().returned_minor == 2_500
    _holds()


def test_a_draw_ends_within_the_period(line: BudgetLine, at: datetime) -> None:
    for exit_on in (date(2026, 3, 15), date(2027, 1, 2)):
        with pytest.raises(InvalidPeriodError):
            operations.ask_draw(
                line=line, purpose="pilot", reason="", amount_minor=1, exit_on=exit_on,
                by=ANNA, at=at,
            )  # fmt: skip
    assert not ReserveDraw.objects.exists()


def test_a_closed_period_carries_nothing_over(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.approve_draw(draw=_ask(line, 2_000, at), by=BEN, at=at)
    with pytest.raises(InvalidPeriodError):
        operations.close_period(budget=budget, by=BEN, at=at)
    after = at + timedelta(days=365)
    closed = operations.close_period(budget=budget, by=BEN, at=after)
    # The line had 12,000 left, so all of the draw came back before the end.
    assert closed.closed_reserve_minor == 20_000
    with pytest.raises(BudgetClosedError):
        operations.plan(line=line, amount_minor=1, key=uuid7(), by=ANNA, at=after)
    with pytest.raises(BudgetClosedError):
        operations.close_period(budget=budget, by=BEN, at=after)
    _holds()


def test_the_tracker_writes_one_row_a_day(line: BudgetLine, budget: Budget, at: datetime) -> None:
    operations.spend(line=line, amount_minor=280, key=uuid7(), at=at - timedelta(days=1))
    for _again in range(3):
        snapshot = take_snapshot(budget=budget, at=at)
    assert queries.history(budget=budget) == [snapshot]
    assert snapshot.left_minor == 20_000
    assert snapshot.spent_minor == 280
    assert snapshot.burn_per_day_minor == 10
    assert snapshot.free_share_bp == 2_000


def test_entries_add_up_by_day(line: BudgetLine, budget: Budget, at: datetime) -> None:
    for days, amount in ((2, 5), (2, 7), (0, 3)):
        operations.spend(line=line, amount_minor=amount, key=uuid7(), at=at - timedelta(days=days))
    assert queries.daily_spend(budget=budget, start=date(2026, 3, 12), end=date(2026, 3, 16)) == [
        0,
        12,
        0,
        3,
    ]
    assert BudgetEntry.objects.filter(kind="spend").count() == 3
