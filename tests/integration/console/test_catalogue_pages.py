"""The catalogue's depth in the console: amounts over time, stock, versions, the package builder."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.catalogue.models import BenefitCost, BenefitPrice, Package, PackageUnit
from benefits.catalogue.operations import create_package, update_benefit
from benefits.catalogue.stock import count_units
from core import clock
from tests.integration.benefits.world import STAFF
from tests.integration.console.pages import led_to
from tests.integration.console.programme import Programme

HTMX = {"HX-Request": "true"}


@pytest.fixture
def made(brand: Any, at: datetime) -> Iterator[Programme]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        yield Programme(at)


@pytest.fixture
def client(made: Programme, staff_client: Callable[..., Client]) -> Client:
    """Return a client signed in as the owner."""
    return staff_client("owner")


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def _costs() -> list[tuple[int, date, date | None]]:
    rows = BenefitCost.objects.order_by("valid_from")
    return [(row.unit_cost_minor, row.valid_from, row.valid_to) for row in rows]


def test_a_cost_holds_from_a_day_on_or_through_one(client: Client, made: Programme) -> None:
    made.benefits.benefit(code="tea", unit_cost_minor=1_200)
    begun = _costs()[0][1]
    form = {"amount": "15", "valid_from": "2026-04-01", "last_on": "2026-04-30"}
    assert client.post(url("set_amount", "tea", "cost"), form, headers=HTMX).status_code == 204
    april = [
        (1_200, begun, date(2026, 4, 1)),
        (1_500, date(2026, 4, 1), date(2026, 5, 1)),
        (1_200, date(2026, 5, 1), None),
    ]
    assert _costs() == april
    same = client.post(
        url("set_amount", "tea", "cost"), {**form, "amount": "16", "last_on": ""}, headers=HTMX
    )
    assert same.status_code == 422
    assert "id_valid_from_error" in same.content.decode()
    assert "Another cost starts on this day." in same.content.decode()
    over = {"amount": "16", "valid_from": "2026-03-20", "last_on": "2026-04-10"}
    refused = client.post(url("set_amount", "tea", "cost"), over, headers=HTMX)
    assert refused.status_code == 422
    assert "id_last_on_error" in refused.content.decode()
    assert "Another amount begins on 1 Apr 2026." in refused.content.decode()
    below = client.post(url("set_amount", "tea", "cost"), {**form, "amount": "-3"}, headers=HTMX)
    assert below.status_code == 422
    assert _costs() == april


def test_what_is_to_come_is_called_off_and_what_holds_is_ended(
    client: Client, made: Programme
) -> None:
    made.benefits.benefit(code="tea", unit_cost_minor=1_200)
    begun = _costs()[0][1]
    form = {"amount": "15", "valid_from": "2026-04-01"}
    client.post(url("set_amount", "tea", "cost"), form, headers=HTMX)
    page = client.get(url("benefit", "tea") + "?tab=costs").content.decode()
    assert "Coming" in page
    gone = client.post(url("call_off_amount", "tea", "cost", "2026-04-01"), headers=HTMX)
    assert gone.status_code == 204
    assert _costs() == [(1_200, begun, None)]
    held = client.post(url("call_off_amount", "tea", "cost", begun.isoformat()), headers=HTMX)
    assert held.status_code == 409
    past = client.post(
        url("close_amount", "tea", "cost", begun.isoformat()),
        {"last_on": "2026-03-01"},
        headers=HTMX,
    )
    assert past.status_code == 422
    assert "Days that have passed stay as they were." in past.content.decode()
    assert _costs() == [(1_200, begun, None)]
    ended = client.post(
        url("close_amount", "tea", "cost", begun.isoformat()),
        {"last_on": "2026-03-31"},
        headers=HTMX,
    )
    assert ended.status_code == 204
    assert _costs() == [(1_200, begun, date(2026, 4, 1))]
    unknown = client.post(url("call_off_amount", "tea", "cost", "2027-01-01"), headers=HTMX)
    assert unknown.status_code == 404


def test_a_list_price_changes_on_its_day(client: Client, made: Programme) -> None:
    benefit = made.benefits.benefit(code="tea", list_price_minor=3_000)
    form = {"amount": "45", "valid_from": "2026-05-01"}
    assert client.post(url("set_amount", "tea", "price"), form, headers=HTMX).status_code == 204
    prices = BenefitPrice.objects.order_by("valid_from")
    assert [row.list_price_minor for row in prices] == [3_000, 4_500]
    benefit.refresh_from_db()
    assert benefit.list_price_minor == 3_000


def test_pieces_go_in_and_out_and_are_never_fewer_than_none(
    client: Client, made: Programme
) -> None:
    benefit = made.benefits.benefit(code="tea")
    add, take = url("change_benefit_stock", "tea", "in"), url("change_benefit_stock", "tea", "out")
    assert client.post(add, {"quantity": 5}, headers=HTMX).status_code == 204
    many = client.post(take, {"quantity": 9, "reason": "Broken"}, headers=HTMX)
    assert many.status_code == 422
    assert "Only 5 are free." in many.content.decode()
    assert client.post(take, {"quantity": 2, "reason": "Broken"}, headers=HTMX).status_code == 204
    assert count_units(benefit=benefit) == (3, 3)
    page = client.get(url("benefit", "tea") + "?tab=stock").content.decode()
    assert "+5" in page
    assert "Broken" in page


def test_versions_show_what_changed_in_every_language(client: Client, made: Programme) -> None:
    benefit = made.benefits.benefit(code="tea")
    update_benefit(
        benefit=benefit,
        name={"en": "Tea chest", "zh-hans": "茶礼盒"},
        sla_hours=48,
        by=STAFF,
        at=made.at,
    )
    page = client.get(url("benefit", "tea") + "?tab=versions").content.decode()
    assert '<del class="text-secondary">Tea box</del> → <ins>Tea chest</ins>' in page
    assert "Service standard (hours)" in page
    assert page.count("<ins>") == 2


def test_the_builder_adds_rows_and_says_what_the_whole_costs(
    client: Client, made: Programme
) -> None:
    made.benefits.benefit(code="tea", unit_cost_minor=1_200, list_price_minor=3_000)
    inner = create_package(
        code="pair",
        name={"en": "Pair"},
        items=[(made.benefits.benefit(code="cup", unit_cost_minor=500), 2)],
        by=STAFF,
        at=made.at,
    )
    form = {
        "row-0-what": "benefit:tea",
        "row-0-quantity": "3",
        "row-1-what": "package:pair",
        "row-1-quantity": "2",
        "do": "more",
    }
    drawn = client.post(url("package_rows"), form, headers=HTMX).content.decode()
    assert 'name="row-2-what"' in drawn
    assert 'id="package-cost">CN¥56.00</b>' in drawn
    made_now = client.post(
        url("create_package"),
        {**form, "name_en": "Tea time", "code": "tea-time", "icon": "package"},
        headers=HTMX,
    )
    assert led_to(made_now) == url("package", "tea-time")
    units = PackageUnit.objects.filter(package__code="tea-time").order_by("benefit__code")
    assert [(row.benefit.code, row.quantity) for row in units] == [("cup", 4), ("tea", 3)]
    page = client.get(url("package", "tea-time")).content.decode()
    assert "CN¥56.00" in page
    assert "No rule grants it" in page
    assert "Part of other packages" in client.get(url("package", inner.code)).content.decode()


def test_a_package_never_holds_itself_nothing_or_the_same_twice(
    client: Client, made: Programme
) -> None:
    tea = made.benefits.benefit(code="tea")
    inner = create_package(
        code="inner", name={"en": "Inner"}, items=[(tea, 1)], by=STAFF, at=made.at
    )
    create_package(code="outer", name={"en": "Outer"}, parts=[(inner, 1)], by=STAFF, at=made.at)
    names = {"name_en": "Inner", "icon": "package"}
    cycle = {**names, "row-0-what": "package:outer", "row-0-quantity": "1", "package": "inner"}
    refused = client.post(url("edit_package", "inner"), cycle, headers=HTMX)
    assert refused.status_code == 422
    assert "It would hold itself: Inner → Outer → Inner." in refused.content.decode()
    empty = {**names, "row-0-what": "", "row-0-quantity": "1"}
    refused = client.post(url("edit_package", "inner"), empty, headers=HTMX)
    assert "A package needs a benefit." in refused.content.decode()
    twice = {**names, "row-0-what": "benefit:tea", "row-0-quantity": "1"}
    twice |= {"row-1-what": "benefit:tea", "row-1-quantity": "2"}
    refused = client.post(url("edit_package", "inner"), twice, headers=HTMX)
    assert "Each benefit can be listed once." in refused.content.decode()
    none = {**names, "row-0-what": "benefit:tea", "row-0-quantity": "0"}
    refused = client.post(url("edit_package", "inner"), none, headers=HTMX)
    assert "Give a whole number above zero." in refused.content.decode()
    kept = PackageUnit.objects.filter(package=inner)
    assert [(row.benefit_id, row.quantity) for row in kept] == [(tea.pk, 1)]


def test_a_package_is_offered_no_longer_and_again(client: Client, made: Programme) -> None:
    made.package("welcome")
    assert client.post(url("switch_package", "welcome", "off"), headers=HTMX).status_code == 204
    assert not Package.objects.get(code="welcome").is_active
    assert "package:welcome" not in client.get(url("create_rule")).content.decode()
    assert client.post(url("switch_package", "welcome", "on"), headers=HTMX).status_code == 204
    assert "package:welcome" in client.get(url("create_rule")).content.decode()
