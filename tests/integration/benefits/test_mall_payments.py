"""The cash part of orders: signed notices, payment by hand, money that has to go back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.models import PoolCode
from benefits.mall import operations as mall
from benefits.mall.models import MallOrder, StockRow
from benefits.mall.payments import operations as payments
from benefits.mall.payments.errors import (
    BadNoticeError,
    NoRefundDueError,
    NothingToPayError,
    ReferenceTakenError,
    UnknownPaymentError,
    UnknownProviderError,
    WrongAmountError,
)
from benefits.mall.payments.models import MallPayment
from benefits.mall.payments.queries import get_payment, list_payments, open_way
from benefits.mall.payments.testing import sign_notice
from core.errors import InvalidError
from core.ids import uuid7
from members.points.operations import release_expired_holds
from tests.integration.benefits.world import STAFF, World, acting, event_types, problems

State = MallPayment.State


@pytest.fixture
def now() -> datetime:
    """Return the real time: the library that checks signatures reads the clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def at(now: datetime) -> datetime:
    return now


@pytest.fixture
def secret(world: World) -> str:
    """Switch the TEST way of paying on."""
    return payments.open_account(provider="test", by=STAFF, at=world.at).secret


def order_to_pay(world: World, **facts: Any) -> MallOrder:
    """Return an order of a member that waits for 9.90."""
    member = world.member()
    world.points(member, 100)
    return world.order(member, world.item(**{"points": 40, "cash_minor": 990, **facts}))


def start(world: World, order: MallOrder) -> MallPayment:
    return payments.start_payment(
        order=order, provider="test", by=acting(order.member), at=world.at
    )


def notify(payment: MallPayment, secret: str, at: datetime, *, is_paid: bool = True) -> Any:
    headers, body = sign_notice(payment=payment, is_paid=is_paid, secret=secret, at=at)
    return payments.receive_notice(provider="test", headers=headers, body=body, at=at)


def test_a_signed_notice_confirms_the_order_once(world: World, secret: str) -> None:
    order = order_to_pay(world)
    assert order.hold_ends_at == world.at + timedelta(minutes=30)
    payment = start(world, order)
    assert start(world, order).pk == payment.pk
    assert (payment.amount_minor, payment.currency, payment.state) == (990, "CNY", "pending")

    results = [notify(payment, secret, world.at) for _time in range(3)]

    assert {result.state for result in results} == {State.PAID}
    order.refresh_from_db()
    assert (order.state, world.balance(order.member)) == ("confirmed", (60, 0))
    assert event_types(f"mall_order:{order.pk}") == [
        "mall_order.placed",
        "mall_payment.paid",
        "mall_order.confirmed",
    ]
    assert problems() == []


def test_a_notice_is_refused_unless_the_provider_signed_it(world: World, secret: str) -> None:
    order = order_to_pay(world)
    payment = start(world, order)
    headers, body = sign_notice(payment=payment, is_paid=True, secret=secret, at=world.at)
    old, old_body = sign_notice(
        payment=payment, is_paid=True, secret=secret, at=world.at - timedelta(minutes=10)
    )
    other = "whsec_" + "A" * 32
    forged, forged_body = sign_notice(payment=payment, is_paid=True, secret=other, at=world.at)
    changed = body.replace(b"990", b"991")
    for bad_headers, bad_body in (
        ({}, body),
        (headers, changed),
        (old, old_body),
        (forged, forged_body),
        (headers, b"{"),
    ):
        with pytest.raises(BadNoticeError):
            payments.receive_notice(
                provider="test", headers=bad_headers, body=bad_body, at=world.at
            )
    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.state, world.balance(order.member)) == (
        "pending",
        "placed",
        (60, 40),
    )


def test_a_notice_of_another_amount_or_payment_is_refused(world: World, secret: str) -> None:
    order = order_to_pay(world)
    payment = start(world, order)
    payment.amount_minor = 1
    with pytest.raises(WrongAmountError) as refused:
        notify(payment, secret, world.at)
    assert refused.value.data == {
        "expected_minor": 990,
        "expected_currency": "CNY",
        "amount_minor": 1,
        "currency": "CNY",
    }
    payment.key = uuid7()
    with pytest.raises(UnknownPaymentError):
        notify(payment, secret, world.at)
    with pytest.raises(UnknownProviderError):
        payments.receive_notice(provider="gold", headers={}, body=b"", at=world.at)
    order.refresh_from_db()
    assert order.state == "placed"


def test_a_failed_payment_can_be_tried_again(world: World, secret: str) -> None:
    order = order_to_pay(world)
    first = start(world, order)
    assert notify(first, secret, world.at, is_paid=False).state == State.FAILED
    second = start(world, order)
    assert second.pk != first.pk
    notify(second, secret, world.at)
    # The first one came in all the same: it is money of the member.
    assert notify(first, secret, world.at).state == State.REFUND_DUE
    assert [p.state for p in list_payments(order=order)] == ["refund_due", "paid"]
    assert problems() == []


