"""Variants with stock of their own, units that are rows, and what comes in and goes out."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from benefits.mall import operations as mall
from benefits.mall.errors import (
    InvalidItemError,
    InvalidOrderError,
    OutOfStockError,
    StockInUseError,
    VariantCodeTakenError,
)
from benefits.mall.models import (
    ItemVariant,
    MallItem,
    MallOrder,
    StockMovement,
    StockRow,
    StockUnit,
    VariantStock,
)
from benefits.mall.queries import count_free, get_variant, list_items, list_stock
from members.points.models import Entry
from tests.integration.benefits.world import STAFF, World, problems


def variant(world: World, item: MallItem, code: str, stock: int | None, **facts: Any) -> Any:
    """Add a variant."""
    return mall.add_variant(
        item=item,
        code=code,
        name={"en": code.upper(), "zh-hans": code},
        stock=stock,
        by=STAFF,
        at=world.at,
        **facts,
    )


def shirt(world: World) -> tuple[MallItem, ItemVariant, ItemVariant]:
    """Return a shirt in two sizes: two of S, one of L, which costs more."""
    item = world.item(code="shirt", stock=None, points=100)
    return item, variant(world, item, "s", 2), variant(world, item, "l", 1, extra_points=30)


def movements(item: MallItem) -> list[tuple[str, int, str]]:
    """Return the movements of an item's stock."""
    rows = StockMovement.objects.filter(item=item).order_by("pk")
    return list(rows.values_list("kind", "quantity", "reason"))


def test_each_variant_has_stock_and_price_of_its_own(world: World) -> None:
    item, small, large = shirt(world)
    member = world.member()
    world.points(member, 1_000)

    first = world.order(member, item, variant=large)
    with pytest.raises(OutOfStockError) as refused:
        world.order(member, item, variant=large)
    second = world.order(member, item, variant=small, quantity=2)

    assert refused.value.data == {"left": 0}
    assert (first.points, second.points) == (130, 200)
    held = dict(VariantStock.objects.values_list("variant__code", "held"))
    assert held == {"s": 2, "l": 1}
    assert [(line.free, line.held, line.total) for line in list_stock(item=item)] == [
        (0, 2, 2),
        (0, 1, 1),
    ]
    mall.cancel_order(order=first, by=STAFF, at=world.at)
    assert (count_free(item=item, variant=large), count_free(item=item, variant=small)) == (1, 0)
    assert problems() == []


def test_an_order_names_a_variant_of_the_item(world: World) -> None:
    item, small, _large = shirt(world)
    other = world.item()
    member = world.member()
    world.points(member, 1_000)
    mall.update_variant(variant=small, is_active=False, by=STAFF, at=world.at)
    small.refresh_from_db()

    for asked, what in ((None, item), (small, item), (get_variant(item=item, code="l"), other)):
        with pytest.raises(InvalidOrderError) as refused:
            world.order(member, what, variant=asked)
        assert refused.value.data == {"pointer": "/variant"}
    assert not MallOrder.objects.exists()
    assert not Entry.objects.filter(kind=Entry.Kind.HOLD).exists()


def test_the_mall_shows_variants(world: World, django_assert_max_num_queries: Any) -> None:
    item, _small, large = shirt(world)
    member = world.member()
    world.points(member, 110)
    VariantStock.objects.filter(variant=large).update(sold=1)

    with django_assert_max_num_queries(6):
        (found,) = list_items(member=member, at=world.at, lang="zh-hans")

    assert (found.item.pk, found.available, found.stock_left, found.may_wait) == (
        item.pk,
        True,
        2,
        True,
    )
    assert [(v.name, v.points, v.stock_left, v.available) for v in found.variants] == [
        ("s", 100, 2, True),
        ("l", 130, 0, False),
    ]


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"code": "No!"}, "/code"),
        ({"name": {}}, "/name"),
        ({"stock": -1}, "/stock"),
        ({"extra_points": -1}, "/extra_points"),
    ],
)
def test_variants_refuse_wrong_values(world: World, facts: dict[str, Any], pointer: str) -> None:
    item = world.item(stock=None)
    given: dict[str, Any] = {"code": "s", "name": {"en": "S"}, "stock": 1, **facts}
    with pytest.raises(InvalidItemError) as refused:
        mall.add_variant(item=item, **given, by=STAFF, at=world.at)
    assert refused.value.data["pointer"] == pointer
    assert not ItemVariant.objects.exists()


