"""Using, booking, rating, ordering, calling off and changing: once, and with reasons."""

from datetime import timedelta

import pytest
from django.utils import timezone

from benefits.grants import operations as grants
from benefits.grants.models import Redemption, RedemptionNote
from benefits.mall.models import MallOrder
from core import clock, ids
from members.points.models import Entry
from members.profiles.models import MemberPersonal
from partners.orders.operations import request_order
from tests.integration.benefits.world import ADDRESS, STAFF
from tests.integration.portal.conftest import Portal, url

HTMX = {"HX-Request": "true"}


def test_a_unit_is_used_once_however_often_it_is_sent(portal: Portal) -> None:
    client = portal.client
    body = {"token": ids.uuid7()}
    first = client.post(url("use", "tea"), body)
    again = client.post(url("use", "tea"), body)
    made = Redemption.objects.get(key=body["token"])
    assert first.status_code == again.status_code == 302
    assert first["Location"] == again["Location"] == url("redemption", made.key)
    assert Redemption.objects.count() == 2
    portal.tea.refresh_from_db()
    assert portal.tea.used == 2


def test_htmx_is_led_to_the_redemption(portal: Portal) -> None:
    token = ids.uuid7()
    answer = portal.client.post(url("use", "tea"), {"token": token}, headers=HTMX)
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == url("redemption", token)


def test_a_booking_keeps_the_time_and_the_words(portal: Portal) -> None:
    slot = (portal.at + timedelta(days=2)).astimezone(timezone.get_current_timezone())
    body = {
        "token": ids.uuid7(),
        "slot_at": slot.strftime("%Y-%m-%dT%H:%M"),
        "note": "Sensitive skin",
    }
    assert portal.client.post(url("use", "care"), body).status_code == 302
    made = Redemption.objects.get(key=body["token"])
    # 12:00 typed is noon in the brand's zone, and so is what was read.
    assert clock.local_date(made.slot_at, "Asia/Shanghai") == slot.date()
    assert RedemptionNote.objects.get(redemption=made).note == "Sensitive skin"


def test_a_time_that_is_past_is_refused(portal: Portal) -> None:
    body = {"token": ids.uuid7(), "slot_at": "2026-03-01T10:00", "note": ""}
    answer = portal.client.post(url("use", "care"), body, headers=HTMX)
    assert answer.status_code == 422
    assert "Please choose a time to come." in answer.content.decode()
    assert Redemption.objects.count() == 1


def test_a_refusal_says_why_in_the_form(portal: Portal) -> None:
    client = portal.client
    for _ in range(2):
        assert client.post(url("use", "tea"), {"token": ids.uuid7()}).status_code == 302
    answer = client.post(url("use", "tea"), {"token": ids.uuid7()}, headers=HTMX)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert 'role="alert"' in html
    assert "used" in html
    assert Redemption.objects.count() == 3


def test_what_was_never_granted_can_not_be_used(portal: Portal) -> None:
    answer = portal.client.post(url("use", "lounge"), {"token": ids.uuid7()}, headers=HTMX)
    assert answer.status_code == 422
    assert "Not among your benefits at the moment." in answer.content.decode()
    assert Redemption.objects.count() == 1


def test_a_use_is_called_off_and_comes_back(portal: Portal) -> None:
    address = url("cancel_redemption", portal.redemption.key)
    assert portal.client.post(address).status_code == 302
    portal.redemption.refresh_from_db()
    portal.tea.refresh_from_db()
    assert (portal.redemption.state, portal.tea.used) == ("cancelled", 0)


@pytest.fixture
def fulfilled(portal: Portal) -> Redemption:
    """Return Ann's redemption, carried out."""
    return grants.fulfil(redemption=portal.redemption, by=STAFF, at=clock.now())


