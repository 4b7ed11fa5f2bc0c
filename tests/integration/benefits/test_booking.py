"""Appointments: what is free, taking, moving, giving back, reminding; and eight at once."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from benefits.booking import invariants, operations, queries
from benefits.booking.errors import (
    BookedDayError,
    BookingNotFoundError,
    CapacityInUseError,
    InvalidCalendarError,
    NoSuchSlotError,
    SlotFullError,
    SlotNeededError,
    SlotPastError,
    UnknownCalendarError,
)
from benefits.booking.models import BookingCalendar, OpeningHours, Slot, SlotBooking
from benefits.booking.values import Hours
from benefits.catalogue.models import Benefit
from benefits.grants import operations as grants
from benefits.grants.appointments import booking_key, get_appointment
from benefits.grants.errors import (
    ChangeTooLateError,
    InvalidGrantError,
    InvalidStateError,
    SlotAfterEndError,
)
from benefits.grants.models import Grant, Redemption, RedemptionStep
from core.ids import uuid7
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.benefits.world import STAFF, World, acting, event_types, problems
from tests.races import together

# The clock of the tests stands at Sunday 2026-03-15 12:00 in Shanghai.
MONDAY = date(2026, 3, 16)
TEN = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
ELEVEN = TEN + timedelta(hours=1)
DAILY = [Hours(weekday, 600, 720) for weekday in range(7)]


def calendar(world: World, benefit: Benefit, **changes: Any) -> BookingCalendar:
    """Return a calendar of two appointments a day, 10:00 and 11:00, one member each."""
    facts: dict[str, Any] = {
        "store_code": "sh-1",
        "hours": DAILY,
        "slot_minutes": 60,
        "capacity": 1,
        "horizon_days": 10,
    }
    made = operations.set_calendar(benefit=benefit, **{**facts, **changes}, by=STAFF, at=world.at)
    benefit.refresh_from_db()
    return made


def booked(world: World, benefit: Benefit, starts_at: datetime = TEN, **more: Any) -> Redemption:
    member = world.member()
    grant = world.grant(member, benefit, **more)
    return world.redeem(member, grant, slot_at=starts_at, store_code="sh-1")


def counts() -> tuple[int, int, int]:
    """Return (units used, redemptions, places booked)."""
    return (
        sum(Grant.objects.values_list("used", flat=True)),
        Redemption.objects.count(),
        sum(Slot.objects.values_list("booked", flat=True)),
    )


def test_the_free_times_of_a_week(world: World) -> None:
    benefit = world.benefit()
    made = calendar(world, benefit)
    booked(world, benefit)
    operations.close_day(calendar=made, on=date(2026, 3, 17), by=STAFF, at=world.at)
    days = queries.list_free_slots(calendar=made, from_on=date(2026, 3, 1), days=40, at=world.at)
    assert [day.on for day in days] == [date(2026, 3, 15) + timedelta(days=n) for n in range(11)]
    found = {day.on.day: [slot.starts_at for slot in day.slots] for day in days}
    assert found[15] == []  # both had begun
    assert found[16] == [ELEVEN]
    assert found[17] == []
    assert found[18] == [TEN + timedelta(days=2), ELEVEN + timedelta(days=2)]
    assert queries.next_free_at(calendar=made, at=world.at) == ELEVEN


def test_reading_a_month_takes_three_queries(
    world: World, django_assert_num_queries: Callable[..., Any]
) -> None:
    made = calendar(world, world.benefit(), horizon_days=60)
    with django_assert_num_queries(3):
        days = queries.list_free_slots(calendar=made, from_on=MONDAY, days=30, at=world.at)
    assert sum(len(day.slots) for day in days) == 60


def test_a_use_takes_its_place_and_gives_it_back(world: World) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    used = booked(world, benefit)
    assert (used.slot_at, used.store_code) == (TEN, "sh-1")
    appointment = get_appointment(redemption=used)
    assert appointment is not None
    assert appointment.ends_at == ELEVEN
    assert appointment.change_until == TEN - timedelta(days=1)
    assert counts() == (1, 1, 1)
    grants.cancel(redemption=used, by=STAFF, at=world.at)
    assert counts() == (0, 1, 0)
    assert get_appointment(redemption=used) is None
    assert booked(world, benefit).slot_at == TEN
    assert problems() + invariants.slots_count_their_bookings() == []


@pytest.mark.parametrize(
    ("slot_at", "store", "error", "next_at"),
    [
        (None, "sh-1", SlotNeededError, ELEVEN),
        (TEN, "sh-1", SlotFullError, ELEVEN),
        (TEN + timedelta(minutes=30), "sh-1", NoSuchSlotError, ELEVEN),
        (TEN + timedelta(days=11), "sh-1", NoSuchSlotError, None),
        (datetime(2026, 3, 15, 4, 30, tzinfo=UTC), "sh-1", SlotPastError, ELEVEN),
        (ELEVEN, "sh-2", UnknownCalendarError, None),
        (ELEVEN + timedelta(days=20), "sh-1", SlotAfterEndError, None),
        (datetime(2026, 3, 15, 3, 0, tzinfo=UTC), "sh-1", InvalidGrantError, None),
    ],
)
def test_a_refused_time_changes_nothing_and_names_the_next(
    world: World, slot_at: datetime | None, store: str, error: Any, next_at: datetime | None
) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    booked(world, benefit)
    member = world.member()
    grant = world.grant(member, benefit, ends_at=world.at + timedelta(days=20))
    before = counts()
    with pytest.raises(error) as refused:
        world.redeem(member, grant, slot_at=slot_at, store_code=store)
    expected = None if next_at is None else next_at.isoformat()
    assert refused.value.data.get("next_at") == expected
    assert counts() == before


def test_an_appointment_moves_and_its_old_place_is_free(world: World) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    used = booked(world, benefit, TEN + timedelta(days=3))
    later = ELEVEN + timedelta(days=4)
    moved = grants.reschedule(redemption=used, slot_at=later, by=acting(used.member), at=world.at)
    assert moved.slot_at == later
    taken = {slot.starts_at: slot.booked for slot in Slot.objects.all()}
    assert taken == {TEN + timedelta(days=3): 0, later: 1}
    again = grants.reschedule(redemption=used, slot_at=later, by=acting(used.member), at=world.at)
    assert again.slot_at == later
    assert RedemptionStep.objects.filter(redemption=used).count() == 1
    assert event_types(f"redemption:{used.pk}")[-1] == "redemption.rescheduled"
    assert invariants.slots_count_their_bookings() == []


def test_a_member_may_change_until_the_deadline_and_staff_after(world: World) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    used = booked(world, benefit)  # tomorrow at ten; the deadline was today at ten
    other = TEN + timedelta(days=2)
    with pytest.raises(ChangeTooLateError) as late:
        grants.reschedule(redemption=used, slot_at=other, by=acting(used.member), at=world.at)
    assert late.value.data == {"change_until": (TEN - timedelta(days=1)).isoformat()}
    assert grants.reschedule(redemption=used, slot_at=other, by=STAFF, at=world.at).slot_at == other
    # Called off in time the unit comes back, too late it does not.
    ended = grants.cancel(redemption=used, by=acting(used.member), at=world.at)
    assert ended.unit_returned is True
    near = booked(world, benefit)
    assert (
        grants.cancel(redemption=near, by=acting(near.member), at=world.at).unit_returned is False
    )
    assert counts() == (1, 2, 0)


def test_what_can_not_be_moved_says_so(world: World) -> None:
    benefit = world.benefit()
    plain = world.redemption()
    with pytest.raises(BookingNotFoundError):
        grants.reschedule(redemption=plain, slot_at=TEN, by=STAFF, at=world.at)
    calendar(world, benefit)
    first, second = booked(world, benefit), booked(world, benefit, ELEVEN)
    with pytest.raises(SlotFullError):
        grants.reschedule(redemption=second, slot_at=TEN, by=STAFF, at=world.at)
    assert get_appointment(redemption=second) is not None
    grants.fulfil(redemption=first, by=STAFF, at=world.at)
    with pytest.raises(InvalidStateError):
        grants.reschedule(redemption=first, slot_at=TEN + timedelta(days=1), by=STAFF, at=world.at)
    assert invariants.slots_count_their_bookings() == []


def test_each_appointment_is_reminded_of_once(world: World, run: Callable[..., Any]) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    soon, later = booked(world, benefit), booked(world, benefit, TEN + timedelta(days=2))
    gone = booked(world, benefit, ELEVEN)
    grants.cancel(redemption=gone, by=STAFF, at=world.at)
    assert run("grants.remind", at=world.at) == {"reminded": 1}
    assert run("grants.remind", at=world.at + timedelta(hours=1)) == {"reminded": 0}
    assert run("grants.remind", at=world.at + timedelta(days=2)) == {"reminded": 1}
    told = Event.objects.filter(type="redemption.reminder").order_by("id")
    assert [event.data["redemption"] for event in told] == [soon.pk, later.pk]
    assert told[0].data["slot_at"] == TEN.isoformat()


def test_a_calendar_is_checked_part_by_part(world: World) -> None:
    benefit = world.benefit()
    for changes, pointer in [
        ({"slot_minutes": 4}, "/slot_minutes"),
        ({"capacity": 0}, "/capacity"),
        ({"horizon_days": 0}, "/horizon_days"),
        ({"lead_minutes": -1}, "/lead_minutes"),
        ({"hours": []}, "/hours"),
        ({"hours": [Hours(0, 600, 620)]}, "/hours/0/closes"),
        ({"hours": [Hours(0, 600, 720), Hours(0, 660, 780)]}, "/hours/1/opens"),
    ]:
        with pytest.raises(InvalidCalendarError) as refused:
            calendar(world, benefit, **changes)
        assert refused.value.data["pointer"] == pointer
    with pytest.raises(InvalidCalendarError):
        calendar(world, world.benefit(channel="partner", kind="partner_service"))
    assert not BookingCalendar.objects.exists()
    assert not OpeningHours.objects.exists()


def test_a_calendar_never_drops_those_who_booked(world: World) -> None:
    benefit = world.benefit()
    made = calendar(world, benefit, capacity=2)
    booked(world, benefit), booked(world, benefit)
    with pytest.raises(CapacityInUseError) as refused:
        calendar(world, benefit, capacity=1)
    assert refused.value.data == {"starts_at": TEN.isoformat(), "booked": 2}
    with pytest.raises(BookedDayError) as day:
        operations.close_day(calendar=made, on=MONDAY, by=STAFF, at=world.at)
    assert day.value.data == {"bookings": 2}
    made.refresh_from_db()
    assert made.capacity == 2
    # Other hours: who has booked keeps the time, nobody new gets it.
    calendar(world, benefit, capacity=3, hours=[Hours(0, 660, 720)])
    assert Slot.objects.get().capacity == 3
    with pytest.raises(NoSuchSlotError):
        booked(world, benefit)
    assert (
        len(
            queries.list_appointments(
                calendars=[made], from_on=MONDAY, to_on=MONDAY.replace(day=17)
            )[made.pk]
        )
        == 2
    )


def test_a_benefit_without_calendars_is_used_at_any_time(world: World) -> None:
    benefit = world.benefit()
    calendar(world, benefit)
    assert benefit.by_appointment is True
    calendar(world, benefit, is_active=False)
    assert benefit.by_appointment is False
    member = world.member()
    used = world.redeem(member, world.grant(member, benefit))
    assert (used.slot_at, SlotBooking.objects.count()) == (None, 0)


# --- Eight at once ------------------------------------------------------------------------


def book_together(brand: Brand, world: World) -> list[Any]:
    benefit = world.benefit()
    calendar(world, benefit, capacity=3)
    members = [world.member() for _one in range(8)]
    rights = [world.grant(member, benefit) for member in members]

    def book(n: int) -> Callable[[], Any]:
        return lambda: grants.redeem(
            member=members[n],
            grant_id=rights[n].pk,
            key=uuid7(),
            slot_at=TEN,
            store_code="sh-1",
            by=acting(members[n]),
            at=world.at,
        )

    return together(brand, [book(n) for n in range(8)])


@pytest.mark.race
def test_eight_members_never_overbook_a_slot(
    committed_brand: Brand, committed_world: World
) -> None:
    results = book_together(committed_brand, committed_world)
    kinds = Counter(type(result).__name__ for result in results)
    assert kinds == {"Redemption": 3, "SlotFullError": 5}
    assert counts() == (3, 3, 3)
    assert invariants.slots_count_their_bookings() + problems() == []


@pytest.mark.race
def test_without_the_condition_a_slot_is_overbooked(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the last wall gone, and the place taken without a condition."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE benefits_slot DROP CONSTRAINT slot_not_overbooked")
    monkeypatch.setattr(
        operations, "_TAKE", operations._TAKE.replace("WHERE slot.booked < slot.capacity", "")
    )
    results = book_together(committed_brand, committed_world)
    assert [type(result).__name__ for result in results] == ["Redemption"] * 8
    assert invariants.slots_count_their_bookings() == [
        f"slot {Slot.objects.get().pk}: 8 booked, 8 bookings"
    ]


@pytest.mark.race
def test_two_members_change_places_without_waiting_for_ever(
    committed_brand: Brand, committed_world: World
) -> None:
    world = committed_world
    benefit = world.benefit()
    calendar(world, benefit, capacity=2)
    for _round in range(4):
        one, two = (
            booked(world, benefit, TEN + timedelta(days=2)),
            booked(world, benefit, ELEVEN + timedelta(days=2)),
        )
        results = together(
            committed_brand,
            [
                lambda row=one, to=two.slot_at: grants.reschedule(
                    redemption=row, slot_at=to, by=STAFF, at=world.at
                ),
                lambda row=two, to=one.slot_at: grants.reschedule(
                    redemption=row, slot_at=to, by=STAFF, at=world.at
                ),
            ],
        )
        assert [type(result).__name__ for result in results] == ["Redemption"] * 2
        for row in (one, two):
            grants.cancel(redemption=row, by=STAFF, at=world.at)
    assert invariants.slots_count_their_bookings() == []
    assert not SlotBooking.objects.filter(cancelled_at__isnull=True).exists()
    assert booking_key(one) == f"redemption:{one.pk}"
