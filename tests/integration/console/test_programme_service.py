"""Mall, redemptions, fulfilment orders and partners, changed through the console."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.grants.models import Redemption
from benefits.mall.models import MallItem, MallOrder, StockRow
from core import clock
from members.profiles.models import Member
from partners.orders.models import FulfilmentOrder, OrderOffer
from partners.pool.models import CapacityDay, Offering, Partner
from partners.pool.queries import get_price
from tenants.accounts.keys import authenticate
from tenants.accounts.models import ApiKey
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


def points(made: Programme, member: Member) -> tuple[int, int]:
    return made.benefits.balance(member)


ITEM = {
    "name_en": "Scarf",
    "code": "scarf",
    "points": "800",
    "cash_minor": "0",
    "unit_cost_minor": "21",
    "stock": "30",
    "per_member_limit": "2",
    "icon": "gift",
}


def test_an_item_is_made_stocked_and_put_on_sale(client: Client) -> None:
    assert client.post(url("create_item", "physical"), ITEM, headers=HTMX).status_code == 204
    item = MallItem.objects.get(code="scarf")
    assert (item.points, item.unit_cost_minor, item.status) == (800, 2_100, "draft")
    assert StockRow.objects.get(item=item).free == 30
    assert (
        client.post(url("change_stock", "scarf", "in"), {"quantity": "5"}, headers=HTMX).status_code
        == 204
    )
    assert StockRow.objects.get(item=item).free == 35
    for status in ("on_sale", "paused", "ended"):
        answer = client.post(url("set_item_status", "scarf", status), headers=HTMX)
        assert answer.status_code == 204
        item.refresh_from_db()
        assert item.status == status
    assert client.post(url("set_item_status", "scarf", "draft"), headers=HTMX).status_code == 422
    item.refresh_from_db()
    assert item.status == "ended"


def test_a_wrong_item_shows_where_and_makes_nothing(client: Client) -> None:
    for wrong in ({"points": "0"}, {"name_en": ""}, {"code": "No!"}, {"stock": "-1"}):
        answer = client.post(url("create_item", "physical"), {**ITEM, **wrong}, headers=HTMX)
        assert answer.status_code == 422, wrong
        assert "is-invalid" in answer.content.decode(), wrong
    assert client.get(url("create_item", "spaceship")).status_code == 404
    assert not MallItem.objects.exists()


def test_an_item_is_changed_without_its_stock(client: Client, made: Programme) -> None:
    item = made.benefits.item(code="towel", stock=5)
    form = {**ITEM, "points": "150", "per_member_limit": ""}
    assert client.post(url("edit_item", "towel"), form, headers=HTMX).status_code == 204
    item.refresh_from_db()
    assert (item.code, item.points, item.name) == ("towel", 150, {"en": "Scarf"})
    assert StockRow.objects.get(item=item).free == 5


def test_a_mall_order_is_confirmed_shipped_and_completed(client: Client, made: Programme) -> None:
    order = made.mall_order("towel")
    assert points(made, order.member) == (900, 100)
    assert client.post(url("ship_mall_order", order.number), {}, headers=HTMX).status_code == 422
    order.refresh_from_db()
    assert order.state == "placed"
    assert client.post(url("confirm_mall_order", order.number), headers=HTMX).status_code == 204
    assert points(made, order.member) == (900, 0)
    sent = client.post(url("ship_mall_order", order.number), {"tracking": "SF-1"}, headers=HTMX)
    assert sent.status_code == 204
    assert client.post(url("complete_mall_order", order.number), headers=HTMX).status_code == 204
    order.refresh_from_db()
    assert (order.state, order.tracking) == ("completed", "SF-1")
    assert order.number not in client.get(url("mall_orders")).content.decode()
    assert order.number in client.get(url("mall_orders") + "?state=completed").content.decode()


def test_a_cancelled_mall_order_gives_points_and_stock_back(
    client: Client, made: Programme
) -> None:
    order = made.mall_order("towel")
    address = url("cancel_mall_order", order.number)
    assert client.post(address, {"reason": ""}, headers=HTMX).status_code == 422
    assert points(made, order.member) == (900, 100)
    form = {"reason": "Out of print", "restock": "on"}
    assert client.post(address, form, headers=HTMX).status_code == 204
    order.refresh_from_db()
    assert (order.state, order.reason) == ("cancelled", "Out of print")
    assert points(made, order.member) == (1_000, 0)
    assert StockRow.objects.get(item=order.item).free == 5


def test_staff_confirm_and_fulfil_what_is_theirs(client: Client, made: Programme) -> None:
    redemption = made.redemption("tea")
    page = url("redemption", redemption.pk)
    assert "Mark as fulfilled" in client.get(page).content.decode()
    for name, state in [("confirm_redemption", "confirmed"), ("fulfil_redemption", "fulfilled")]:
        answer = client.post(url(name, redemption.pk), headers=HTMX)
        assert answer.status_code == 204
        redemption.refresh_from_db()
        assert redemption.state == state
    assert redemption.cost_minor == 1_200
    text = client.get(page).content.decode()
    assert "Mark as fulfilled" not in text
    assert "¥12.00" in text
    assert client.post(url("confirm_redemption", redemption.pk), headers=HTMX).status_code == 409


def test_a_cancelled_redemption_can_keep_the_unit(client: Client, made: Programme) -> None:
    kept, given_back = made.redemption("tea"), made.redemption("cup")
    form = {"reason": "Shop closed"}
    client.post(url("cancel_redemption", kept.pk), form, headers=HTMX)
    client.post(url("cancel_redemption", given_back.pk), {**form, "give_back": "on"}, headers=HTMX)
    kept.refresh_from_db()
    given_back.refresh_from_db()
    assert (kept.state, kept.unit_returned) == ("cancelled", False)
    assert (given_back.state, given_back.unit_returned) == ("cancelled", True)
    assert "Shop closed" in client.get(url("redemption", kept.pk)).content.decode()


def row_of(redemption: Redemption) -> str:
    """Return the address of its page, closed by a quote: one number is not found in a longer one."""
    return url("redemption", redemption.pk) + '"'


def test_redemptions_are_found_by_code_and_filter(client: Client, made: Programme) -> None:
    by_code = made.redemption("voucher", channel="code", kind="discount",
                              parameters={"percent_bp": 1_000})  # fmt: skip
    by_code.refresh_from_db()
    other = made.redemption("tea")
    found = client.get(url("redemptions") + f"?q={by_code.code.lower()}").content.decode()
    assert row_of(by_code) in found
    assert row_of(other) not in found
    assert "No redemption has this code" in client.get(url("redemptions") + "?q=X").content.decode()
    for query, wanted, missing in [
        ("?channel=staff", other, by_code),
        ("?state=confirmed", by_code, other),
        ("?benefit=tea", other, by_code),
    ]:
        text = client.get(url("redemptions") + query).content.decode()
        assert row_of(wanted) in text, query
        assert row_of(missing) not in text, query


def test_an_order_of_a_partner_is_not_staffs_to_fulfil_here(
    client: Client, made: Programme
) -> None:
    order = made.order()
    text = client.get(url("redemption", order.redemption_id)).content.decode()
    assert "Mark as fulfilled" not in text
    assert url("order", order.number) in text


def test_an_order_is_sent_out_again(client: Client, made: Programme) -> None:
    benefit = made.partners.benefit()
    first = made.offering(benefit)
    order = made.partners.order(benefit)
    second = made.offering(benefit, price_minor=9_000)
    address = url("redispatch", order.number)
    assert client.post(address, {"reason": ""}, headers=HTMX).status_code == 422
    order.refresh_from_db()
    assert order.partner_id == first.partner_id
    assert client.post(address, {"reason": "Too slow"}, headers=HTMX).status_code == 204
    order.refresh_from_db()
    assert (order.state, order.partner_id, order.round) == ("offered", second.partner_id, 2)
    text = client.get(url("order", order.number)).content.decode()
    for word in ("Sent out again", "Too slow", first.partner.name, second.partner.name, "Coverage"):
        assert word in text
    assert OrderOffer.objects.filter(order=order, state="withdrawn").count() == 1


def test_staff_close_orders_with_a_reason(client: Client, made: Programme) -> None:
    cancelled, failed = made.order(), made.order(offered=False)
    answer = client.post(url("cancel_order", cancelled.number), {"reason": "Moved"}, headers=HTMX)
    assert answer.status_code == 204
    answer = client.post(url("fail_order", failed.number), {"reason": "No room"}, headers=HTMX)
    assert answer.status_code == 204
    late = client.post(url("fulfil_order", failed.number), {"reason": "Done"}, headers=HTMX)
    assert late.status_code == 422
    for order, state in ((cancelled, "cancelled"), (failed, "failed")):
        order.refresh_from_db()
        assert order.state == state
        redemption = Redemption.objects.get(pk=order.redemption_id)
        assert (redemption.state, redemption.unit_returned) == (state, True)


def test_the_board_shows_the_clock_and_who_has_it(
    client: Client, made: Programme, at: datetime
) -> None:
    order = made.order()
    assert order.partner is not None
    text = client.get(url("orders")).content.decode()
    assert order.number in text
    assert order.partner.name in text
    assert "is late" not in text
    FulfilmentOrder.objects.filter(pk=order.pk).update(accept_by=at.replace(year=2025))
    assert "1 order is late" in client.get(url("orders")).content.decode()


def test_the_preview_says_who_would_get_it_and_who_not(client: Client, made: Programme) -> None:
    benefit = made.partners.benefit(code="care")
    near, far = made.offering(benefit), made.offering(benefit, regions=["cn/bj"])
    text = client.get(url("dispatch_preview") + "?benefit=care&region=cn/gd").content.decode()
    assert text.index(near.partner.name) < text.index(">would get it<")
    assert text.index("Left out, and why") < text.index(far.partner.name)
    assert "Does not serve the region" in text
    assert not FulfilmentOrder.objects.exists()


def test_a_partner_is_invited_and_goes_through_its_life(client: Client) -> None:
    form = {"name": "Silk Spa", "code": "silk", "contact_email": "hello@silk.example"}
    answer = client.post(url("invite_partner"), form, headers=HTMX)
    assert led_to(answer) == url("partner", "silk")
    partner = Partner.objects.get(code="silk")
    assert partner.status == "invited"
    again = client.post(url("invite_partner"), form, headers=HTMX)
    assert again.status_code == 422
    assert "Another partner has this code." in again.content.decode()
    reason = {"reason": "Holidays"}
    for address, data, status in [
        (url("partner_sandbox", "silk"), {}, "sandbox"),
        (url("activate_partner", "silk"), {}, "active"),
        (url("stop_partner", "silk", "pause"), reason, "paused"),
        (url("activate_partner", "silk"), {}, "active"),
        (url("stop_partner", "silk", "end"), reason, "ended"),
    ]:
        assert client.post(address, data, headers=HTMX).status_code == 204, address
        partner.refresh_from_db()
        assert partner.status == status
    assert client.post(url("activate_partner", "silk"), headers=HTMX).status_code == 409
    partner.refresh_from_db()
    assert partner.status == "ended"


def test_an_offering_is_made_repriced_and_paused(
    client: Client, made: Programme, at: datetime
) -> None:
    made.partners.benefit(code="care")
    partner = made.partners.partner("silk")
    form = {
        "benefit": "care",
        "price_minor": "58",
        "capacity_per_day": "4",
        "regions": "cn/gd, cn/sh",
        "lead_time_hours": "12",
        "sla_hours": "72",
    }
    assert client.post(url("add_offering", "silk"), form, headers=HTMX).status_code == 204
    offering = Offering.objects.get(partner=partner)
    assert (offering.capacity_per_day, offering.regions) == (4, ["cn/gd", "cn/sh"])
    dearer = {**form, "price_minor": "60", "price_from": "2026-04-01"}
    assert client.post(url("edit_offering", offering.pk), dearer, headers=HTMX).status_code == 204
    assert get_price(offering_id=offering.pk, on=date(2026, 3, 31)) == 5_800
    assert get_price(offering_id=offering.pk, on=date(2026, 4, 1)) == 6_000
    past = {**form, "price_minor": "10", "price_from": "2026-03-01"}
    assert client.post(url("edit_offering", offering.pk), past, headers=HTMX).status_code == 422
    assert get_price(offering_id=offering.pk, on=date(2026, 3, 15)) == 5_800
    paused = client.post(url("offering_status", offering.pk, "paused"), headers=HTMX)
    assert paused.status_code == 204
    offering.refresh_from_db()
    assert offering.status == "paused"


def test_a_day_is_closed(client: Client, made: Programme) -> None:
    offering = made.offering()
    address = url("set_capacity", offering.pk, "2026-03-20")
    assert client.post(address, {"capacity": "0"}, headers=HTMX).status_code == 204
    day = CapacityDay.objects.get(offering=offering)
    assert (day.on_date, day.capacity, day.is_set) == (date(2026, 3, 20), 0, True)
    past = url("set_capacity", offering.pk, "2026-03-01")
    assert client.post(past, {"capacity": "3"}, headers=HTMX).status_code == 422
    assert CapacityDay.objects.count() == 1


def test_a_key_is_shown_once_and_revoked(client: Client, made: Programme, at: datetime) -> None:
    partner = made.partners.partner("silk")
    other = made.partners.partner("jade")
    form = {"name": "Booking", "is_live": "yes"}
    answer = client.post(url("create_partner_key", "silk"), form, headers=HTMX)
    key = ApiKey.objects.get()
    text = answer.content.decode()
    secret = text[text.index("tsp_live_") :].split('"')[0]
    assert answer["Cache-Control"] == "no-store"
    assert authenticate(text=secret, kind="partner", at=at) == key
    assert (key.owner_id, key.name) == (partner.pk, "Booking")
    assert secret not in client.get(url("partner", "silk")).content.decode()
    foreign = client.post(url("revoke_partner_key", other.code, key.pk), headers=HTMX)
    assert foreign.status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None
    client.post(url("revoke_partner_key", "silk", key.pk), headers=HTMX)
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_keys_are_only_for_who_may_change_partners(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    made.partners.partner("silk")
    assert "Keys to the partner API" not in (
        staff_client("analyst").get(url("partner", "silk")).content.decode()
    )


def test_without_javascript_forms_lead_back_to_a_page(client: Client, made: Programme) -> None:
    order: MallOrder = made.mall_order("towel")
    answer = client.post(url("confirm_mall_order", order.number))
    assert answer.status_code == 302
    assert answer["Location"] == url("mall_order", order.number)
    assert "Confirmed." in client.get(answer["Location"]).content.decode()
