"""Runs of settlement at the same moment: an order is on one statement, and both runs end well."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError

from core.actors import Actor
from core.ids import uuid7
from partners.orders import operations as orders
from partners.settlements import _sql, generation, operations, prepaid
from partners.settlements.generation import Made, make_statements
from partners.settlements.invariants import CHECKS
from partners.settlements.models import PrepaidEntry, Statement, StatementLine
from tenants.brands.models import Brand
from tests.integration.partners.world import STAFF, World, by
from tests.races import together

pytestmark = pytest.mark.race
MAY_2 = datetime(2026, 5, 2, 4, 0, tzinfo=UTC)
FINANCE = Actor(kind="staff", id=8, label="Lin")


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run take its time between opening its statements and looking for orders."""
    slow = f"WITH wait AS MATERIALIZED (SELECT pg_sleep(0.4)) {_sql.SERVICE_LINES}".replace(
        "WHERE o.state", "WHERE (SELECT count(*) FROM wait) = 1 AND o.state"
    )
    monkeypatch.setattr(_sql, "SERVICE_LINES", slow)


def runs() -> list[Callable[[], Any]]:
    """Two months that both reach the same order: neither has a statement before it."""
    return [
        partial(make_statements, month=month, at=MAY_2)
        for month in (date(2026, 3, 1), date(2026, 4, 1))
    ]


def deliver(world: World) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)
    orders.accept(order=order, by=STAFF, at=world.at)
    orders.fulfil(order=order, override_reason="seen", by=STAFF, at=world.at)


def test_two_runs_put_an_order_on_one_statement(
    committed_brand: Brand, committed_world: World, slowly: None
) -> None:
    deliver(committed_world)
    results = together(committed_brand, runs())
    assert sorted(results) == [Made(0, 0), Made(1, 1)]
    assert StatementLine.objects.filter(kind="service").count() == 1
    assert [line for check in CHECKS.values() for line in check()] == []


def test_without_taking_turns_the_runs_collide(
    committed_brand: Brand, committed_world: World, slowly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without the lock both want the order, and only the index stops one."""
    deliver(committed_world)
    monkeypatch.setattr(generation, "TURNS", "SELECT 1")
    results = together(committed_brand, runs())
    assert [type(each) for each in results if isinstance(each, Exception)] == [IntegrityError]


def approvals(world: World) -> list[Callable[[], Any]]:
    """Two statements of one partner, each as large as all that was paid ahead."""
    deliver(world)
    partner_id = 0
    for month in (3, 4):
        make_statements(month=date(2026, month, 1), at=MAY_2)
        if month == 3:
            first = Statement.objects.get()
            partner_id = first.partner_id
            operations.correct(
                partner=first.partner,
                amount_minor=5_000,
                reason="Bonus",
                key=uuid7(),
                by=STAFF,
                at=MAY_2,
            )
    rows = list(Statement.objects.order_by("pk"))
    for row in rows:
        operations.send(statement=row, by=STAFF, at=MAY_2)
        operations.agree(statement=row, partner_id=partner_id, by=by(partner_id), at=MAY_2)
    prepaid.buy_pack(
        partner=rows[0].partner,
        amount_minor=5_000,
        reference="P",
        key=uuid7(),
        by=STAFF,
        at=world.at + timedelta(days=1),
    )
    return [partial(operations.approve, statement=row, by=FINANCE, at=MAY_2) for row in rows]


def test_two_approvals_never_draw_more_than_was_paid_ahead(
    committed_brand: Brand, committed_world: World
) -> None:
    results = together(committed_brand, approvals(committed_world))
    assert sorted(row.prepaid_minor for row in results) == [0, 5_000]
    assert [line for check in CHECKS.values() for line in check()] == []


def test_without_the_lock_both_draw_it(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: each sees all of it left."""
    calls = approvals(committed_world)
    monkeypatch.setattr(prepaid, "left", lambda *, partner_id: 5_000)
    together(committed_brand, calls)
    assert PrepaidEntry.objects.filter(kind="draw").count() == 2
    assert [line for check in CHECKS.values() for line in check()] != []
