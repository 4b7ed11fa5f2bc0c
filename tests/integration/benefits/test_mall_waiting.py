"""The waiting list: places in order, units kept for them, what happens when they lapse."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.models import PoolCode
from benefits.mall import operations as mall
from benefits.mall.errors import (
    InvalidOrderError,
    NotForYouError,
    OutOfStockError,
    StillInStockError,
    UnknownWaitingError,
)
from benefits.mall.handlers import offer_new_codes
from benefits.mall.models import MallItem, MallOrder, StockRow, WaitingEntry
from benefits.mall.queries import count_free, get_waiting, list_items, list_my_waiting
from members.profiles.models import Member
from members.profiles.operations import block_member
from tenants.events.models import Event
from tests.integration.benefits.world import STAFF, World, acting, problems

State = WaitingEntry.State


def buyer(world: World) -> Member:
    """Return a member with points."""
    member = world.member()
    world.points(member, 1_000)
    return member


def wait(world: World, member: Member, item: MallItem, **facts: Any) -> WaitingEntry:
    """Join the waiting list."""
    return mall.join_waiting_list(member=member, item=item, by=acting(member), at=world.at, **facts)


def states(item: MallItem) -> list[str]:
    """Return the state of each place in the order of joining."""
    rows = WaitingEntry.objects.filter(item=item).order_by("pk")
    return list(rows.values_list("state", flat=True))


@pytest.fixture(params=[False, True], ids=["counter", "unit rows"])
def sold_out(world: World, request: Any) -> tuple[MallItem, MallOrder]:
    """Return an item whose only unit an order holds, for both kinds of stock."""
    item = world.item(stock=1, points=10, unit_rows=request.param)
    return item, world.order(buyer(world), item)


def test_what_comes_back_is_kept_for_the_first(
    world: World, sold_out: tuple[MallItem, MallOrder]
) -> None:
    item, order = sold_out
    first, second, stranger = (buyer(world) for _one in range(3))
    place = wait(world, first, item)
    assert wait(world, first, item).pk == place.pk
    wait(world, second, item)
    assert [entry.ahead for entry in list_my_waiting(member=second, at=world.at)] == [1]

    mall.cancel_order(order=order, by=STAFF, at=world.at)

    assert states(item) == ["offered", "waiting"]
    place.refresh_from_db()
    assert place.offer_ends_at == world.at + timedelta(hours=24)
    assert count_free(item=item) == 0
    for member in (second, stranger):
        with pytest.raises(OutOfStockError):
            world.order(member, item)
    (seen,) = list_items(member=first, at=world.at, lang="en")
    assert (seen.available, seen.stock_left) == (True, 0)
    bought = world.order(first, item)
    place.refresh_from_db()
    assert (place.state, place.order_id) == (State.ORDERED, bought.pk)
    told = Event.objects.filter(type__startswith="mall_waiting.").order_by("pk")
    assert [event.type for event in told] == [
        "mall_waiting.joined",
        "mall_waiting.joined",
        "mall_waiting.offered",
    ]
    assert problems() == []


def test_an_offer_lapses_to_the_next(
    world: World, sold_out: tuple[MallItem, MallOrder], run: Callable[..., Any]
) -> None:
    item, order = sold_out
    first, second = buyer(world), buyer(world)
    wait(world, first, item)
    wait(world, second, item)
    mall.cancel_order(order=order, by=STAFF, at=world.at)
    late = world.at + timedelta(hours=24)

    results = [run("mall.lapse_offers", at=at) for at in (late - timedelta(seconds=1), late, late)]

    assert results == [{"lapsed": 0}, {"lapsed": 1}, {"lapsed": 0}]
    assert states(item) == ["lapsed", "offered"]
    with pytest.raises(OutOfStockError):
        world.order(first, item, at=late)
    world.order(second, item, at=late)
    assert states(item) == ["lapsed", "ordered"]
    assert problems() == []


def test_leaving_passes_the_unit_on(world: World, sold_out: tuple[MallItem, MallOrder]) -> None:
    item, order = sold_out
    first, second = buyer(world), buyer(world)
    place = wait(world, first, item)
    other = wait(world, second, item)
    mall.cancel_order(order=order, by=STAFF, at=world.at)

    with pytest.raises(UnknownWaitingError):
        mall.leave_waiting_list(entry=other, by=acting(first), at=world.at)
    for _time in range(2):
        mall.leave_waiting_list(entry=place, by=acting(first), at=world.at)
    assert states(item) == ["left", "offered"]
    mall.leave_waiting_list(entry=other, by=acting(second), at=world.at)

    assert states(item) == ["left", "left"]
    assert count_free(item=item) == 1
    with pytest.raises(UnknownWaitingError):
        get_waiting(entry_id=other.pk, member=first)
    assert problems() == []


def test_new_stock_goes_to_as_many_as_it_reaches(
    world: World, sold_out: tuple[MallItem, MallOrder]
) -> None:
    item, _order = sold_out
    members = [buyer(world) for _one in range(4)]
    places = [wait(world, member, item) for member in members]
    block_member(member=members[1], reason="fraud", by=STAFF, at=world.at)

    mall.add_stock(item=item, quantity=2, by=STAFF, at=world.at)
    assert states(item) == ["offered", "waiting", "offered", "waiting"]
    mall.add_stock(item=item, quantity=5, by=STAFF, at=world.at)

    assert states(item) == ["offered", "waiting", "offered", "offered"]
    assert count_free(item=item) == 4
    assert len(places) == 4
    # More than the one kept for them.
    world.order(members[0], item, quantity=3)
    assert count_free(item=item) == 2
    assert problems() == []


def test_there_is_nothing_to_wait_for_while_there_is_stock(world: World) -> None:
    member = buyer(world)
    refusals: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"stock": 1}, StillInStockError),
        ({"stock": None}, StillInStockError),
        (
            {"stock": 0, "condition": {"field": "region", "op": "=", "value": "south"}},
            NotForYouError,
        ),
    ]
    for facts, error in refusals:
        with pytest.raises(error):
            wait(world, member, world.item(**facts))
    assert not WaitingEntry.objects.exists()


def test_variants_are_waited_for_apart(world: World) -> None:
    item = world.item(stock=None, points=10)
    red = mall.add_variant(
        item=item, code="red", name={"en": "Red"}, stock=0, by=STAFF, at=world.at
    )
    blue = mall.add_variant(
        item=item, code="blue", name={"en": "Blue"}, stock=0, by=STAFF, at=world.at
    )
    member = buyer(world)
    with pytest.raises(InvalidOrderError):
        wait(world, member, item)
    wait(world, member, item, variant=red)
    wait(world, member, item, variant=blue)

    mall.add_stock(item=item, variant=blue, quantity=1, by=STAFF, at=world.at)

    assert states(item) == ["waiting", "offered"]
    world.order(member, item, variant=blue)
    with pytest.raises(OutOfStockError):
        world.order(member, item, variant=red)
    assert problems() == []


def test_codes_are_kept_for_those_who_wait(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    item = world.item(kind="code", code_pool=pool, stock=None, points=10)
    first, second = buyer(world), buyer(world)
    place = wait(world, first, item)
    wait(world, second, item)
    import_codes(pool=pool, codes=["A"], by=STAFF, at=world.at)

    offer_new_codes(Event.objects.get(type="code_pool.filled"))

    assert states(item) == ["offered", "waiting"]
    assert PoolCode.objects.get().taken_for == f"mall_waiting:{place.pk}"
    assert world.order(first, item).codes == ["A"]
    assert problems() == []


def test_a_kept_code_that_nobody_saw_is_free_again(world: World) -> None:
    pool = create_pool(code="cinema", name="Cinema", by=STAFF, at=world.at)
    item = world.item(kind="code", code_pool=pool, stock=None, points=10)
    place = wait(world, buyer(world), item)
    import_codes(pool=pool, codes=["A"], by=STAFF, at=world.at)
    offer_new_codes(Event.objects.get(type="code_pool.filled"))

    mall.leave_waiting_list(entry=place, by=STAFF, at=world.at)

    assert PoolCode.objects.get().taken_at is None
    assert StockRow.objects.count() == 0
    assert problems() == []