def test_the_last_rating_counts(portal: Portal, fulfilled: Redemption) -> None:
    client = portal.client
    address = url("rate", fulfilled.key)
    assert client.post(address, {"nps": 9}).status_code == 422
    body = {"rating": 4, "nps": 9, "comment": "Calm"}
    assert client.post(address, body)["Location"] == url("redemption", fulfilled.key)
    fulfilled.refresh_from_db()
    assert (fulfilled.rating, fulfilled.nps) == (4, 9)
    assert RedemptionNote.objects.get(redemption=fulfilled).comment == "Calm"
    assert client.post(address, {"rating": 2}).status_code == 302
    fulfilled.refresh_from_db()
    assert (fulfilled.rating, fulfilled.nps) == (2, None)


def test_an_open_use_can_not_be_rated(portal: Portal) -> None:
    answer = portal.client.post(url("rate", portal.redemption.key), {"rating": 5}, headers=HTMX)
    assert answer.status_code == 422
    portal.redemption.refresh_from_db()
    assert portal.redemption.rating is None


def test_the_page_stops_asking_when_all_is_done(portal: Portal) -> None:
    client = portal.client
    asking = {"HX-Request": "true", "HX-Trigger": "status", "HX-Target": "status"}
    address = url("redemption", portal.redemption.key)
    before = client.get(address, headers=asking)
    assert before.status_code == 200
    assert b"every 4s" in before.content
    grants.fulfil(redemption=portal.redemption, by=STAFF, at=clock.now())
    after = client.get(address, headers=asking)
    assert after.status_code == 286
    assert b"every 4s" not in after.content


def test_the_order_with_a_partner_is_shown(portal: Portal) -> None:
    made = portal.benefits.redeem(portal.ann, portal.care)
    order = request_order(redemption_id=made.pk, at=clock.now())
    html = portal.client.get(url("redemption", made.key)).content.decode()
    assert order.number in html
    assert made.code in html
    assert portal.offering.partner.name in html
    assert "We ask a provider" in html


def test_an_item_is_ordered_once_however_often_it_is_sent(portal: Portal) -> None:
    client, token = portal.client, ids.uuid7()
    for _ in range(2):
        answer = client.post(url("item", "towel"), {"token": token, **ADDRESS}, headers=HTMX)
        assert answer["HX-Redirect"] == url("order", token)
    assert MallOrder.objects.count() == 2
    assert portal.benefits.balance(portal.ann) == (800, 200)


def test_an_order_without_an_address_is_refused(portal: Portal) -> None:
    answer = portal.client.post(url("item", "towel"), {"token": ids.uuid7()}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.content.decode().count("This field is required.") == 3
    assert MallOrder.objects.count() == 1


def test_an_order_beyond_the_points_says_what_is_missing(portal: Portal) -> None:
    answer = portal.client.post(
        url("item", "robe"), {"token": ids.uuid7(), **ADDRESS}, headers=HTMX
    )
    assert answer.status_code == 422
    assert "points are missing." in answer.content.decode()
    assert MallOrder.objects.count() == 1
    assert portal.benefits.balance(portal.ann) == (900, 100)


def test_an_order_is_called_off_and_the_points_come_back(portal: Portal) -> None:
    assert portal.client.post(url("cancel_order", portal.order.key)).status_code == 302
    portal.order.refresh_from_db()
    assert portal.order.state == "cancelled"
    assert portal.benefits.balance(portal.ann) == (1_000, 0)
    released = Entry.objects.filter(kind=Entry.Kind.RELEASE).count()
    assert released == 1


def test_a_member_changes_their_data(portal: Portal) -> None:
    client = portal.client
    body = {"name": "Ann Li", "phone": "+8613800000000", "birthday": "1990-05-04"}
    assert client.post(url("edit"), body)["Location"] == url("me")
    found = MemberPersonal.objects.get(member=portal.ann)
    assert (found.name, found.phone, str(found.birthday)) == (
        "Ann Li",
        "+8613800000000",
        "1990-05-04",
    )
    refused = client.post(url("edit"), {**body, "birthday": "2999-01-01"}, headers=HTMX)
    assert refused.status_code == 422
    found.refresh_from_db()
    assert str(found.birthday) == "1990-05-04"
