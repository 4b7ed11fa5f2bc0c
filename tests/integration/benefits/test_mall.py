"""Orders of the mall: points and stock together, states, refunds to the lots they came from."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from benefits.budget.models import BudgetEntry
from benefits.cards import waiting_orders, waiting_redemptions
from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.errors import PoolEmptyError
from benefits.catalogue.models import PoolCode
from benefits.grants.models import Grant
from benefits.grants.operations import redeem
from benefits.grants.usability import Reason
from benefits.mall import operations as mall
from benefits.mall.errors import (
    AlreadyUsedError,
    InvalidItemError,
    InvalidOrderError,
    KeyReusedError,
    LimitUsedError,
    NotForYouError,
    NotOnSaleError,
    OrderStateError,
    OutOfStockError,
    PaymentDueError,
    UnknownOrderError,
)
from benefits.mall.models import MallAddress, MallItem, MallOrder, StockRow
from benefits.mall.payments.operations import record_payment
from benefits.mall.queries import get_order, list_items, list_orders
from benefits.mall.states import NEXT
from members.points.errors import InsufficientPointsError
from members.points.models import Entry, Lot
from members.points.operations import earn, release_expired_holds
from members.points.values import Source
from members.profiles.errors import BlockedMemberError
from members.profiles.operations import block_member
from tenants.events.models import Event
from tests.integration.benefits.world import (
    ADDRESS,
    STAFF,
    World,
    acting,
    event_types,
    figures,
    problems,
    some_key,
)

State = MallOrder.State


def stock(item: MallItem) -> tuple[int, int, int]:
    """Return (in, held, sold)."""
    row = StockRow.objects.get(item=item)
    return row.stock_in, row.held, row.sold


def counts() -> tuple[Any, ...]:
    """Return what a refused order must leave as it was."""
    return (
        MallOrder.objects.count(),
        MallAddress.objects.count(),
        Entry.objects.count(),
        list(StockRow.objects.order_by("pk").values_list("held", "sold")),
        Event.objects.filter(type__startswith="mall_order.").count(),
        BudgetEntry.objects.filter(kind="commit").count(),
        Grant.objects.count(),
        PoolCode.objects.filter(taken_at__isnull=False).count(),
    )


def test_an_order_holds_points_and_stock(world: World) -> None:
    member, item = world.member(), world.item(points=120, stock=5)
    world.points(member, 500)
    key = some_key()

    order = world.order(member, item, quantity=2, key=key)
    again = world.order(member, item, quantity=2, key=key)

    assert again.pk == order.pk
    assert order.number == f"O{order.pk:08d}"
    assert (order.state, order.points, order.debit_key) == ("placed", 240, None)
    assert world.balance(member) == (260, 240)
    assert stock(item) == (5, 2, 0)
    assert order.address.recipient == "Li Lei"
    assert event_types(f"mall_order:{order.pk}") == ["mall_order.placed"]
    assert problems() == []


def test_goods_go_their_way(world: World) -> None:
    line = world.line(kind="mall", code="mall")
    member = world.member()
    item = world.item(points=100, unit_cost_minor=900, budget_line=line)
    world.points(member, 100)

    order = world.order(member, item)
    assert figures(line) == (900, 0)
    order = mall.confirm_order(order=order, by=STAFF, at=world.at)
    assert (order.state, world.balance(member), stock(item)) == ("confirmed", (0, 0), (5, 0, 1))
    assert figures(line) == (900, 0)
    order = mall.ship_order(order=order, tracking="SF-1", by=STAFF, at=world.at)
    assert (order.state, order.tracking, order.cost_minor) == ("shipped", "SF-1", 900)
    assert figures(line) == (0, 900)
    order = mall.complete_order(order=order, by=STAFF, at=world.at)

    assert (order.state, order.completed_at) == ("completed", world.at)
    assert figures(line) == (0, 900)
    assert event_types(f"mall_order:{order.pk}") == [
        "mall_order.placed",
        "mall_order.confirmed",
        "mall_order.shipped",
        "mall_order.completed",
    ]
    assert problems() == []


def test_what_needs_no_hand_is_done_at_once(world: World) -> None:
    member, item = world.member(), world.item(kind="virtual", points=40, stock=1)
    world.points(member, 50)

    order = world.order(member, item)

    assert (order.state, world.balance(member), stock(item)) == ("completed", (10, 0), (1, 0, 1))
    assert mall.confirm_order(order=order, by=STAFF, at=world.at).state == "completed"
    assert problems() == []


def test_what_costs_cash_too_waits_for_the_cash(world: World) -> None:
    member = world.member()
    item = world.item(kind="virtual", points=40, cash_minor=990, stock=None)
    world.points(member, 50)

    order = world.order(member, item)
    assert (order.state, order.cash_minor, world.balance(member)) == ("placed", 990, (10, 40))

    with pytest.raises(PaymentDueError) as refused:
        mall.confirm_order(order=order, by=STAFF, at=world.at)
    assert refused.value.data == {"amount_minor": 990}
    record_payment(order=order, reference="till 7", by=STAFF, at=world.at)
    order.refresh_from_db()
    assert (order.state, world.balance(member)) == ("completed", (10, 0))
    assert problems() == []


def test_codes_are_handed_out_with_the_order(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    import_codes(pool=pool, codes=["C-1", "C-2", "C-3"], by=STAFF, at=world.at)
    item = world.item(kind="code", code_pool=pool, stock=None, points=10)
    member = world.member()
    world.points(member, 100)

    order = world.order(member, item, quantity=2)
    assert set(order.codes) <= {"C-1", "C-2", "C-3"}
    assert len(order.codes) == 2
    before = counts()
    with pytest.raises(PoolEmptyError):
        world.order(member, item, quantity=2)

    assert counts() == before
    assert world.balance(member) == (80, 0)
    assert problems() == []


def test_an_order_of_a_benefit_gives_a_right(world: World) -> None:
    member, benefit = world.member(), world.benefit(code="wash")
    item = world.item(
        kind="benefit", benefit=benefit, benefit_validity_days=90, stock=None, points=30
    )
    world.points(member, 100)

    order = world.order(member, item, quantity=2)

    grant = Grant.objects.get(member=member)
    assert (order.state, order.grant_id) == ("completed", grant.pk)
    assert (grant.quantity, grant.period_key) == (2, f"mall:{order.pk}")
    assert grant.ends_at == world.at + timedelta(days=90)
    assert grant.reason == {"code": "bought", "order": order.pk}
    assert problems() == []


def test_refunding_a_benefit_takes_it_back_unless_it_was_used(world: World) -> None:
    member, benefit = world.member(), world.benefit()
    item = world.item(kind="benefit", benefit=benefit, stock=None, points=30)
    world.points(member, 100)
    first, second = world.order(member, item), world.order(member, item)
    redeem(
        member=member,
        grant_id=first.grant_id,
        key=some_key(),
        by=acting(member),
        at=world.at,
    )
    entries = Entry.objects.count()

    with pytest.raises(AlreadyUsedError) as refused:
        mall.cancel_order(order=first, by=STAFF, at=world.at, reason="regret")
    assert refused.value.code == "already_used"
    assert Entry.objects.count() == entries
    done = mall.cancel_order(order=second, by=STAFF, at=world.at, reason="regret")

    assert done.state == "refunded"
    assert Grant.objects.get(pk=second.grant_id).revoked_at == world.at
    assert world.balance(member) == (70, 0)
    assert problems() == []


def test_cancelling_releases_points_and_stock(world: World) -> None:
    line = world.line(kind="mall", code="mall")
    member, item = world.member(), world.item(unit_cost_minor=500, budget_line=line)
    world.points(member, 100)
    order = world.order(member, item)

    done = mall.cancel_order(order=order, by=acting(member), at=world.at, reason="regret")
    events = Event.objects.count()
    again = mall.cancel_order(order=order, by=acting(member), at=world.at)

    assert (done.state, again.state) == ("cancelled", "cancelled")
    assert (world.balance(member), stock(item), figures(line)) == ((100, 0), (5, 0, 0), (0, 0))
    assert Event.objects.count() == events
    assert problems() == []


def test_a_refund_goes_back_to_the_lots_it_came_from(world: World) -> None:
    member, item = world.member(), world.item(points=130)
    for amount, days in ((100, 10), (100, 50)):
        earn(
            owner_id=member.pk,
            amount=amount,
            key=some_key(),
            at=world.at,
            source=Source("test", 1),
            expires_on=(world.at + timedelta(days=days)).date(),
        )
    lots = lambda: list(  # noqa: E731
        Lot.objects.filter(account__owner_id=member.pk)
        .order_by("expires_on")
        .values_list("expires_on", "remaining")
    )
    before = lots()
    order = world.order(member, item)
    assert [left for _day, left in lots()] == [0, 70]
    mall.confirm_order(order=order, by=STAFF, at=world.at)

    done = mall.cancel_order(order=order, by=STAFF, at=world.at, reason="broken")
    mall.cancel_order(order=order, by=STAFF, at=world.at, reason="broken")

    assert (done.state, done.restocked) == ("refunded", True)
    assert lots() == before
    assert stock(item) == (5, 0, 0)
    assert problems() == []


def test_goods_on_their_way_are_refunded_without_coming_back(world: World) -> None:
    line = world.line(kind="mall", code="mall")
    member, item = world.member(), world.item(unit_cost_minor=500, budget_line=line)
    world.points(member, 100)
    order = world.order(member, item)
    mall.confirm_order(order=order, by=STAFF, at=world.at)
    mall.ship_order(order=order, by=STAFF, at=world.at)

    done = mall.cancel_order(order=order, by=STAFF, at=world.at, reason="lost")

    assert (done.state, done.restocked, world.balance(member)) == ("refunded", False, (100, 0))
    assert (stock(item), figures(line)) == ((5, 0, 1), (0, 500))
    assert problems() == []


def test_a_member_cannot_call_off_what_is_confirmed(world: World) -> None:
    member, item = world.member(), world.item()
    world.points(member, 100)
    order = world.order(member, item)
    mall.confirm_order(order=order, by=STAFF, at=world.at)
    before = counts()

    with pytest.raises(OrderStateError) as refused:
        mall.cancel_order(order=order, by=acting(member), at=world.at)

    assert refused.value.data == {"state": "confirmed", "to": "cancelled"}
    assert counts() == before


MOVES: dict[str, Callable[[MallOrder, World], MallOrder]] = {
    State.CONFIRMED: lambda o, w: mall.confirm_order(order=o, by=STAFF, at=w.at),
    State.SHIPPED: lambda o, w: mall.ship_order(order=o, by=STAFF, at=w.at),
    State.COMPLETED: lambda o, w: mall.complete_order(order=o, by=STAFF, at=w.at),
}
WAYS: dict[str, list[str]] = {
    State.PLACED: [],
    State.CONFIRMED: [State.CONFIRMED],
    State.SHIPPED: [State.CONFIRMED, State.SHIPPED],
    State.COMPLETED: [State.CONFIRMED, State.COMPLETED],
    State.CANCELLED: ["end"],
    State.REFUNDED: [State.CONFIRMED, "end"],
}
ILLEGAL = [
    (before, after)
    for before in NEXT
    for after in MOVES
    # Confirming an order completed at once is a repeat.
    if after not in NEXT[before]
    and after != before
    and (before, after) != (State.COMPLETED, State.CONFIRMED)
]


def brought_to(world: World, state: str) -> MallOrder:
    """Return an order of goods in a state."""
    member, item = world.member(), world.item()
    world.points(member, 100)
    order = world.order(member, item)
    for step in WAYS[state]:
        if step == "end":
            order = mall.cancel_order(order=order, by=STAFF, at=world.at)
        else:
            order = MOVES[step](order, world)
    assert order.state == state
    return order


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_illegal_moves_change_nothing(world: World, before: str, after: str) -> None:
    order = brought_to(world, before)
    was = (counts(), MallOrder.objects.values().get(pk=order.pk))

    with pytest.raises(OrderStateError) as refused:
        MOVES[after](order, world)

    assert refused.value.data == {"state": before, "to": after}
    assert (counts(), MallOrder.objects.values().get(pk=order.pk)) == was


@pytest.mark.parametrize("state", [State.CONFIRMED, State.SHIPPED, State.COMPLETED])
def test_repeated_moves_change_nothing(world: World, state: str) -> None:
    order = brought_to(world, state)
    was = (counts(), MallOrder.objects.values().get(pk=order.pk))
    MOVES[state](order, world)
    assert (counts(), MallOrder.objects.values().get(pk=order.pk)) == was
    assert problems() == []


def test_an_order_refuses_what_cannot_be(world: World) -> None:
    member = world.member()
    world.points(member, 150)
    refusals: list[tuple[dict[str, Any], dict[str, Any], type[Exception], dict[str, Any]]] = [
        ({"points": 200}, {}, InsufficientPointsError, {"missing": 50}),
        ({"stock": 1}, {"quantity": 1, "_sold": 1}, OutOfStockError, {"left": 0}),
        ({"on_sale": False}, {}, NotOnSaleError, {"status": "draft", "starts_at": None}),
        (
            {"starts_at": world.at + timedelta(hours=1)},
            {},
            NotOnSaleError,
            {"status": "on_sale", "starts_at": "2026-03-15T05:00:00+00:00"},
        ),
        ({"ends_at": world.at}, {}, NotOnSaleError, {"status": "on_sale", "starts_at": None}),
        (
            {"condition": {"field": "region", "op": "=", "value": "south"}},
            {},
            NotForYouError,
            {},
        ),
        (
            {"per_member_limit": 2, "points": 10},
            {"quantity": 3},
            LimitUsedError,
            {"limit": 2, "left": 2},
        ),
        ({}, {"quantity": 0}, InvalidOrderError, {"pointer": "/quantity"}),
        (
            {},
            {"address": {"recipient": "Li", "phone": " ", "lines": "x"}},
            InvalidOrderError,
            {"pointer": "/address/phone", "longest": 40},
        ),
    ]
    for facts, wanted, error, data in refusals:
        item = world.item(**facts)
        asked = {"address": ADDRESS, **wanted}
        if asked.pop("_sold", 0):
            StockRow.objects.filter(item=item).update(sold=1)
        before = counts()
        with pytest.raises(error) as refused:
            world.order(member, item, **asked)
        assert refused.value.data == data  # type: ignore[attr-defined]
        assert counts() == before
        assert world.balance(member) == (150, 0)


def test_an_order_refuses_blocked_members_and_foreign_keys(world: World) -> None:
    member, other, item = world.member(), world.member(), world.item()
    for who in (member, other):
        world.points(who, 500)
    key = some_key()
    world.order(member, item, key=key)
    before = counts()

    for who, what, quantity in ((other, item, 1), (member, world.item(), 1), (member, item, 2)):
        with pytest.raises(KeyReusedError):
            world.order(who, what, key=key, quantity=quantity)
    block_member(member=other, reason="fraud", by=STAFF, at=world.at)
    other.refresh_from_db()
    with pytest.raises(BlockedMemberError):
        world.order(other, item)

    # The second item made its own stock row.
    assert counts()[:3] == before[:3]
    assert stock(item) == (5, 1, 0)


def test_the_limit_counts_what_is_not_called_off(world: World) -> None:
    member, item = world.member(), world.item(points=10, per_member_limit=3)
    world.points(member, 500)
    first = world.order(member, item, quantity=2)
    with pytest.raises(LimitUsedError) as refused:
        world.order(member, item, quantity=2)
    assert refused.value.data == {"limit": 3, "left": 1}
    mall.cancel_order(order=first, by=STAFF, at=world.at)

    world.order(member, item, quantity=3)

    assert stock(item) == (5, 3, 0)
    assert problems() == []


def test_the_job_cancels_what_nobody_confirmed(world: World, run: Callable[..., Any]) -> None:
    member, item = world.member(), world.item()
    world.points(member, 300)
    waiting, released, confirmed = (world.order(member, item) for _time in range(3))
    mall.confirm_order(order=confirmed, by=STAFF, at=world.at)
    late = waiting.hold_ends_at
    # The ledger's own job may come first.
    assert release_expired_holds(at=late, limit=1) == 1

    results = [
        run("mall.expire_orders", at=when) for when in (late - timedelta(seconds=1), late, late)
    ]

    assert results == [{"cancelled": 0}, {"cancelled": 2}, {"cancelled": 0}]
    assert [
        MallOrder.objects.get(pk=order.pk).state for order in (waiting, released, confirmed)
    ] == ["cancelled", "cancelled", "confirmed"]
    assert (world.balance(member), stock(item)) == ((200, 0), (5, 0, 1))
    assert problems() == []


def test_the_mall_shows_what_can_be_had_and_why_not(
    world: World, django_assert_max_num_queries: Any
) -> None:
    member = world.member()
    world.points(member, 100)
    world.item(code="fine", points=50, stock=3)
    world.item(code="dear", points=130)
    world.item(code="gone", points=20, stock=0)
    world.item(code="soon", points=30, starts_at=world.at + timedelta(days=1))
    world.item(code="paused", on_sale=False)
    world.item(code="others", condition={"field": "region", "op": "=", "value": "south"}, points=10)
    limited = world.item(code="once", points=10, per_member_limit=1, stock=None, kind="virtual")
    world.order(member, limited)

    with django_assert_max_num_queries(5):
        found = list_items(member=member, at=world.at, lang="en")

    assert [(offer.item.code, offer.available, offer.reasons) for offer in found] == [
        ("once", False, [Reason("limit_used", {"limit": 1, "left": 0})]),
        ("gone", False, [Reason("out_of_stock")]),
        (
            "soon",
            False,
            [Reason("not_yet_started", {"starts_at": world.at + timedelta(days=1)})],
        ),
        ("fine", True, []),
        ("dear", False, [Reason("insufficient_points", {"missing": 40})]),
    ]
    by_code = {offer.item.code: offer for offer in found}
    assert (by_code["fine"].stock_left, by_code["once"].stock_left) == (3, None)
    assert (by_code["fine"].limit_left, by_code["once"].limit_left) == (None, 0)


def test_orders_are_found_by_their_member_only(world: World) -> None:
    member, other, item = world.member(), world.member(), world.item()
    world.points(member, 300)
    orders = [world.order(member, item) for _time in range(3)]

    assert get_order(number=orders[0].number.lower(), member=member).pk == orders[0].pk
    with pytest.raises(UnknownOrderError):
        get_order(id=orders[0].pk, member=other)
    page = list_orders(member=member, limit=2)
    rest = list_orders(member=member, after=page[-1].pk)
    assert [order.pk for order in (*page, *rest)] == [order.pk for order in reversed(orders)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"points": 0}, "/points"),
        ({"kind": "car"}, "/kind"),
        ({"name": {}}, "/name"),
        ({"stock": -1}, "/stock"),
        ({"cash_minor": -1}, "/cash_minor"),
        ({"kind": "code"}, "/code_pool"),
        ({"kind": "benefit"}, "/benefit"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_items_refuse_wrong_values(world: World, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidItemError) as refused:
        world.item(**changes)
    assert refused.value.data["pointer"] == pointer
    assert not MallItem.objects.exists()


def test_stock_is_added_and_status_changed(world: World) -> None:
    item = world.item(stock=2)
    mall.add_stock(item=item, quantity=3, by=STAFF, at=world.at)
    assert stock(item) == (5, 0, 0)
    assert mall.set_item_status(item=item, status="paused", by=STAFF, at=world.at).status == (
        "paused"
    )
    with pytest.raises(InvalidItemError):
        mall.add_stock(item=world.item(stock=None), quantity=1, by=STAFF, at=world.at)


def test_what_waits_for_staff_is_on_the_list(world: World) -> None:
    assert [*waiting_redemptions(world.at), *waiting_orders(world.at)] == []
    world.redemption()
    world.redemption(kind="partner_service", channel="partner")
    member, item = world.member(), world.item()
    world.points(member, 300)
    orders = [world.order(member, item) for _time in range(2)]
    mall.confirm_order(order=orders[0], by=STAFF, at=world.at)

    (redemptions,), (under_way,) = waiting_redemptions(world.at), waiting_orders(world.at)

    assert (redemptions.kind, redemptions.count) == ("redemptions", 1)
    assert (under_way.kind, under_way.count) == ("mall_orders", 2)
    assert str(under_way.text) == "2 mall orders are under way"