def test_variants_refuse_what_would_not_add_up(world: World) -> None:
    stocked = world.item(stock=3)
    with pytest.raises(InvalidItemError, match="stock of its own"):
        variant(world, stocked, "s", 1)
    sold = world.item(kind="virtual", stock=None, points=1)
    member = world.member()
    world.points(member, 10)
    world.order(member, sold)
    with pytest.raises(InvalidItemError, match="ordered without variants"):
        variant(world, sold, "s", 1)
    item, _small, _large = shirt(world)
    with pytest.raises(VariantCodeTakenError):
        variant(world, item, "s", 1)
    assert ItemVariant.objects.count() == 2


def test_stock_comes_in_and_goes_out_with_a_trace(world: World) -> None:
    item = world.item(stock=2)
    member = world.member()
    world.points(member, 500)
    world.order(member, item)
    mall.add_stock(item=item, quantity=3, reason="delivery 9", by=STAFF, at=world.at)
    mall.remove_stock(item=item, quantity=4, reason="water", by=STAFF, at=world.at)
    before = (movements(item), StockRow.objects.values().get(item=item))

    with pytest.raises(StockInUseError) as refused:
        mall.remove_stock(item=item, quantity=1, reason="more water", by=STAFF, at=world.at)

    assert refused.value.data == {"free": 0}
    assert (movements(item), StockRow.objects.values().get(item=item)) == before
    assert movements(item) == [
        ("opening", 2, ""),
        ("received", 3, "delivery 9"),
        ("lost", -4, "water"),
    ]
    item.refresh_from_db()
    assert item.stock_total == 1
    with pytest.raises(InvalidItemError) as silent:
        mall.remove_stock(item=item, quantity=1, reason=" ", by=STAFF, at=world.at)
    assert silent.value.data == {"pointer": "/reason"}
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        StockMovement.objects.update(quantity=9)
    assert problems() == []


def test_units_of_a_rush_are_rows(world: World) -> None:
    item = world.item(stock=3, unit_rows=True, points=10)
    member = world.member()
    world.points(member, 100)

    order = world.order(member, item, quantity=2)
    assert StockUnit.objects.filter(order=order).count() == 2
    with pytest.raises(OutOfStockError) as refused:
        world.order(member, item, quantity=2)
    assert refused.value.data == {"left": 1}
    assert StockUnit.objects.filter(order__isnull=True).count() == 1
    assert world.balance(member) == (80, 20)

    mall.confirm_order(order=order, by=STAFF, at=world.at)
    assert count_free(item=item) == 1
    mall.cancel_order(order=order, by=STAFF, at=world.at)
    assert count_free(item=item) == 3
    mall.add_stock(item=item, quantity=2, by=STAFF, at=world.at)
    with pytest.raises(StockInUseError):
        mall.remove_stock(item=item, quantity=6, reason="x", by=STAFF, at=world.at)
    mall.remove_stock(item=item, quantity=5, reason="x", by=STAFF, at=world.at)
    assert (count_free(item=item), StockUnit.objects.count()) == (0, 0)
    assert problems() == []


def test_units_of_variants_stay_apart(world: World) -> None:
    item = world.item(stock=None, unit_rows=True, points=10)
    small, large = variant(world, item, "s", 1), variant(world, item, "l", 2)
    member = world.member()
    world.points(member, 100)
    world.order(member, item, variant=small)
    with pytest.raises(OutOfStockError):
        world.order(member, item, variant=small)
    world.order(member, item, variant=large, quantity=2)
    assert [line.free for line in list_stock(item=item)] == [0, 0]
    assert problems() == []


def test_a_rush_has_a_size(world: World) -> None:
    with pytest.raises(InvalidItemError) as refused:
        world.item(stock=200_001, unit_rows=True)
    assert refused.value.data == {"pointer": "/stock", "most": 200_000}
    assert not MallItem.objects.exists()
