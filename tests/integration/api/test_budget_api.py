"""The budget through the brand API: read, and nothing else."""

from datetime import date, timedelta
from typing import Any

import pytest

from benefits.budget import operations
from benefits.budget.jobs import take_snapshot
from benefits.budget.models import Budget, ReserveDraw
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from tenants.accounts.keys import create_api_key
from tenants.brands.models import Brand
from tests.integration.api.conftest import Api
from tests.integration.benefits.budget.world import BEN, ask, make_budget, make_line


def _api(brand: Brand, at: Any, *scopes: str) -> Api:
    made = create_api_key(kind="brand", name="t", scopes=scopes, is_live=True, by=SYSTEM, at=at)
    return Api(brand, made[1], "/api/brand/v1/")


@pytest.fixture
def budget(brand: Brand, at: Any) -> Any:
    with clock.at(at):
        made = make_budget(at)
        line = make_line(made, at)
        operations.approve_draw(draw=ask(line, 2_000, at), by=BEN, at=at)
        operations.spend(line=line, amount_minor=280, key=uuid7(), at=at - timedelta(days=1))
        take_snapshot(budget=made, at=at)
        yield made


def test_figures_lines_movements_and_reserve_are_read(
    brand: Brand, budget: Budget, at: Any
) -> None:
    api = _api(brand, at, "budget:read")
    (found,) = api("GET", "budgets").json()["items"]
    assert found["reserve_left"] == {"amount": 18_000, "currency": budget.currency}
    assert (found["planned"]["amount"], found["spent"]["amount"]) == (10_000, 280)
    assert found["late_spent"] is None
    (line,) = api("GET", f"budgets/{budget.pk}/lines").json()["items"]
    assert (line["code"], line["from_reserve"]["amount"], line["left"]["amount"]) == (
        "spa", 2_000, 11_720,
    )  # fmt: skip
    first = api("GET", f"budgets/{budget.pk}/movements?limit=2").json()
    assert [row["kind"] for row in first["items"]] == ["spend", "reserve_draw"]
    rest = api("GET", f"budgets/{budget.pk}/movements?limit=2&cursor={first['next']}").json()
    assert [row["kind"] for row in rest["items"]] == ["plan"]
    assert rest["next"] is None
    reserve = api("GET", f"budgets/{budget.pk}/reserve").json()
    assert [row["state"] for row in reserve["draws"]] == ["approved"]
    assert reserve["days"][0]["on_date"] == date(2026, 3, 15).isoformat()
    assert reserve["days"][0]["free_share"] == 0.18


def test_a_key_needs_the_scope_and_changes_nothing(brand: Brand, budget: Budget, at: Any) -> None:
    assert _api(brand, at, "benefits:read")("GET", "budgets").status_code == 403
    api = _api(brand, at, "budget:read")
    for path in ("budgets", f"budgets/{budget.pk}/lines", f"budgets/{budget.pk}/reserve"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert api(method, path, {}).status_code in {403, 405}
    assert api("GET", "budgets/999999/lines").status_code == 404
    assert ReserveDraw.objects.count() == 1
