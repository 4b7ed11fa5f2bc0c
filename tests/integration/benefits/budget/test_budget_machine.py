"""Random stories of a budget against a model in plain Python; I5 after every step."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from benefits.budget import operations, queries
from benefits.budget.errors import LineExhaustedError, NotPlannableError, ReserveExhaustedError
from benefits.budget.invariants import CHECKS
from benefits.budget.models import ReserveDraw
from core.actors import Actor
from core.ids import uuid7
from tenants.brands.models import Brand

AT = datetime(2026, 3, 15, 4, tzinfo=UTC)
ANNA, BEN = Actor(kind="staff", id=1), Actor(kind="staff", id=2)
AMOUNTS = st.integers(1, 3_000)


class BudgetStory(RuleBasedStateMachine):
    """One budget of 10,007 with two lines."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.budget = operations.create_budget(
            name="S", starts_on=date(2026, 1, 1), ends_on=date(2027, 1, 1), total_minor=10_007,
            by=ANNA, at=AT,
        )  # fmt: skip
        self.lines = [
            operations.add_line(
                budget=self.budget, code=f"l{n}", name="L", kind="pilot", by=ANNA, at=AT
            )
            for n in range(2)
        ]
        self.planned = [0, 0]
        self.committed = [0, 0]
        self.spent = [0, 0]
        self.drawn = [0, 0]
        self.reserve = 2_001
        self.open: list[tuple[int, int, int]] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def left(self, n: int) -> int:
        return self.planned[n] + self.drawn[n] - self.committed[n] - self.spent[n]

    @rule(n=st.integers(0, 1), amount=AMOUNTS)
    def plan(self, n: int, amount: int) -> None:
        allowed = sum(self.planned) + amount <= 10_007 - 2_001
        try:
            operations.plan(line=self.lines[n], amount_minor=amount, key=uuid7(), by=ANNA, at=AT)
        except NotPlannableError:
            assert not allowed
        else:
            assert allowed
            self.planned[n] += amount

    @rule(n=st.integers(0, 1), amount=AMOUNTS)
    def take_back(self, n: int, amount: int) -> None:
        allowed = amount <= self.left(n)
        try:
            operations.plan(line=self.lines[n], amount_minor=-amount, key=uuid7(), by=ANNA, at=AT)
        except LineExhaustedError:
            assert not allowed
        else:
            assert allowed
            self.planned[n] -= amount

    @rule(n=st.integers(0, 1), amount=AMOUNTS)
    def commit(self, n: int, amount: int) -> None:
        allowed = amount <= self.left(n)
        try:
            operations.commit(line=self.lines[n], amount_minor=amount, key=uuid7(), at=AT)
        except LineExhaustedError:
            assert not allowed
        else:
            assert allowed
            self.committed[n] += amount

    @rule(n=st.integers(0, 1), data=st.data())
    def release(self, n: int, data: Any) -> None:
        if not self.committed[n]:
            return
        amount = data.draw(st.integers(1, self.committed[n]))
        operations.release(line=self.lines[n], amount_minor=amount, key=uuid7(), at=AT)
        self.committed[n] -= amount

    @rule(n=st.integers(0, 1), amount=st.integers(0, 3_000), data=st.data())
    def spend(self, n: int, amount: int, data: Any) -> None:
        promised = data.draw(st.integers(0, self.committed[n]))
        operations.spend(
            line=self.lines[n], amount_minor=amount, committed_minor=promised, key=uuid7(), at=AT
        )
        self.committed[n] -= promised
        self.spent[n] += amount

    @rule(n=st.integers(0, 1), amount=AMOUNTS)
    def draw(self, n: int, amount: int) -> None:
        asked = operations.ask_draw(
            line=self.lines[n], purpose="pilot", reason="r", amount_minor=amount,
            exit_on=date(2026, 6, 1), by=ANNA, at=AT,
        )  # fmt: skip
        try:
            operations.approve_draw(draw=asked, by=BEN, at=AT)
        except ReserveExhaustedError:
            assert amount > self.reserve
        else:
            assert amount <= self.reserve
            self.reserve -= amount
            self.drawn[n] += amount
            self.open.append((asked.pk, n, amount))

    @precondition(lambda self: self.open)
    @rule()
    def give_back(self) -> None:
        key, n, amount = self.open.pop(0)
        back = max(min(self.left(n), amount), 0)
        row = ReserveDraw.objects.get(pk=key)
        assert operations.return_unspent(draw=row, by=BEN, at=AT + timedelta(days=1)) == back
        self.drawn[n] -= back
        self.reserve += back

    @invariant()
    def books_are_whole(self) -> None:
        found = queries.summary(budget=self.budget)
        assert found.planned == sum(self.planned)
        assert found.committed == sum(self.committed)
        assert found.spent == sum(self.spent)
        assert found.reserve_left == self.reserve >= 0
        assert [row.left for row in queries.line_summaries(budget=self.budget)] == [
            self.left(0),
            self.left(1),
        ]
        assert [check() for check in CHECKS.values()] == [[]] * len(CHECKS)


@pytest.mark.timeout(240)
def test_random_stories_keep_the_books(brand: Brand) -> None:
    BudgetStory.TestCase.settings = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    BudgetStory.TestCase("runTest").runTest()
