"""Ordering in the portal: sizes, addresses, the cash part, the waiting list, lucky draws."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benefits.mall import operations as mall
from benefits.mall.draws import operations as draws
from benefits.mall.draws.models import DrawTicket
from benefits.mall.draws.operations import PrizeDraft
from benefits.mall.models import MallItem, MallOrder, MemberAddress, StockRow, WaitingEntry
from benefits.mall.payments import operations as payments
from benefits.mall.payments.models import MallPayment
from core import clock
from core.ids import uuid7
from tests.integration.benefits.world import STAFF, problems
from tests.integration.portal.conftest import Portal, url

HTMX = {"HX-Request": "true"}
ADDRESS = {"recipient": "Ann", "phone": "+8613800000001", "lines": "1 Lake Road"}


def order(portal: Portal, code: str, **facts: Any) -> Any:
    return portal.client.post(url("item", code), {"token": str(uuid7()), **facts})


def shirt(portal: Portal) -> MallItem:
    item = portal.benefits.item(code="shirt", name={"en": "Shirt"}, stock=None, points=100)
    for code, stock in (("s", 2), ("l", 0)):
        mall.add_variant(
            item=item, code=code, name={"en": f"Size {code}"}, stock=stock, by=STAFF, at=portal.at
        )
    return item


def test_a_size_is_chosen_and_the_address_kept(portal: Portal) -> None:
    shirt(portal)
    html = portal.client.get(url("item", "shirt")).content.decode()
    assert "Size l" in html
    assert "Sold out" in html

    assert order(portal, "shirt", variant="l", **ADDRESS).status_code == 422
    assert order(portal, "shirt", variant="s", keep="on", **ADDRESS).status_code == 302

    made = MallOrder.objects.get(item__code="shirt")
    assert (made.variant and made.variant.code, made.address.lines) == ("s", "1 Lake Road")
    kept = MemberAddress.objects.get()
    assert (kept.recipient, kept.is_default) == ("Ann", True)
    assert "1 Lake Road" in portal.client.get(url("addresses")).content.decode()
    again = order(portal, "shirt", variant="s", address_id=str(kept.pk))
    assert again.status_code == 302
    assert MallOrder.objects.latest("pk").address.recipient == "Ann"
    assert portal.sign_in(portal.bea).post(url("forget_address", kept.pk)).status_code == 404
    portal.client.post(url("forget_address", kept.pk))
    assert not MemberAddress.objects.exists()


def test_a_place_on_the_waiting_list(portal: Portal) -> None:
    shirt(portal)
    html = portal.client.get(url("item", "shirt")).content.decode()
    assert "Tell me when there is one" in html
    assert "You are waiting for nothing" in portal.client.get(url("waiting")).content.decode()

    assert portal.client.post(url("wait", "shirt"), {"variant": "l"}).status_code == 302
    assert "You are the next" in portal.client.get(url("waiting")).content.decode()
    entry = WaitingEntry.objects.get()
    assert portal.sign_in(portal.bea).post(url("leave_waiting", entry.pk)).status_code == 404
    mall.add_stock(item=entry.item, variant=entry.variant, quantity=1, by=STAFF, at=portal.at)
    assert "Kept for you until" in portal.client.get(url("waiting")).content.decode()
    assert "One is kept for you" in portal.client.get(url("item", "shirt")).content.decode()
    assert portal.client.post(url("leave_waiting", entry.pk)).status_code == 302
    entry.refresh_from_db()
    assert entry.state == "left"


def test_the_cash_part_is_paid_on_the_test_page(portal: Portal) -> None:
    # The library that checks signatures reads the real clock.
    now = datetime.now(UTC)
    with clock.at(now):
        payments.open_account(provider="test", by=STAFF, at=now)
        portal.benefits.item(code="flask", cash_minor=990, points=100, stock=2)
        client = portal.client
        order(portal, "flask", **ADDRESS)
        made = MallOrder.objects.get(item__code="flask")
        page = client.get(url("order", made.key)).content.decode()
        assert "9.90" in page

        led = client.post(url("pay", made.key))
        payment = MallPayment.objects.get()
        assert led["Location"] == url("test_payment", payment.key)
        assert "9.90" in client.get(url("test_payment", payment.key)).content.decode()
        other = portal.sign_in(portal.bea)
        assert other.get(url("test_payment", payment.key)).status_code == 404
        client.post(url("test_payment", payment.key), {"answer": "decline"})
        made.refresh_from_db()
        assert made.state == "placed"
        client.post(url("pay", made.key))
        second = MallPayment.objects.latest("pk")
        client.post(url("test_payment", second.key), {"answer": "pay"})
        made.refresh_from_db()
        assert made.state == "confirmed"
        mall.ship_order(order=made, carrier="SF", tracking="SF1", by=STAFF, at=now)
        page = client.get(url("order", made.key)).content.decode()
        assert "https://www.sf-express.com/chn/en/waybill/waybill-detail/SF1" in page
        assert client.post(url("receive_order", made.key)).status_code == 302
        made.refresh_from_db()
        assert made.state == "completed"
        assert problems() == []


def test_a_lucky_draw_is_played_and_proved(portal: Portal) -> None:
    draw = draws.create_draw(
        code="wheel",
        name={"en": "Wheel"},
        points=10,
        per_day_limit=1,
        prizes=[
            PrizeDraft(kind="points", name={"en": "Five points"}, weight=999_000, points=5),
            PrizeDraft(kind="nothing", name={"en": "A smile"}, weight=1_000, is_fallback=True),
        ],
        by=STAFF,
        at=portal.at - timedelta(days=1),
    )
    draws.open_draw(draw=draw, by=STAFF, at=portal.at - timedelta(days=1))
    client = portal.client
    assert "Wheel" in client.get(url("mall")).content.decode()
    page = client.get(url("draw", "wheel")).content.decode()
    assert "99.9" in page
    assert draw.seeds.get().seed_hash in page
    assert draw.seeds.get().seed not in page

    token = str(uuid7())
    for _time in range(2):
        answer = client.post(url("draw", "wheel"), {"token": token, "words": "luck"})
        assert answer.status_code == 302
    ticket = DrawTicket.objects.get()
    page = client.get(url("ticket", ticket.key)).content.decode()
    assert str(ticket.roll) in page
    assert ticket.seed.seed not in page
    refused = client.post(url("draw", "wheel"), {"token": str(uuid7())}, headers=HTMX)
    assert refused.status_code == 422
    assert "You have no draws left." in refused.content.decode()
    assert portal.sign_in(portal.bea).get(url("ticket", ticket.key)).status_code == 404
    draws.end_draw(draw=draw, by=STAFF, at=portal.at)
    assert ticket.seed.seed in client.get(url("ticket", ticket.key)).content.decode()


@pytest.mark.parametrize("name", ["draw", "item", "wait"])
def test_what_is_not_there_is_not_found(portal: Portal, name: str) -> None:
    client = portal.client
    answer = (client.post if name == "wait" else client.get)(url(name, "nothing"))
    assert answer.status_code == 404


def test_a_sold_out_item_says_so_and_takes_no_order(portal: Portal) -> None:
    portal.benefits.item(code="gone", stock=0, points=10)
    page = portal.client.get(url("item", "gone")).content.decode()
    assert "Sold out." in page
    assert "Tell me when there is one" in page
    before = (MallOrder.objects.count(), StockRow.objects.get(item__code="gone").held)
    assert order(portal, "gone", **ADDRESS).status_code == 422
    assert (MallOrder.objects.count(), StockRow.objects.get(item__code="gone").held) == before
