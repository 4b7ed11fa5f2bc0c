"""Choosing a time, changing it, and what a member is told when it can not be."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from benefits.booking import operations as booking
from benefits.booking.models import SlotBooking
from benefits.booking.values import Hours
from benefits.grants.models import Redemption
from core import clock, ids
from members.activity.operations import put_store
from tests.integration.benefits.world import STAFF
from tests.integration.portal.conftest import Portal, url

HTMX = {"HX-Request": "true"}
TEN = datetime(2026, 3, 18, 2, 0, tzinfo=UTC)  # Wednesday, 10:00 in Shanghai
ELEVEN = TEN + timedelta(hours=1)


@pytest.fixture
def spa(portal: Portal) -> Portal:
    """Give Ann two units of a treatment that is booked in two stores."""
    benefit = portal.benefits.benefit(code="spa", name={"en": "Spa hour"})
    for code, region in (("one", "cn/bj"), ("two", "cn/gd")):
        put_store(code=code, name=f"Store {code}", region=region, by=STAFF, at=portal.at)
        booking.set_calendar(
            benefit=benefit,
            store_code=code,
            hours=[Hours(2, 600, 720)],
            slot_minutes=60,
            capacity=1,
            by=STAFF,
            at=portal.at,
        )
    portal.benefits.grant(portal.ann, benefit, quantity=2)
    return portal


def book(portal: Portal, slot: datetime, store: str = "two") -> Redemption:
    body = {"token": ids.uuid7(), "slot_at": slot.isoformat(), "store": store}
    assert portal.client.post(url("use", "spa"), body).status_code == 302
    return Redemption.objects.get(key=body["token"])


def test_the_store_near_the_member_is_shown_first(spa: Portal) -> None:
    html = spa.client.get(url("use", "spa"), headers=HTMX).content.decode()
    assert '<option value="two" selected>Store two</option>' in html
    assert TEN.isoformat() in html
    assert "Wed" in html
    other = spa.client.get(url("slots", "spa") + "?store=one", headers=HTMX).content.decode()
    assert '<option value="one" selected>Store one</option>' in other
    assert other.count('name="slot_at"') == 2


def test_a_time_is_booked_shown_and_no_longer_offered(spa: Portal) -> None:
    made = book(spa, TEN)
    assert (made.slot_at, made.store_code) == (TEN, "two")
    html = spa.client.get(url("redemption", made.key)).content.decode()
    assert "Store two" in html
    assert "Change the appointment" in html
    assert "Call this off? You get the use back." in html
    free = spa.client.get(url("slots", "spa") + "?store=two", headers=HTMX).content.decode()
    assert TEN.isoformat() not in free
    assert ELEVEN.isoformat() in free


def test_a_taken_time_is_refused_with_the_next_one(spa: Portal) -> None:
    book(spa, TEN)
    body = {"token": ids.uuid7(), "slot_at": TEN.isoformat(), "store": "two"}
    answer = spa.client.post(url("use", "spa"), body, headers=HTMX)
    assert answer.status_code == 422
    text = "This time is not free. The next one is on March 18, 2026 at 11:00."
    assert text in answer.content.decode()
    assert not Redemption.objects.filter(key=body["token"]).exists()
    for wrong in ("", "tomorrow", "2026-03-18T10:00"):
        body = {"token": ids.uuid7(), "slot_at": wrong, "store": "two"}
        answer = spa.client.post(url("use", "spa"), body, headers=HTMX)
        assert "Please choose one of the times." in answer.content.decode(), wrong
    assert SlotBooking.objects.count() == 1


def test_weeks_are_turned_and_an_empty_one_names_the_next_time(spa: Portal) -> None:
    first = spa.client.get(url("slots", "spa") + "?store=two&from=2026-03-19", headers=HTMX)
    assert "from=2026-03-26" in first.content.decode()
    assert "from=2026-03-15" in first.content.decode()  # not before today
    book(spa, TEN)
    book(spa, ELEVEN)
    full = spa.client.get(url("slots", "spa") + "?store=two", headers=HTMX).content.decode()
    assert "No time is free in these days" in full
    assert "from=2026-03-25" in full
    odd = spa.client.get(url("slots", "spa") + "?store=none&from=yesterday", headers=HTMX)
    assert odd.status_code == 200


def test_an_appointment_is_changed_until_its_deadline(spa: Portal) -> None:
    made = book(spa, TEN)
    address = url("reschedule", made.key)
    assert "Now on" in spa.client.get(address, headers=HTMX).content.decode()
    answer = spa.client.post(address, {"slot_at": ELEVEN.isoformat(), "store": "one"})
    assert answer.status_code == 302
    made.refresh_from_db()
    assert (made.slot_at, made.store_code) == (ELEVEN, "one")
    with clock.at(ELEVEN - timedelta(hours=23)):
        late = spa.client.post(address, {"slot_at": TEN.isoformat(), "store": "one"}, headers=HTMX)
        assert late.status_code == 422
        assert "It is too late to change this appointment." in late.content.decode()
        page = spa.client.get(url("redemption", made.key)).content.decode()
        assert "Change the appointment" not in page
        assert "Call this off? The use is not given back." in page
    made.refresh_from_db()
    assert made.slot_at == ELEVEN


def test_others_and_plain_uses_have_nothing_to_change(spa: Portal) -> None:
    made = book(spa, TEN)
    assert spa.sign_in(spa.bea).get(url("reschedule", made.key)).status_code == 404
    assert spa.client.get(url("reschedule", spa.redemption.key)).status_code == 404
    assert spa.client.get(url("slots", "tea")).status_code == 404


def test_the_code_on_the_screen_changes_every_half_minute(spa: Portal) -> None:
    made = book(spa, TEN)
    address = url("redemption", made.key)
    shown = []
    for seconds in (0, 20, 40):
        with clock.at(spa.at.astimezone(ZoneInfo("UTC")) + timedelta(seconds=seconds)):
            html = spa.client.get(address).content.decode()
            shown.append(html[html.index("qr-box") :][:2000])
    assert shown[0] == shown[1]
    assert shown[1] != shown[2]
