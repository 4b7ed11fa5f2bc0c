"""Where a budget ends, as things are and as assumed; what points bind."""

from datetime import UTC, date, datetime, timedelta

import pytest

from benefits.budget import operations, queries
from benefits.budget.forecast import Assumption, forecast
from benefits.budget.models import Budget
from benefits.budget.points_cost import accrue_points
from core.ids import uuid7
from members.points.models import LiabilityDay
from tenants.brands.models import Brand
from tests.integration.benefits.budget.world import assert_books_whole, make_budget, make_line

# 15 March 2026; the budget ends 22 days later.
END = date(2026, 4, 6)


@pytest.fixture
def budget(brand: Brand, at: datetime) -> Budget:
    made = make_budget(at, ends_on=END)
    spa, tea = make_line(made, at, 10_000), make_line(made, at, 5_000, code="tea", name="Tea")
    for days in range(1, 29):
        for line, amount in ((spa, 200), (tea, 50)):
            operations.spend(
                line=line, amount_minor=amount, key=uuid7(), at=at - timedelta(days=days)
            )
    return made


def test_without_a_change_it_goes_on(budget: Budget, at: datetime) -> None:
    found = forecast(budget=budget, assumptions={}, at=at)
    assert (found.days_seen, found.days_left) == (28, 22)
    assert (found.projected, found.projected_then) == (12_500, 12_500)
    assert (found.low, found.high) == (12_500, 12_500)
    spa, tea = found.lines
    assert (spa.projected, spa.left_then, spa.exhausted_on) == (10_000, 0, None)
    assert (tea.projected, tea.left_then) == (2_500, 2_500)
    assert found.unplanned_then == 65_000


def test_more_use_ends_a_line_sooner(budget: Budget, at: datetime) -> None:
    found = forecast(budget=budget, assumptions={"spa": Assumption(use_bp=15_000)}, at=at)
    spa = found.lines[0]
    assert (spa.projected, spa.projected_then, spa.left_then) == (10_000, 12_200, -2_200)
    # 4,400 left at 300 a day last 14 days.
    assert spa.exhausted_on == date(2026, 3, 29)
    assert found.short == (spa,)
    more = forecast(
        budget=budget,
        assumptions={"spa": Assumption(use_bp=15_000, plan_minor=2_200)},
        at=at,
    )
    assert (more.short, more.unplanned_then) == ((), 62_800)


def test_a_rule_adds_its_cost_a_month(budget: Budget, at: datetime) -> None:
    found = forecast(
        budget=budget, assumptions={"tea": Assumption(added_per_month_minor=3_000)}, at=at
    )
    assert found.lines[1].projected_then == 2_500 + 100 * 22
    assert found.projected_then - found.projected == 2_200


def test_what_does_not_fit_says_so(budget: Budget, at: datetime) -> None:
    found = forecast(budget=budget, assumptions={"spa": Assumption(plan_minor=65_001)}, at=at)
    assert found.is_over_plan
    assert queries.summary(budget=budget).planned == 15_000


def test_before_it_begins_there_is_nothing_to_go_on(brand: Brand, at: datetime) -> None:
    made = make_budget(at, starts_on=date(2026, 4, 1), ends_on=date(2026, 5, 1))
    make_line(made, at)
    found = forecast(budget=made, assumptions={"spa": Assumption(added_per_month_minor=600)}, at=at)
    assert (found.days_seen, found.days_left) == (0, 30)
    assert (found.projected, found.projected_then) == (0, 600)


def _owed(on: date, cost: int, at: datetime) -> None:
    LiabilityDay.objects.create(
        wallet_id=1, on_date=on, outstanding=cost * 100, held=0, issued=0, spent=0, expired=0,
        corrected=0, cost_per_point_micro=10_000, cost_minor=cost, matured=0, lapsed=0,
        breakage=0, breakage_minor=0, computed_at=at,
    )  # fmt: skip


def _committed(budget: Budget) -> int:
    return queries.summary(budget=budget).committed


def test_points_owed_bind_money_and_points_spent_free_it(brand: Brand, at: datetime) -> None:
    made = make_budget(at)
    make_line(made, at, 5_000, code="points", name="Points", kind="points")
    _owed(date(2025, 12, 31), 1_000, at)
    assert accrue_points(at=at) == 0
    _owed(date(2026, 3, 14), 4_500, at)
    assert [accrue_points(at=at) for _again in range(3)] == [1, 0, 0]
    assert _committed(made) == 3_500
    _owed(date(2026, 3, 15), 2_000, at)
    assert _committed(made) == 3_500
    accrue_points(at=at + timedelta(days=1))
    assert _committed(made) == 1_000
    _owed(date(2026, 3, 16), 500, at)
    accrue_points(at=at + timedelta(days=2))
    assert _committed(made) == 0
    assert_books_whole()


def test_points_owed_pass_the_plan_and_tell(brand: Brand, at: datetime) -> None:
    made = make_budget(at)
    make_line(made, at, 100, code="points", name="Points", kind="points")
    _owed(date(2026, 3, 14), 130, at)
    accrue_points(at=at)
    assert queries.line_summaries(budget=made)[0].left == -30
    assert_books_whole()


def test_the_last_day_of_a_period_counts_for_it(brand: Brand, at: datetime) -> None:
    made = make_budget(at)
    make_line(made, at, 500, code="points", name="Points", kind="points")
    _owed(date(2026, 12, 31), 70, at)
    _owed(date(2027, 1, 1), 99, at)
    accrue_points(at=datetime(2027, 1, 2, 4, tzinfo=UTC))
    assert _committed(made) == 70