def test_an_unpaid_order_ends_and_gives_everything_back(
    world: World, secret: str, run: Callable[..., Any]
) -> None:
    order = order_to_pay(world)
    payment = start(world, order)
    late = order.hold_ends_at

    assert run("mall.expire_orders", at=late) == {"cancelled": 1}

    order.refresh_from_db()
    payment.refresh_from_db()
    assert (order.state, order.reason, payment.state) == (
        "cancelled",
        "not_paid_in_time",
        "failed",
    )
    assert world.balance(order.member) == (100, 0)
    assert StockRow.objects.get().held == 0
    # Money that comes now goes back.
    assert notify(payment, secret, world.at).state == State.REFUND_DUE
    assert problems() == []


def test_money_that_comes_when_the_points_are_back_goes_back_too(world: World, secret: str) -> None:
    order = order_to_pay(world)
    payment = start(world, order)
    late = order.hold_ends_at
    assert release_expired_holds(at=late, limit=10) == 1

    headers, body = sign_notice(payment=payment, is_paid=True, secret=secret, at=world.at)
    done = payments.receive_notice(provider="test", headers=headers, body=body, at=late)

    order.refresh_from_db()
    assert (done.state, order.state) == (State.REFUND_DUE, "cancelled")
    assert problems() == []


def test_a_refunded_order_sends_its_cash_back(
    world: World, secret: str, run: Callable[..., Any]
) -> None:
    order = order_to_pay(world)
    payment = start(world, order)
    notify(payment, secret, world.at)
    order.refresh_from_db()
    mall.cancel_order(order=order, by=STAFF, at=world.at, reason="broken")
    payment.refresh_from_db()
    assert payment.state == State.REFUND_DUE

    results = [run("mall.refund_payments", at=world.at) for _time in range(3)]

    assert results == [{"refunded": 1}, {"refunded": 0}, {"refunded": 0}]
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_by) == (State.REFUNDED, "system")
    assert payment.refund_reference.startswith("test-refund-")
    assert world.balance(order.member) == (100, 0)
    assert problems() == []


def test_staff_mark_cash_as_paid_and_as_given_back(world: World, run: Callable[..., Any]) -> None:
    order = order_to_pay(world)
    with pytest.raises(InvalidError) as silent:
        payments.record_payment(order=order, reference=" ", by=STAFF, at=world.at)
    assert silent.value.data == {"pointer": "/reference"}
    payment = payments.record_payment(order=order, reference="R-7", by=STAFF, at=world.at)
    order.refresh_from_db()
    assert (payment.state, payment.paid_by, order.state) == ("paid", "staff:7", "confirmed")
    with pytest.raises(NothingToPayError) as again:
        payments.record_payment(order=order, reference="R-8", by=STAFF, at=world.at)
    assert again.value.data == {"state": "confirmed"}
    with pytest.raises(ReferenceTakenError):
        payments.record_payment(order=order_to_pay(world), reference="R-7", by=STAFF, at=world.at)
    with pytest.raises(NoRefundDueError):
        payments.record_refund(payment=payment, reference="B-1", by=STAFF, at=world.at)

    mall.cancel_order(order=order, by=STAFF, at=world.at, reason="regret")
    # What staff took, no provider can send back.
    assert run("mall.refund_payments", at=world.at) == {"refunded": 0}
    for _time in range(2):
        done = payments.record_refund(payment=payment, reference="B-1", by=STAFF, at=world.at)
    assert (done.state, done.refund_reference, done.refunded_by) == ("refunded", "B-1", "staff:7")
    assert problems() == []


def test_codes_are_set_aside_until_the_cash_is_there(world: World, secret: str) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["A"], by=STAFF, at=world.at)
    facts = {"kind": "code", "code_pool": pool, "stock": None}
    order = order_to_pay(world, **facts)
    assert (order.codes, PoolCode.objects.get().taken_for) == ([], f"mall_hold:{order.pk}")
    mall.cancel_order(order=order, by=acting(order.member), at=world.at)
    assert PoolCode.objects.get().taken_at is None

    second = order_to_pay(world, **facts)
    notify(start(world, second), secret, world.at)
    second.refresh_from_db()
    assert (second.state, second.codes) == ("completed", ["A"])
    mall.cancel_order(order=second, by=STAFF, at=world.at, reason="regret")
    # A code of a cancelled order was seen: it is never handed out again.
    assert PoolCode.objects.get().taken_for == f"mall_order:{second.pk}"
    assert problems() == []


def test_there_is_nothing_to_pay_without_a_cash_part(world: World, secret: str) -> None:
    order = order_to_pay(world, cash_minor=0)
    with pytest.raises(NothingToPayError):
        start(world, order)
    assert not MallPayment.objects.exists()


def test_ways_of_paying_are_switched_on_and_off(world: World) -> None:
    assert open_way() == ""
    order = order_to_pay(world)
    with pytest.raises(UnknownProviderError):
        start(world, order)
    first = payments.open_account(provider="test", by=STAFF, at=world.at)
    assert open_way() == "test"
    payment = start(world, order)
    payments.close_account(provider="test", by=STAFF, at=world.at)
    assert open_way() == ""
    # What is under way still counts.
    assert notify(payment, first.secret, world.at).state == State.PAID
    assert payments.open_account(provider="test", by=STAFF, at=world.at).secret == first.secret
    with pytest.raises(UnknownPaymentError):
        get_payment(key=payment.key, member=world.member())
    assert (
        json.loads(sign_notice(payment=payment, is_paid=True, secret=first.secret, at=world.at)[1])[
            "amount_minor"
        ]
        == 990
    )
