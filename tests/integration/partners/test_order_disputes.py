"""Orders that come back: handed back by partners, objected to by members, undone after payment."""

from datetime import UTC, date, datetime, timedelta

import pytest

from benefits.grants.models import Grant
from partners.orders import disputes
from partners.orders import operations as orders
from partners.orders.errors import (
    DisputeTooLateError,
    InvalidOrderError,
    InvalidStateError,
    OrderNotFoundError,
)
from partners.orders.invariants import CHECKS
from partners.orders.models import FulfilmentOrder, OrderCharge, OrderOffer
from partners.pool.contracts import add_contract
from partners.pool.models import CapacityDay
from partners.settlements.generation import make_statements
from partners.settlements.invariants import CHECKS as SETTLED
from partners.settlements.models import Statement
from tests.integration.partners.world import STAFF, World, by

HOUR = timedelta(hours=1)


def broken() -> list[str]:
    return [line for checks in (CHECKS, SETTLED) for check in checks.values() for line in check()]


def fulfilled(world: World) -> FulfilmentOrder:
    benefit = world.benefit()
    offering = world.offering(benefit)
    add_contract(
        partner=offering.partner,
        valid_from=world.at.date(),
        failure_penalty_minor=700,
        commission_bp=1_000,
        by=STAFF,
        at=world.at,
    )
    order = world.order(benefit)
    orders.accept(order=order, by=STAFF, at=world.at)
    return orders.fulfil(order=order, override_reason="seen", by=STAFF, at=world.at + HOUR)


def test_an_order_handed_back_goes_to_the_next_and_costs_the_penalty(world: World) -> None:
    benefit = world.benefit()
    offerings = [world.offering(benefit), world.offering(benefit)]
    for offering in offerings:
        add_contract(
            partner=offering.partner,
            valid_from=world.at.date(),
            failure_penalty_minor=700,
            by=STAFF,
            at=world.at,
        )
    order = world.order(benefit)
    first = order.partner_id
    assert first is not None
    orders.accept(order=order, partner_id=first, by=by(first), at=world.at)
    with pytest.raises(InvalidOrderError):
        orders.hand_back(order=order, reason=" ", partner_id=first, by=by(first), at=world.at)
    for _ in range(3):
        back = orders.hand_back(
            order=order, reason="Van broke down", partner_id=first, by=by(first), at=world.at + HOUR
        )
    assert (back.state, back.partner_id != first) == ("offered", True)
    offers = OrderOffer.objects.filter(order=order).order_by("number")
    assert [offer.state for offer in offers] == ["handed_back", "offered"]
    charges = OrderCharge.objects.values_list("partner_id", "kind", "amount_minor")
    assert list(charges) == [(first, "handback_penalty", -700)]
    reserved = CapacityDay.objects.order_by("offering_id").values_list("reserved", flat=True)
    assert sorted(reserved) == [0, 1]
    assert broken() == []


def test_work_that_has_begun_cannot_be_handed_back(world: World) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)
    orders.accept(order=order, by=STAFF, at=world.at)
    orders.start(order=order, by=STAFF, at=world.at)
    with pytest.raises(InvalidStateError):
        orders.hand_back(order=order, reason="No", by=STAFF, at=world.at)
    order.refresh_from_db()
    assert (order.state, OrderCharge.objects.count()) == ("in_progress", 0)


def test_a_disputed_order_is_settled_with_the_month_of_the_answer(world: World) -> None:
    order = fulfilled(world)
    for _ in range(2):
        disputes.dispute(
            order=order,
            reason="Nobody came",
            member_id=order.member_id,
            by=STAFF,
            at=world.at + 2 * HOUR,
        )
    make_statements(month=date(2026, 3, 1), at=datetime(2026, 4, 1, 4, tzinfo=UTC))
    assert Statement.objects.count() == 0
    answered = datetime(2026, 4, 3, 4, tzinfo=UTC)
    disputes.resolve(order=order, delivered=True, reason="Photo at the door", by=STAFF, at=answered)
    make_statements(month=date(2026, 4, 1), at=datetime(2026, 5, 1, 4, tzinfo=UTC))
    (statement,) = Statement.objects.all()
    assert (statement.month, statement.total_minor) == (date(2026, 4, 1), 4_500)
    assert broken() == []


def test_what_was_paid_and_not_delivered_is_taken_off_the_next_statement(world: World) -> None:
    order = fulfilled(world)
    make_statements(month=date(2026, 3, 1), at=datetime(2026, 4, 1, 4, tzinfo=UTC))
    april = datetime(2026, 4, 3, 4, tzinfo=UTC)
    disputes.dispute(order=order, reason="Nobody came", by=STAFF, at=april)
    undone = disputes.resolve(
        order=order, delivered=False, reason="The store confirms", by=STAFF, at=april
    )
    assert undone.state == "failed"
    grant = Grant.objects.get(redemptions__pk=order.redemption_id)
    assert (grant.used, grant.quantity) == (0, 1)  # the member has it back
    assert CapacityDay.objects.get().reserved == 0
    for _ in range(2):
        make_statements(month=date(2026, 4, 1), at=datetime(2026, 5, 1, 4, tzinfo=UTC))
    before, after = Statement.objects.order_by("month")
    assert (before.total_minor, after.total_minor) == (4_500, -4_500 - 700)
    assert (after.corrections_minor, after.penalties_minor) == (-4_500, -700)
    assert broken() == []


def test_objections_have_their_time_and_their_owner(world: World) -> None:
    order = fulfilled(world)
    late = world.at + timedelta(days=31)
    with pytest.raises(DisputeTooLateError):
        disputes.dispute(order=order, reason="Late", by=STAFF, at=late)
    with pytest.raises(OrderNotFoundError):
        disputes.dispute(order=order, reason="Mine", member_id=-1, by=STAFF, at=world.at + HOUR)
    with pytest.raises(InvalidStateError):
        disputes.resolve(order=order, delivered=True, reason="?", by=STAFF, at=world.at + HOUR)
    order.refresh_from_db()
    assert order.state == "fulfilled"
