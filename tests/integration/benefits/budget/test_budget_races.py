"""Eight at once: the reserve and a line are never passed; without the guard they are."""

import time
from collections.abc import Callable
from datetime import date

import pytest

from benefits.budget import _allowance, _draws, operations, queries
from benefits.budget.errors import LineExhaustedError, ReserveExhaustedError
from benefits.budget.invariants import CHECKS
from benefits.budget.models import Budget, BudgetAllowance, BudgetLine, ReserveDraw
from core import clock
from core.actors import Actor
from core.ids import uuid7
from tenants.brands.models import Brand
from tests.races import together

pytestmark = pytest.mark.race
ANNA, BEN = Actor(kind="staff", id=1), Actor(kind="staff", id=2)
ROUNDS = 6


def _budget(policy: str = "refuse") -> tuple[Budget, BudgetLine]:
    today = clock.now().date()
    made = operations.create_budget(
        name="R", starts_on=date(today.year, 1, 1), ends_on=date(today.year + 1, 1, 1),
        total_minor=1_000, by=ANNA, at=clock.now(),
    )  # fmt: skip
    line = operations.add_line(
        budget=made, code="l", name="L", kind="pilot", policy=policy, by=ANNA, at=clock.now()
    )
    operations.plan(line=line, amount_minor=500, key=uuid7(), by=ANNA, at=clock.now())
    return made, line


def _approve_many(brand: Brand, line: BudgetLine, exit_on: date) -> list[object]:
    at = clock.now()
    draws = [
        operations.ask_draw(
            line=line, purpose="pilot", reason="r", amount_minor=60, exit_on=exit_on,
            by=ANNA, at=at,
        )
        for _n in range(8)
    ]  # fmt: skip

    def approve(n: int) -> Callable[[], object]:
        return lambda: operations.approve_draw(draw=draws[n], by=BEN, at=at)

    return together(brand, [approve(n) for n in range(8)])


def test_eight_draws_at_once_never_pass_the_reserve(committed_brand: Brand) -> None:
    budget, line = _budget()
    results = _approve_many(committed_brand, line, budget.ends_on)
    won = [r for r in results if not isinstance(r, Exception)]
    assert len(won) == 3  # 3 × 60 of a reserve of 200
    assert all(isinstance(r, ReserveExhaustedError) for r in results if isinstance(r, Exception))
    assert queries.summary(budget=budget).reserve_left == 20
    assert [check() for check in CHECKS.values()] == [[]] * len(CHECKS)


def test_without_the_lock_the_reserve_is_passed(
    committed_brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the same race with the budget row unlocked."""
    budget, line = _budget()

    def unlocked(budget_id: int) -> Budget:
        return Budget.objects.get(pk=budget_id)

    original = _draws.reserve_left

    def slow(found: Budget) -> int:
        left = original(found)
        time.sleep(0.05)
        return left

    monkeypatch.setattr(_draws, "lock_open", unlocked)
    monkeypatch.setattr(_draws, "reserve_left", slow)
    _approve_many(committed_brand, line, budget.ends_on)
    assert queries.summary(budget=budget).reserve_left < 0


def _commit_many(brand: Brand, line: BudgetLine) -> list[object]:
    at = clock.now()
    keys = [uuid7() for _n in range(8)]

    def commit(n: int) -> Callable[[], object]:
        return lambda: operations.commit(line=line, amount_minor=90, key=keys[n], at=at)

    return together(brand, [commit(n) for n in range(8)])


def test_eight_commits_at_once_never_pass_the_line(committed_brand: Brand) -> None:
    budget, line = _budget()
    results = _commit_many(committed_brand, line)
    won = [r for r in results if not isinstance(r, Exception)]
    assert len(won) == 5  # 5 × 90 of 500, and no refusal while enough is left
    refused = [r for r in results if isinstance(r, Exception)]
    assert [type(r) for r in refused] == [LineExhaustedError] * 3, refused
    assert queries.summary(budget=budget).committed == 450
    assert [check() for check in CHECKS.values()] == [[]] * len(CHECKS)


def test_without_the_guard_the_line_is_passed(
    committed_brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: read, check, write."""
    _found, line = _budget()

    def naive(line_id: int, amount: int) -> int | None:
        shards = list(BudgetAllowance.objects.filter(line_id=line_id).order_by("shard"))
        left = sum(shard.left_minor for shard in shards)
        time.sleep(0.05)
        if left < amount:
            return left
        BudgetAllowance.objects.filter(pk=shards[0].pk).update(
            left_minor=shards[0].left_minor - amount
        )
        return None

    monkeypatch.setattr(_allowance, "take", naive)
    won = [r for r in _commit_many(committed_brand, line) if not isinstance(r, Exception)]
    assert len(won) > 5


def test_one_key_eight_times_counts_once(committed_brand: Brand) -> None:
    budget, line = _budget()
    key, at = uuid7(), clock.now()
    results = together(
        committed_brand,
        [lambda: operations.commit(line=line, amount_minor=70, key=key, at=at)] * 8,
    )
    assert [r for r in results if isinstance(r, Exception)] == []
    assert queries.summary(budget=budget).committed == 70


def _thousand(brand: Brand, line: BudgetLine, exit_on: date) -> int:
    """Approve 1,000 draws of 3 from ten connections at once; return how many went through."""
    at = clock.now()
    ReserveDraw.objects.bulk_create(
        ReserveDraw(
            budget=line.budget, line=line, purpose="pilot", reason="r", amount_minor=3,
            exit_on=exit_on, asked_by=ANNA.key, asked_at=at,
        )
        for _n in range(1_000)
    )  # fmt: skip
    draws = list(ReserveDraw.objects.select_related("line").order_by("pk"))

    def approve(n: int) -> Callable[[], object]:
        def run() -> int:
            won = 0
            for draw in draws[n::10]:
                try:
                    operations.approve_draw(draw=draw, by=BEN, at=at)
                except ReserveExhaustedError:
                    continue
                won += 1
            return won

        return run

    return sum(int(str(won)) for won in together(brand, [approve(n) for n in range(10)]))


@pytest.mark.timeout(120)
def test_a_thousand_draws_at_once_never_pass_the_reserve(committed_brand: Brand) -> None:
    budget, line = _budget()
    assert _thousand(committed_brand, line, budget.ends_on) == 66  # 66 × 3 of a reserve of 200
    assert queries.summary(budget=budget).reserve_left == 2
    assert ReserveDraw.objects.filter(state="approved").count() == 66
    assert [check() for check in CHECKS.values()] == [[]] * len(CHECKS)
