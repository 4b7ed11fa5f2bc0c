"""Calendars, closed days and moved appointments, through the console."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from benefits.booking.models import BookingCalendar, ClosedDay
from benefits.booking.queries import list_hours
from benefits.booking.values import Hours
from benefits.grants.models import Redemption
from benefits.grants.tokens import make_token
from core import clock
from members.activity.operations import put_store
from tests.integration.benefits.world import STAFF
from tests.integration.console.programme import Programme

HTMX = {"HX-Request": "true"}
TEN = datetime(2026, 3, 18, 2, 0, tzinfo=UTC)
FORM = {
    "store_code": "sh-1",
    "slot_minutes": "60",
    "capacity": "1",
    "lead_hours": "2",
    "change_hours": "24",
    "horizon_days": "30",
    "is_active": "on",
    "day_2": "10:00–12:00, 14:00-15:00",
    "day_3": "9:30至12:30；14:00～18:00",
}


@pytest.fixture
def made(brand: Any, at: datetime) -> Iterator[Programme]:
    """Return makers inside `brand`, with the clock set."""
    with clock.at(at):
        put_store(code="sh-1", name="Bund", region="cn/sh", by=STAFF, at=at)
        yield Programme(at)


@pytest.fixture
def client(made: Programme, staff_client: Callable[..., Client]) -> Client:
    """Return a client signed in as the owner."""
    return staff_client("owner")


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def calendar(client: Client, made: Programme) -> BookingCalendar:
    made.benefits.benefit(code="spa", name={"en": "Spa hour"})
    answer = client.post(url("create_calendar", "spa"), FORM, headers=HTMX)
    assert answer.status_code == 204, answer.content.decode()
    return BookingCalendar.objects.get()


def booked(made: Programme, slot: datetime = TEN) -> Redemption:
    world = made.benefits
    member = world.member()
    grant = world.grant(member, BookingCalendar.objects.get().benefit)
    return world.redeem(member, grant, slot_at=slot, store_code="sh-1")


def test_a_calendar_is_made_as_typed_and_shown(client: Client, made: Programme) -> None:
    row = calendar(client, made)
    assert (row.store_code, row.lead_minutes, row.change_minutes) == ("sh-1", 120, 1_440)
    assert list_hours(calendar=row) == [
        Hours(2, 600, 720),
        Hours(2, 840, 900),
        Hours(3, 570, 750),
        Hours(3, 840, 1_080),
    ]
    redemption = booked(made)
    html = client.get(url("benefit", "spa") + "?tab=appointments").content.decode()
    for word in ("Bund", "10:00–12:00, 14:00–15:00", "60 minutes, 1 at a time", "1 day before"):
        assert word in html, word
    assert url("redemption", redemption.pk) in html
    later = client.get(url("benefit", "spa") + "?tab=appointments&from=2026-03-22").content.decode()
    assert url("redemption", redemption.pk) not in later


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"day_2": "ten to twelve"}, "day_2"),
        ({"day_2": "10:00–12:00, 11:00–13:00"}, "day_2"),
        ({"day_3": "12:00–10:00"}, "day_3"),
        ({"day_3": "10:00–10:30"}, "day_3"),
        ({"day_2": "", "day_3": ""}, "day_0"),
        ({"slot_minutes": "1"}, "slot_minutes"),
        ({"capacity": "0"}, "capacity"),
    ],
)
def test_a_wrong_part_is_shown_where_it_stands(
    client: Client, made: Programme, changes: dict[str, str], field: str
) -> None:
    made.benefits.benefit(code="spa")
    answer = client.post(url("create_calendar", "spa"), {**FORM, **changes}, headers=HTMX)
    assert answer.status_code == 422
    html = answer.content.decode()
    place = html.index(f'name="{field}"')
    assert "is-invalid" in html[place - 200 : place + 300]
    assert not BookingCalendar.objects.exists()


def test_a_day_is_closed_unless_somebody_comes(client: Client, made: Programme) -> None:
    row = calendar(client, made)
    booked(made)
    address = url("close_calendar_day", "spa", row.pk)
    refused = client.post(address, {"closed_on": "2026-03-18", "reason": "Fair"}, headers=HTMX)
    assert refused.status_code == 422
    assert "Members have appointments on this day" in refused.content.decode()
    done = client.post(address, {"closed_on": "2026-03-19", "reason": "Fair"}, headers=HTMX)
    assert done.status_code == 204
    assert ClosedDay.objects.get().closed_on == date(2026, 3, 19)
    assert "Fair" in client.get(url("benefit", "spa") + "?tab=appointments").content.decode()
    again = client.post(url("open_calendar_day", "spa", row.pk, "2026-03-19"), headers=HTMX)
    assert again.status_code == 204
    assert not ClosedDay.objects.exists()
    assert (
        client.post(url("open_calendar_day", "spa", row.pk, "x"), headers=HTMX).status_code == 404
    )


def test_places_below_what_is_booked_are_refused(client: Client, made: Programme) -> None:
    row = calendar(client, made)
    address = url("edit_calendar", "spa", row.pk)
    assert client.post(address, {**FORM, "capacity": "2"}, headers=HTMX).status_code == 204
    booked(made), booked(made)
    refused = client.post(address, {**FORM, "capacity": "1"}, headers=HTMX)
    assert refused.status_code == 422
    assert "More places than this are booked already." in refused.content.decode()
    row.refresh_from_db()
    assert row.capacity == 2


def test_staff_move_an_appointment(client: Client, made: Programme) -> None:
    calendar(client, made)
    redemption = booked(made)
    page = client.get(url("redemption", redemption.pk)).content.decode()
    assert "Bund" in page
    address = url("move_appointment", redemption.pk)
    form = client.get(address, headers=HTMX).content.decode()
    assert "2026-03-18 11:00, 2026-03-18 14:00" in form
    refused = client.post(address, {"slot_at": "2026-03-18T10:30", "store": "sh-1"}, headers=HTMX)
    assert refused.status_code == 422
    moved = client.post(address, {"slot_at": "2026-03-18T11:00", "store": "sh-1"}, headers=HTMX)
    assert moved.status_code == 204
    redemption.refresh_from_db()
    assert redemption.slot_at == TEN + timedelta(hours=1)
    plain = made.redemption("tea")
    assert client.get(url("move_appointment", plain.pk), headers=HTMX).status_code == 404


def test_a_scanned_code_finds_the_redemption(client: Client, made: Programme) -> None:
    redemption = made.redemption("tea")
    token = make_token(redemption=redemption, at=clock.now())
    page = client.get(url("redemptions"), {"q": token}).content.decode()
    assert url("redemption", redemption.pk) + '"' in page
    old = make_token(redemption=redemption, at=clock.now() - timedelta(minutes=5))
    page = client.get(url("redemptions"), {"q": old}).content.decode()
    assert "This code is out of date" in page


def test_only_those_who_may_change_benefits(
    made: Programme, staff_client: Callable[..., Client]
) -> None:
    made.benefits.benefit(code="spa")
    support = staff_client("support")
    assert support.post(url("create_calendar", "spa"), FORM, headers=HTMX).status_code == 403
    assert not BookingCalendar.objects.exists()


def test_more_stores_cost_no_more_queries(
    client: Client, made: Programme, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    calendar(client, made)
    booked(made)
    for number in range(4):
        store = f"sh-{number + 2}"
        put_store(code=store, name=store, region="cn/sh", by=STAFF, at=clock.now())
        form = {**FORM, "store_code": store}
        assert client.post(url("create_calendar", "spa"), form, headers=HTMX).status_code == 204
    client.get(url("benefit", "spa"))
    with django_assert_max_num_queries(12):
        client.get(url("benefit", "spa") + "?tab=appointments")
