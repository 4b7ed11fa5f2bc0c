"""The catalogue over time: amounts with dates, versions, pieces in stock, nested packages."""

from datetime import date

import pytest

from benefits.catalogue.errors import (
    CostExistsError,
    CyclicPackageError,
    InvalidBenefitError,
    OutOfStockError,
    PeriodsOverlapError,
    StockUsedError,
)
from benefits.catalogue.models import Benefit, BenefitCost, BenefitPrice
from benefits.catalogue.operations import (
    create_package,
    set_cost,
    set_list_price,
    show_prices,
    update_benefit,
    update_package,
)
from benefits.catalogue.queries import list_package_units, list_versions
from benefits.catalogue.stock import add_units, count_units, remove_units
from benefits.grants.models import Grant
from benefits.grants.operations import cancel, grant_package
from tests.integration.benefits.world import STAFF, World, problems

# --- Amounts over time --------------------------------------------------------------------


def amounts(benefit: Benefit) -> list[tuple[str, str | None, int]]:
    """Return when each cost holds, the earliest first."""
    return [
        (row.valid_from.isoformat(), row.valid_to and row.valid_to.isoformat(), row.unit_cost_minor)
        for row in BenefitCost.objects.filter(benefit=benefit).order_by("valid_from")
    ]


def test_a_cost_for_a_time_lets_the_one_before_come_back(world: World) -> None:
    benefit = world.benefit(unit_cost_minor=1_000)
    set_cost(
        benefit=benefit, unit_cost_minor=700, valid_from=date(2026, 4, 1),
        valid_to=date(2026, 5, 1), by=STAFF, at=world.at,
    )  # fmt: skip
    assert amounts(benefit)[-3:] == [
        ("2026-02-03", "2026-04-01", 1_000),
        ("2026-04-01", "2026-05-01", 700),
        ("2026-05-01", None, 1_000),
    ]


def test_costs_that_overlap_or_end_before_they_start_are_refused(world: World) -> None:
    benefit = world.benefit(unit_cost_minor=1_000)
    set_cost(
        benefit=benefit, unit_cost_minor=700, valid_from=date(2026, 4, 10), by=STAFF, at=world.at
    )
    before = amounts(benefit)
    for facts, error in (
        ({"valid_from": date(2026, 4, 1), "valid_to": date(2026, 4, 11)}, PeriodsOverlapError),
        ({"valid_from": date(2026, 4, 10)}, CostExistsError),
        ({"valid_from": date(2026, 5, 2), "valid_to": date(2026, 5, 2)}, InvalidBenefitError),
        ({"valid_from": date(2026, 5, 2), "unit_cost_minor": -1}, InvalidBenefitError),
    ):
        with pytest.raises(error):
            set_cost(
                **{"benefit": benefit, "unit_cost_minor": 5, "by": STAFF, "at": world.at, **facts}
            )
    assert amounts(benefit) == before


def test_a_list_price_shows_when_its_day_comes(world: World) -> None:
    benefit = world.benefit(list_price_minor=5_000)
    set_list_price(
        benefit=benefit, list_price_minor=6_000, valid_from=date(2026, 4, 1), by=STAFF, at=world.at
    )
    assert benefit.list_price_minor == 5_000
    assert show_prices(on=date(2026, 3, 31)) == 0
    assert [show_prices(on=date(2026, 4, 1)) for _time in range(2)] == [1, 0]
    benefit.refresh_from_db()
    assert benefit.list_price_minor == 6_000
    update_benefit(benefit=benefit, list_price_minor=6_500, by=STAFF, at=world.at)
    assert list(BenefitPrice.objects.order_by("valid_from").values_list("list_price_minor")) == [
        (5_000,),
        (6_500,),
        (6_000,),
    ]


# --- Versions and stock -------------------------------------------------------------------


def test_each_change_of_a_benefit_is_a_version(world: World) -> None:
    benefit = world.benefit()
    update_benefit(benefit=benefit, terms={"en": "Mondays"}, by=STAFF, at=world.at)
    update_benefit(benefit=benefit, terms={"en": "Mondays"}, by=STAFF, at=world.at)
    found = list_versions(benefit=benefit)
    assert [(row.version, row.content["terms"]) for row in found] == [
        (2, {"en": "Mondays"}),
        (1, {}),
    ]


def test_stock_is_taken_piece_by_piece_and_comes_back(world: World) -> None:
    benefit = world.benefit()
    assert add_units(benefit=benefit, quantity=2, by=STAFF, at=world.at) == 2
    benefit.refresh_from_db()
    member = world.member()
    grant = world.grant(member, benefit, quantity=5)
    first, _second = (world.redeem(member, grant) for _one in range(2))

    with pytest.raises(OutOfStockError):
        world.redeem(member, grant)
    grant.refresh_from_db()
    assert (grant.used, count_units(benefit=benefit)) == (2, (2, 0))

    cancel(redemption=first, by=STAFF, at=world.at)
    assert count_units(benefit=benefit) == (2, 1)
    assert world.redeem(member, grant).state == "requested"
    assert problems() == []


def test_no_more_stock_is_taken_out_than_is_free(world: World) -> None:
    benefit = world.benefit()
    add_units(benefit=benefit, quantity=3, by=STAFF, at=world.at)
    benefit.refresh_from_db()
    member = world.member()
    world.redeem(member, world.grant(member, benefit))
    with pytest.raises(StockUsedError) as refused:
        remove_units(benefit=benefit, quantity=3, reason="Broken", by=STAFF, at=world.at)
    assert refused.value.data == {"pointer": "/quantity", "free": 2}
    assert remove_units(benefit=benefit, quantity=2, reason="Broken", by=STAFF, at=world.at) == 0


# --- Packages of packages -----------------------------------------------------------------


def test_a_package_gives_what_its_parts_give(world: World) -> None:
    tea, wash = world.benefit(code="tea"), world.benefit(code="wash")
    small = create_package(
        code="small", name={"en": "Small"}, items=[(tea, 1), (wash, 2)], by=STAFF, at=world.at
    )
    large = create_package(
        code="large", name={"en": "Large"}, items=[(tea, 5)], parts=[(small, 3)], by=STAFF,
        at=world.at,
    )  # fmt: skip
    assert list_package_units(package=large) == [(tea, 8), (wash, 6)]

    update_package(package=small, items=[(tea, 2)], by=STAFF, at=world.at)

    assert list_package_units(package=large) == [(tea, 11)]
    member = world.member()
    grant_package(member=member, package=large, period_key="x", quantity=2, by=STAFF, at=world.at)
    assert list(Grant.objects.values_list("benefit__code", "quantity")) == [("tea", 22)]


def test_a_package_never_holds_itself(world: World) -> None:
    tea = world.benefit()
    one = create_package(code="one", name={"en": "1"}, items=[(tea, 1)], by=STAFF, at=world.at)
    two = create_package(code="two", name={"en": "2"}, parts=[(one, 1)], by=STAFF, at=world.at)
    three = create_package(code="three", name={"en": "3"}, parts=[(two, 1)], by=STAFF, at=world.at)

    for part, path in ((one, ["one", "one"]), (three, ["one", "three", "two", "one"])):
        with pytest.raises(CyclicPackageError) as refused:
            update_package(package=one, items=[(tea, 1)], parts=[(part, 1)], by=STAFF, at=world.at)
        assert refused.value.data == {"pointer": "/parts/0", "path": path}
    assert list_package_units(package=three) == [(tea, 1)]
    with pytest.raises(InvalidBenefitError):
        update_package(package=one, items=[], parts=[], by=STAFF, at=world.at)
