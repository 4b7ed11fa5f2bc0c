"""A pool at work: orders over many partners with random declines, to their end and to the statement.

Every order ends, capacity is never exceeded, and the statements equal an independent sum. The
bench does the same with 2,000 orders over 200 partners.
"""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from partners.orders import operations as orders
from partners.orders.invariants import CHECKS
from partners.orders.models import FulfilmentOrder
from partners.pool.contracts import add_contract
from partners.pool.models import CapacityDay
from partners.settlements.generation import make_statements
from partners.settlements.invariants import CHECKS as SETTLED
from partners.settlements.models import Statement
from tests.integration.partners.world import STAFF, World, by

PARTNERS, ORDERS = 12, 60
CITIES = ["cn/gd/sz", "cn/gd/gz", "cn/zj/hz"]


def _sum() -> dict[int, int]:
    """Sum what partners are owed from the orders and their steps alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partner_id, sum(amount) FROM ("
            " SELECT partner_id, price_minor AS amount FROM partners_fulfilmentorder"
            "  WHERE state = 'fulfilled'"
            " UNION ALL"
            " SELECT partner_id, (data->'charge'->>'amount')::bigint"
            "  FROM partners_ordertransition WHERE data ? 'charge') owed GROUP BY partner_id"
        )
        return {partner: int(amount) for partner, amount in cursor.fetchall()}


def test_every_order_ends_and_the_statements_equal_an_independent_sum(world: World) -> None:
    chance = random.Random(20)
    benefit = world.benefit()
    for number in range(PARTNERS):
        regions = [[CITIES[number % 3]], ["cn/gd"], ["cn"]][number % 3]
        offering = world.offering(
            benefit,
            regions=regions,
            price_minor=3_000 + 500 * number,
            capacity_per_day=chance.randint(1, 3),
        )
        add_contract(
            partner=offering.partner,
            valid_from=world.at.date(),
            late_penalty_bp=1_000,
            failure_penalty_minor=250,
            by=STAFF,
            at=world.at,
        )
    members = [world.member(region=city) for city in CITIES]
    for _ in range(ORDERS):
        redemption = world.redemption(benefit, chance.choice(members))
        order = orders.request_order(redemption_id=redemption.pk, at=world.at)
        while order is not None and order.state == "offered":
            actor = by(order.partner_id)
            if chance.random() < 0.2:
                order = orders.decline(
                    order=order, partner_id=order.partner_id, by=actor, at=world.at
                )
                continue
            order = orders.accept(order=order, partner_id=order.partner_id, by=actor, at=world.at)
            end = world.at + timedelta(hours=chance.choice([1, 30, 300]))
            fate = chance.random()
            if fate < 0.1:
                order = orders.hand_back(
                    order=order, reason="x", partner_id=order.partner_id, by=actor, at=world.at
                )
            elif fate < 0.2:
                order = orders.fail(order=order, reason="x", by=STAFF, at=world.at)
            else:
                order = orders.fulfil(order=order, override_reason="x", by=STAFF, at=end)
        if order is not None and order.state == "unassigned":
            orders.cancel(order=order, reason="no room", by=STAFF, at=world.at)
    states = Counter(FulfilmentOrder.objects.values_list("state", flat=True))
    assert set(states) <= {"fulfilled", "failed", "cancelled"}
    assert sum(states.values()) == ORDERS
    assert min(states["fulfilled"], states["failed"], states["cancelled"]) > 0
    assert all(day.reserved <= day.capacity for day in CapacityDay.objects.all())
    make_statements(month=date(2026, 3, 1), at=datetime(2026, 4, 1, 4, tzinfo=UTC))
    stated = {row.partner_id: row.total_minor for row in Statement.objects.all()}
    assert stated == _sum()
    assert [
        line for checks in (CHECKS, SETTLED) for check in checks.values() for line in check()
    ] == []
