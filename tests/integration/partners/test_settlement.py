"""Statements of a month: what is on them, how the two sides agree, and what the budget sees."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from benefits.budget import operations as budget
from benefits.budget.models import BudgetEntry
from core.actors import Actor
from core.ids import uuid7
from partners.orders import operations as orders
from partners.orders.models import FulfilmentOrder, OrderCharge
from partners.pool.contracts import add_contract
from partners.pool.models import Partner
from partners.pool.operations import set_price
from partners.settlements import disputes, operations, prepaid, queries
from partners.settlements.errors import (
    DisputeDecidedError,
    DisputeOpenError,
    InvalidSettlementError,
    LineNotFoundError,
    NothingLeftError,
    ObjectionOpenError,
    ObjectionOverError,
    OpenMonthError,
    StatementFourEyesError,
    StatementNotFoundError,
    StatementStateError,
    StatementVersionError,
)
from partners.settlements.generation import make_statements
from partners.settlements.invariants import CHECKS
from partners.settlements.models import (
    DisputeMessage,
    LineDispute,
    PrepaidEntry,
    Statement,
    StatementLine,
)
from tenants.events.models import Event
from tests.integration.partners.world import STAFF, World, by

FINANCE = Actor(kind="staff", id=8, label="Lin")
MARCH = date(2026, 3, 1)
APRIL_2 = datetime(2026, 4, 2, 4, 0, tzinfo=UTC)


def broken() -> list[str]:
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check()]


@pytest.fixture
def deliver(world: World) -> Callable[..., FulfilmentOrder]:
    """Return a maker of orders that were accepted and fulfilled, by default at once."""

    def make(benefit: Any, *, at: datetime | None = None) -> FulfilmentOrder:
        order = world.order(benefit)
        partner_id = order.partner_id
        order = orders.accept(order=order, partner_id=partner_id, by=by(partner_id), at=world.at)
        return orders.fulfil(
            order=order, override_reason="seen", by=STAFF, at=at or world.at + timedelta(hours=2)
        )

    return make


def settle(at: datetime = APRIL_2, month: date = MARCH) -> list[Statement]:
    make_statements(month=month, at=at)
    return list(Statement.objects.filter(month=month).order_by("number"))


def amounts(statement: Statement) -> list[tuple[str, int]]:
    return [(line.kind, line.amount_minor) for line in queries.list_lines(statement=statement)]


def test_a_fulfilled_order_is_paid_at_the_price_accepted(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    order = deliver(benefit)
    set_price(
        offering=offering,
        price_minor=9_000,
        valid_from=world.at.date() + timedelta(days=1),
        by=STAFF,
        at=world.at,
    )
    later = world.at + timedelta(days=1)
    world.at = later
    dearer = deliver(benefit)
    world.order(benefit)  # offered only: on no statement
    (statement,) = settle()
    lines = queries.list_lines(statement=statement)
    assert [(line.order, line.amount_minor) for line in lines] == [
        (order.number, 5_000),
        (dearer.number, 9_000),
    ]
    assert (statement.state, statement.orders, statement.total_minor) == ("draft", 2, 14_000)
    assert (statement.service_minor, statement.booked_minor) == (14_000, 14_000)
    assert statement.number == f"202603-{offering.partner.code}"
    assert broken() == []


def test_made_again_nothing_changes(world: World, deliver: Callable[..., FulfilmentOrder]) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    deliver(benefit)
    (first,) = settle()
    (again,) = settle(APRIL_2 + timedelta(days=3))
    assert (again.pk, again.total_minor, again.computed_at) == (first.pk, 5_000, APRIL_2)
    assert StatementLine.objects.count() == 1


def test_an_open_month_is_refused(world: World, deliver: Callable[..., FulfilmentOrder]) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    deliver(benefit)
    # 31 March 23:59 in Shanghai, a minute before the month is over there.
    with pytest.raises(OpenMonthError) as refused:
        settle(datetime(2026, 3, 31, 15, 59, tzinfo=UTC))
    assert refused.value.data == {"month": "2026-03", "next_date": date(2026, 4, 1)}
    assert Statement.objects.count() == 0
    assert len(settle(datetime(2026, 3, 31, 16, 0, tzinfo=UTC))) == 1


def test_what_closes_after_midnight_is_on_the_next_statement(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    inside = deliver(benefit, at=datetime(2026, 3, 31, 15, 59, tzinfo=UTC))
    after = deliver(benefit, at=datetime(2026, 3, 31, 16, 0, tzinfo=UTC))
    (march,) = settle()
    (april,) = settle(datetime(2026, 5, 1, 4, tzinfo=UTC), date(2026, 4, 1))
    assert [line.order for line in queries.list_lines(statement=march)] == [inside.number]
    assert [line.order for line in queries.list_lines(statement=april)] == [after.number]
    assert broken() == []


def test_an_order_cannot_be_on_two_statements(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    order = deliver(benefit)
    (statement,) = settle()
    with pytest.raises(DatabaseError), transaction.atomic():
        StatementLine.objects.create(
            statement=statement,
            kind="service",
            amount_minor=5_000,
            order_id=order.pk,
            on_date=MARCH,
        )
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        StatementLine.objects.filter(order_id=order.pk).update(amount_minor=1)


def test_fees_penalties_and_commission_follow_the_contract(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, capacity_per_day=9)
    add_contract(
        partner=offering.partner,
        valid_from=world.at.date(),
        commission_bp=1_050,
        monthly_fee_minor=20_000,
        late_penalty_bp=1_000,
        failure_penalty_minor=700,
        cancel_fee_bp=5_000,
        cancel_notice_hours=24,
        by=STAFF,
        at=world.at,
    )
    deliver(benefit)
    late = deliver(benefit, at=world.at + timedelta(days=10))
    failed = world.order(benefit)
    orders.accept(order=failed, by=STAFF, at=world.at)
    orders.fail(order=failed, reason="no staff", by=STAFF, at=world.at)
    called_off = world.order(benefit)
    orders.accept(order=called_off, by=STAFF, at=world.at)
    soon = world.at + timedelta(hours=23)
    orders.schedule(order=called_off, when=soon, by=STAFF, at=world.at)
    orders.cancel(order=called_off, reason="moved", by=STAFF, at=world.at)
    in_time = world.order(benefit)
    orders.accept(order=in_time, by=STAFF, at=world.at)
    orders.schedule(order=in_time, when=world.at + timedelta(hours=25), by=STAFF, at=world.at)
    orders.cancel(order=in_time, reason="moved", by=STAFF, at=world.at)
    (statement,) = settle()
    assert sorted(amounts(statement)) == [
        ("cancel_fee", 2_500),
        ("commission", -1_050),  # 10.5 % of 10,000
        ("failure_penalty", -700),
        ("late_penalty", -500),
        ("monthly_fee", 20_000),
        ("service", 5_000),
        ("service", 5_000),
    ]
    assert statement.total_minor == 10_000 + 22_500 - 1_200 - 1_050
    assert OrderCharge.objects.get(order_id=late.pk).amount_minor == -500
    assert broken() == []


def test_the_way_to_paid(world: World, deliver: Callable[..., FulfilmentOrder]) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    deliver(benefit)
    (statement,) = settle()
    partner_id = offering.partner_id
    with pytest.raises(StatementNotFoundError):  # a draft is the brand's own
        queries.get_statement(number=statement.number, partner_id=partner_id)
    with pytest.raises(StatementStateError):
        operations.approve(statement=statement, by=FINANCE, at=APRIL_2)
    sent = operations.send(statement=statement, by=STAFF, at=APRIL_2)
    assert (sent.state, sent.objection_until_on) == ("sent", date(2026, 4, 12))
    with pytest.raises(StatementFourEyesError):
        operations.approve(statement=statement, by=STAFF, at=APRIL_2)
    with pytest.raises(ObjectionOpenError) as refused:
        operations.approve(statement=statement, by=FINANCE, at=APRIL_2)
    assert refused.value.data == {"next_date": date(2026, 4, 13)}
    operations.agree(statement=sent, partner_id=partner_id, by=by(partner_id), at=APRIL_2)
    approved = operations.approve(statement=statement, by=FINANCE, at=APRIL_2)
    assert (approved.state, approved.due_on) == ("approved", date(2026, 5, 2))
    with pytest.raises(InvalidSettlementError):
        operations.mark_paid(
            statement=approved, reference=" ", paid_on=APRIL_2.date(), by=FINANCE, at=APRIL_2
        )
    with pytest.raises(InvalidSettlementError):
        operations.mark_paid(
            statement=approved, reference="T1", paid_on=date(2026, 4, 3), by=FINANCE, at=APRIL_2
        )
    paid = operations.mark_paid(
        statement=approved, reference="T1", paid_on=APRIL_2.date(), by=FINANCE, at=APRIL_2
    )
    again = operations.mark_paid(
        statement=approved, reference="T1", paid_on=APRIL_2.date(), by=FINANCE, at=APRIL_2
    )
    assert (paid.state, paid.paid_reference, again.version) == ("paid", "T1", paid.version)
    told = Event.objects.filter(subject=f"statement:{statement.number}").order_by("id")
    assert [event.type for event in told] == [
        "statement.sent",
        "statement.agreed",
        "statement.approved",
        "statement.paid",
    ]
    assert told[0].data["partner_id"] == partner_id


def test_silence_is_agreement_once_the_time_is_over(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    deliver(benefit)
    (statement,) = settle()
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    late = APRIL_2 + timedelta(days=11)
    line = queries.list_lines(statement=statement)[0]
    with pytest.raises(ObjectionOverError):
        disputes.dispute_line(
            statement=statement,
            line_id=line.id,
            partner_id=offering.partner_id,
            text="too little",
            by=by(offering.partner_id),
            at=late,
        )
    assert operations.approve(statement=statement, by=FINANCE, at=late).state == "approved"


def test_a_dispute_is_talked_over_and_upheld(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    deliver(benefit)
    (statement,) = settle()
    partner_id = offering.partner_id
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    line = queries.list_lines(statement=statement)[0]
    mine: dict[str, Any] = {
        "statement": statement,
        "line_id": line.id,
        "partner_id": partner_id,
        "by": by(partner_id),
        "at": APRIL_2,
    }
    found = disputes.dispute_line(**mine, text="We agreed on 60.", expected_minor=6_000)
    disputes.dispute_line(**mine, text="See our mail.")
    disputes.write_message(
        statement=statement, line_id=line.id, text="We look into it.", by=STAFF, at=APRIL_2
    )
    assert Statement.objects.get(pk=statement.pk).state == "disputed"
    with pytest.raises(DisputeOpenError):
        operations.agree(statement=statement, partner_id=partner_id, by=by(partner_id), at=APRIL_2)
    with pytest.raises(DisputeOpenError):
        operations.approve(statement=statement, by=FINANCE, at=APRIL_2 + timedelta(days=30))
    with pytest.raises(InvalidSettlementError):
        disputes.decide(
            statement=statement,
            line_id=line.id,
            granted_minor=5_000,
            text="No change",
            by=FINANCE,
            at=APRIL_2,
        )
    disputes.decide(
        statement=statement,
        line_id=line.id,
        granted_minor=5_800,
        text="58 it is.",
        by=FINANCE,
        at=APRIL_2,
    )
    with pytest.raises(DisputeDecidedError):
        disputes.dispute_line(**mine, text="And yet.")
    statement.refresh_from_db()
    assert (statement.state, statement.total_minor, statement.corrections_minor) == (
        "disputed",
        5_800,
        800,
    )
    assert amounts(statement) == [("service", 5_000), ("correction", 800)]
    assert queries.list_lines(statement=statement)[1].corrects == line.id
    thread = queries.list_messages(dispute_ids=[found.pk])[found.pk]
    assert [(message.by_kind, message.text) for message in thread] == [
        ("partner", "We agreed on 60."),
        ("partner", "See our mail."),
        ("staff", "We look into it."),
        ("staff", "58 it is."),
    ]
    operations.agree(statement=statement, partner_id=partner_id, by=by(partner_id), at=APRIL_2)
    assert operations.approve(statement=statement, by=FINANCE, at=APRIL_2).state == "approved"
    assert broken() == []


def test_a_dispute_rejected_or_withdrawn_changes_no_amount(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    deliver(benefit)
    deliver(benefit)
    (statement,) = settle()
    partner_id = offering.partner_id
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    first, second = (line.id for line in queries.list_lines(statement=statement))
    for line_id in (first, second):
        disputes.dispute_line(
            statement=statement,
            line_id=line_id,
            partner_id=partner_id,
            text="No",
            by=by(partner_id),
            at=APRIL_2,
        )
    disputes.decide(
        statement=statement,
        line_id=first,
        granted_minor=None,
        text="As agreed",
        by=STAFF,
        at=APRIL_2,
    )
    disputes.withdraw(
        statement=statement,
        line_id=second,
        partner_id=partner_id,
        by=by(partner_id),
        at=APRIL_2,
    )
    statement.refresh_from_db()
    assert (statement.total_minor, statement.state) == (10_000, "disputed")
    states = LineDispute.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["rejected", "withdrawn"]


def test_partners_reach_only_their_own(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    stranger = world.partner("stranger")
    deliver(benefit)
    (statement,) = settle()
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    line = queries.list_lines(statement=statement)[0]
    facts: dict[str, Any] = {"partner_id": stranger.pk, "by": by(stranger.pk), "at": APRIL_2}
    with pytest.raises(StatementNotFoundError):
        operations.agree(statement=statement, **facts)
    with pytest.raises(StatementNotFoundError):
        disputes.dispute_line(statement=statement, line_id=line.id, text="mine", **facts)
    mine = {**facts, "partner_id": statement.partner_id}
    with pytest.raises(LineNotFoundError):
        disputes.dispute_line(statement=statement, line_id=line.id + 1, text="mine", **mine)
    with pytest.raises(StatementVersionError):
        operations.agree(statement=statement, if_version=1, **mine)
    statement.refresh_from_db()
    assert (statement.state, statement.agreed_at, DisputeMessage.objects.count()) == (
        "sent",
        None,
        0,
    )


def test_late_corrections_go_to_the_next_statement(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    deliver(benefit)
    (march,) = settle()
    line = StatementLine.objects.get()
    key = uuid7()
    for _ in range(3):
        operations.correct(
            partner=offering.partner,
            amount_minor=-1_200,
            reason="Paid twice by hand",
            key=key,
            line=line,
            by=FINANCE,
            at=APRIL_2,
        )
    assert [row.amount_minor for row in queries.list_waiting_corrections()] == [-1_200]
    (april,) = settle(datetime(2026, 5, 1, 4, tzinfo=UTC), date(2026, 4, 1))
    march.refresh_from_db()
    assert (march.total_minor, april.total_minor, april.orders) == (5_000, -1_200, 0)
    assert queries.list_waiting_corrections() == []
    assert broken() == []


def test_approval_books_extras_once_and_prices_never_again(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    made = budget.create_budget(
        name="2026",
        starts_on=date(2026, 1, 1),
        ends_on=date(2027, 1, 1),
        total_minor=1_000_000,
        by=STAFF,
        at=world.at,
    )
    line = budget.add_line(
        budget=made, code="care", name="Care", kind="benefit", target_id=benefit.pk,
        by=STAFF, at=world.at,
    )  # fmt: skip
    budget.plan(line=line, amount_minor=500_000, key=uuid7(), by=STAFF, at=world.at)
    add_contract(
        partner=offering.partner,
        valid_from=world.at.date(),
        cancel_fee_bp=2_000,
        by=STAFF,
        at=world.at,
    )
    deliver(benefit)
    called_off = world.order(benefit)
    orders.accept(order=called_off, by=STAFF, at=world.at)
    orders.schedule(order=called_off, when=world.at + timedelta(hours=1), by=STAFF, at=world.at)
    orders.cancel(order=called_off, reason="x", by=STAFF, at=world.at)
    spent = BudgetEntry.objects.filter(kind="spend").values_list("source_type", "amount_minor")
    assert list(spent) == [("redemption", 5_300)]  # price and unit cost, at fulfilment
    (statement,) = settle()
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    operations.agree(
        statement=statement, partner_id=offering.partner_id, by=by(offering.partner_id), at=APRIL_2
    )
    for _ in range(3):
        approved = operations.approve(statement=statement, by=FINANCE, at=APRIL_2)
    assert (approved.total_minor, approved.booked_minor, approved.extra_booked_minor) == (
        6_000,
        5_000,
        1_000,
    )
    assert sorted(spent.all()) == [("redemption", 5_300), ("statement", 1_000)]
    assert broken() == []


def test_money_paid_ahead_covers_statements_until_it_is_used_up(
    world: World, deliver: Callable[..., FulfilmentOrder]
) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    partner = offering.partner
    add_contract(
        partner=partner, valid_from=world.at.date(), low_float_minor=3_000, by=STAFF, at=world.at
    )
    key = uuid7()
    for _ in range(2):
        prepaid.buy_pack(
            partner=partner, amount_minor=7_000, reference="P1", key=key, by=FINANCE, at=world.at
        )
    (before,) = prepaid.list_floats(at=world.at)
    assert (before.left, before.free, before.is_low) == (7_000, 7_000, False)
    deliver(benefit)
    (during,) = prepaid.list_floats(at=world.at)
    assert (during.left, during.free, during.is_low) == (7_000, 2_000, True)
    assert prepaid.tell_low_floats(at=world.at) == 1
    deliver(benefit)
    (statement,) = settle()
    operations.send(statement=statement, by=STAFF, at=APRIL_2)
    operations.agree(statement=statement, partner_id=partner.pk, by=by(partner.pk), at=APRIL_2)
    approved = operations.approve(statement=statement, by=FINANCE, at=APRIL_2)
    assert (approved.total_minor, approved.prepaid_minor, approved.to_pay_minor) == (
        10_000,
        7_000,
        3_000,
    )
    with pytest.raises(NothingLeftError):
        prepaid.refund(
            partner=partner,
            amount_minor=1,
            reference="back",
            key=uuid7(),
            by=FINANCE,
            at=APRIL_2,
        )
    assert PrepaidEntry.objects.count() == 2
    assert broken() == []


def test_nothing_due_makes_no_statement(world: World) -> None:
    world.partner()
    assert settle() == []
    assert Partner.objects.count() == 1
