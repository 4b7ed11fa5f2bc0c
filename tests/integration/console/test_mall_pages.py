"""What staff do in the mall: sizes and stock, who sees an item, codes, draws, cash."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from benefits.catalogue.models import PoolCode
from benefits.mall.draws.models import LuckyDraw
from benefits.mall.models import ItemVariant, MallItem, MallOrder, StockRow
from benefits.mall.operations import cancel_order
from benefits.mall.payments.models import MallPayment, PaymentAccount
from core import clock
from tests.integration.benefits.world import STAFF
from tests.integration.console.pages import led_to
from tests.integration.console.programme import Programme

HTMX = {"HX-Request": "true"}


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


@pytest.fixture
def made(brand: Any, at: datetime) -> Any:
    with clock.at(at):
        yield Programme(at)


@pytest.fixture
def client(made: Programme, staff_client: Callable[..., Client]) -> Client:
    return staff_client("manager")


def test_sizes_and_stock_are_kept(made: Programme, client: Client) -> None:
    made.benefits.item(code="shirt", stock=None)
    given = {"name_en": "Small", "code": "s", "stock": "3", "extra_points": "0"}
    assert client.post(url("add_variant", "shirt"), given, headers=HTMX).status_code == 204
    again = client.post(url("add_variant", "shirt"), given, headers=HTMX)
    assert again.status_code == 422
    assert "a variant with this code already" in again.content.decode()
    moved = {"variant": "s", "quantity": "2", "reason": "delivery"}
    assert client.post(url("change_stock", "shirt", "in"), moved, headers=HTMX).status_code == 204
    assert ItemVariant.objects.get().stock_total == 5
    lost = {"variant": "s", "quantity": "9", "reason": "water"}
    refused = client.post(url("change_stock", "shirt", "out"), lost, headers=HTMX)
    assert refused.status_code == 422
    assert "are not free" in refused.content.decode()
    changed = {"name_en": "Tiny", "extra_points": "5"}
    assert client.post(url("edit_variant", "shirt", "s"), changed, headers=HTMX).status_code == 204
    row = ItemVariant.objects.get()
    assert (row.name["en"], row.extra_points, row.is_active) == ("Tiny", 5, False)


def test_only_some_members_see_an_item(made: Programme, client: Client) -> None:
    made.benefits.item(code="towel")
    member = made.benefits.member(region="north")
    page = client.get(url("mall_preview") + f"?member={member.number}").content.decode()
    assert "Towel" in page
    assert "100 points are missing." in page
    MallItem.objects.update(condition={"field": "region", "op": "=", "value": "south"})
    page = client.get(url("mall_preview") + f"?member={member.number}").content.decode()
    assert "An empty mall" in page
    assert "south" in client.get(url("mall_item", "towel")).content.decode()
    nobody = client.get(url("mall_preview") + "?member=M9999999").content.decode()
    assert "There is no such member." in nobody


def test_a_file_of_codes_goes_in_or_names_its_bad_lines(made: Programme, client: Client) -> None:
    made_pool = client.post(
        url("create_code_pool"), {"name": "Cinema", "code": "cinema"}, headers=HTMX
    )
    assert led_to(made_pool) == url("code_pool", "cinema")

    def send(text: str) -> Any:
        file = SimpleUploadedFile("codes.csv", text.encode())
        return client.post(url("import_codes", "cinema"), {"file": file}, headers=HTMX)

    bad = send("code\nA\n\nA\n")
    assert bad.status_code == 422
    html = bad.content.decode()
    assert "2 bad lines: nothing was imported" in html
    assert "The code comes twice in this file." in html
    assert not PoolCode.objects.exists()
    assert led_to(send("code\nA\nB\n")) == url("code_pool", "cinema")
    assert PoolCode.objects.count() == 2
    send("code\nA\nB\n")
    assert PoolCode.objects.count() == 2
    assert "There is no code in this file." in send("code\n").content.decode()


def test_a_draw_is_made_opened_and_ended(made: Programme, client: Client) -> None:
    client.post(
        url("create_draw"), {"name_en": "Wheel", "code": "wheel", "points": "10", "icon": "dice-5"}
    )
    table = {
        "p0-name": "Five points", "p0-kind": "points", "p0-chance": "40", "p0-points": "5",
        "p1-name": "A smile", "p1-kind": "nothing", "p1-chance": "50", "p1-is_fallback": "on",
    }  # fmt: skip
    assert client.post(url("draw_prizes", "wheel"), table, headers=HTMX).status_code == 204
    assert "not to 100" in client.get(url("draw", "wheel")).content.decode()
    refused = client.post(url("move_draw", "wheel", "open"), headers=HTMX)
    assert refused.status_code == 422
    assert LuckyDraw.objects.get().status == "draft"
    table["p1-chance"] = "60"
    client.post(url("draw_prizes", "wheel"), table, headers=HTMX)
    for way, status in (("open", "open"), ("pause", "paused"), ("open", "open"), ("end", "ended")):
        assert client.post(url("move_draw", "wheel", way), headers=HTMX).status_code == 204
        assert LuckyDraw.objects.get().status == status
    fixed = client.post(url("draw_prizes", "wheel"), table, headers=HTMX)
    assert fixed.status_code == 422
    assert "are published" in fixed.content.decode()


def test_cash_is_marked_paid_and_given_back(made: Programme, client: Client) -> None:
    member = made.benefits.member()
    made.benefits.points(member, 500)
    item = made.benefits.item(code="flask", cash_minor=990)
    order = made.benefits.order(member, item)
    address = url("record_cash", order.number)
    assert client.post(address, {"reference": ""}, headers=HTMX).status_code == 422
    assert client.post(address, {"reference": "R-1"}, headers=HTMX).status_code == 204
    assert client.post(address, {"reference": "R-2"}, headers=HTMX).status_code == 422
    order.refresh_from_db()
    assert order.state == "confirmed"
    cancel_order(order=order, by=STAFF, at=made.at, reason="regret")
    payment = MallPayment.objects.get()
    assert "1 refund due" in client.get(url("mall_orders") + "?state=all").content.decode()
    back = url("record_cash_refund", payment.pk)
    assert client.post(back, {"reference": "B-1"}, headers=HTMX).status_code == 204
    payment.refresh_from_db()
    assert (payment.state, payment.refund_reference) == ("refunded", "B-1")
    assert MallOrder.objects.get().state == "refunded"
    assert StockRow.objects.get(item=item).sold == 0


def test_a_way_of_paying_is_switched(made: Programme, client: Client) -> None:
    for way, is_on in (("on", True), ("off", False), ("on", True)):
        assert client.post(url("switch_payment_way", "test", way), headers=HTMX).status_code == 204
        assert PaymentAccount.objects.get().is_enabled is is_on
    assert client.post(url("switch_payment_way", "gold", "on"), headers=HTMX).status_code == 404
