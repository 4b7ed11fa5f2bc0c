"""A budget of 100,000 with a line, and the people around it."""

from datetime import date, datetime

from benefits.budget import operations
from benefits.budget.invariants import CHECKS
from benefits.budget.models import Budget, BudgetLine, ReserveDraw
from core.actors import Actor
from core.ids import uuid7

ANNA = Actor(kind="staff", id=1, label="Anna")
BEN = Actor(kind="staff", id=2, label="Ben")


def make_budget(at: datetime, **changes: object) -> Budget:
    facts = {
        "name": "2026",
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2027, 1, 1),
        "total_minor": 100_000,
        "floor_minor": 5_000,
    }
    return operations.create_budget(**{**facts, **changes}, by=ANNA, at=at)  # type: ignore[arg-type]


def make_line(budget: Budget, at: datetime, planned: int = 10_000, **changes: str) -> BudgetLine:
    facts = {"code": "spa", "name": "Spa", "kind": "benefit"}
    line = operations.add_line(budget=budget, **{**facts, **changes}, by=ANNA, at=at)  # type: ignore[arg-type]
    if planned:
        operations.plan(line=line, amount_minor=planned, key=uuid7(), by=ANNA, at=at)
    return line


def ask(line: BudgetLine, amount: int, at: datetime, *, by: Actor = ANNA) -> ReserveDraw:
    return operations.ask_draw(
        line=line,
        purpose="pilot",
        reason="Try it",
        amount_minor=amount,
        exit_on=date(2026, 6, 1),
        by=by,
        at=at,
    )


def assert_books_whole() -> None:
    assert {name: check() for name, check in CHECKS.items()} == {key: [] for key in CHECKS}
