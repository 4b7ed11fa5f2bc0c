"""Periodic services are reminded of once each time they fall due, and never when booked."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from benefits.grants.models import Grant, Redemption
from benefits.grants.operations import cancel, fulfil, revoke
from benefits.grants.queries import list_services_due
from members.profiles.models import Member
from members.profiles.operations import block_member
from tenants.events.models import Event
from tests.integration.benefits.world import STAFF, World

Run = Callable[..., dict[str, Any]]
REMIND = "grants.remind_services"


def on(day: date) -> datetime:
    """Return noon of a day in Shanghai."""
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def right(
    world: World,
    member: Member,
    *,
    starts: date,
    ends: date | None,
    quantity: int = 1,
    **parameters: int,
) -> Grant:
    """Give a right to a service from a day up to another."""
    benefit = world.benefit(
        kind="periodic_service", parameters={"every_months": 3, "remind_days": 14, **parameters}
    )
    return give(world, member, benefit, starts=starts, ends=ends, quantity=quantity)


def give(
    world: World,
    member: Member,
    benefit: Any,
    *,
    starts: date,
    ends: date | None,
    quantity: int = 1,
) -> Grant:
    """Give a right to a service that there is."""
    zone = timedelta(hours=8)
    return world.grant(
        member,
        benefit,
        quantity=quantity,
        starts_at=datetime(starts.year, starts.month, starts.day, tzinfo=UTC) - zone,
        ends_at=ends and datetime(ends.year, ends.month, ends.day, tzinfo=UTC) - zone,
    )


def serve(world: World, member: Member, grant: Grant, day: date) -> Redemption:
    """Let the member have the service on a day."""
    asked = world.redeem(member, grant, at=on(day))
    return fulfil(redemption=asked, by=STAFF, at=on(day))


def told() -> list[tuple[str, str]]:
    """Return who was told of which day."""
    events = Event.objects.filter(type="grant.service_due").order_by("id")
    return [(event.subject, event.data["due_on"]) for event in events]


def test_who_never_had_it_is_reminded_before_the_right_ends(world: World, run: Run) -> None:
    member = world.member()
    right(world, member, starts=date(2026, 3, 1), ends=date(2026, 4, 1))

    assert run(REMIND, at=on(date(2026, 3, 16))) == {"reminded": 0}
    assert run(REMIND, at=on(date(2026, 3, 17))) == {"reminded": 1}
    assert run(REMIND, at=on(date(2026, 3, 17))) == {"reminded": 0}
    assert run(REMIND, at=on(date(2026, 3, 31))) == {"reminded": 0}

    assert told() == [(f"member:{member.pk}", "2026-03-31")]


@pytest.mark.parametrize(
    ("every_months", "last", "due"),
    [
        (1, date(2026, 1, 31), date(2026, 2, 28)),
        (1, date(2026, 2, 28), date(2026, 3, 28)),
        (3, date(2025, 11, 30), date(2026, 2, 28)),
        (6, date(2026, 8, 31), date(2027, 2, 28)),
        (12, date(2028, 2, 29), date(2029, 2, 28)),
    ],
)
def test_it_falls_due_so_many_months_after_the_last_one(
    world: World, run: Run, every_months: int, last: date, due: date
) -> None:
    world.at = on(date(2025, 1, 1))
    member = world.member()
    grant = right(
        world, member, starts=date(2025, 1, 1), ends=date(2031, 1, 1), quantity=9,
        every_months=every_months,
    )  # fmt: skip
    serve(world, member, grant, last)

    assert run(REMIND, at=on(due - timedelta(days=15))) == {"reminded": 0}
    assert run(REMIND, at=on(due - timedelta(days=14))) == {"reminded": 1}
    assert run(REMIND, at=on(due - timedelta(days=13))) == {"reminded": 0}
    assert told() == [(f"member:{member.pk}", due.isoformat())]
    assert list_services_due(member_id=member.pk, at=on(due)) == {grant.pk: due}

    serve(world, member, grant, due)
    assert list_services_due(member_id=member.pk, at=on(due)) == {}
    later = (on(due) + timedelta(days=370 * every_months / 12)).date()
    assert run(REMIND, at=on(later)) == {"reminded": 1}


def test_who_has_booked_is_not_reminded_until_it_is_cancelled(world: World, run: Run) -> None:
    member = world.member()
    grant = right(world, member, starts=date(2026, 3, 1), ends=date(2026, 4, 1), quantity=2)
    booked = world.redeem(member, grant, at=on(date(2026, 3, 18)))

    assert run(REMIND, at=on(date(2026, 3, 20))) == {"reminded": 0}

    cancel(redemption=booked, by=STAFF, at=on(date(2026, 3, 20)))
    assert run(REMIND, at=on(date(2026, 3, 21))) == {"reminded": 1}


def test_each_right_of_a_new_period_is_reminded_of(world: World, run: Run) -> None:
    member = world.member()
    first = right(world, member, starts=date(2026, 1, 1), ends=date(2026, 4, 1))
    run(REMIND, at=on(date(2026, 3, 20)))
    give(world, member, first.benefit, starts=date(2026, 4, 1), ends=date(2026, 7, 1))

    assert run(REMIND, at=on(date(2026, 4, 2))) == {"reminded": 0}
    assert run(REMIND, at=on(date(2026, 6, 16))) == {"reminded": 1}
    assert told() == [(f"member:{member.pk}", day) for day in ("2026-03-31", "2026-06-30")]


def test_what_is_overdue_is_said_at_the_start_of_the_new_right(world: World, run: Run) -> None:
    world.at = on(date(2025, 12, 1))
    member = world.member()
    first = right(world, member, starts=date(2026, 1, 1), ends=date(2026, 4, 1))
    serve(world, member, first, date(2026, 1, 5))
    give(world, member, first.benefit, starts=date(2026, 6, 1), ends=date(2026, 9, 1))

    assert run(REMIND, at=on(date(2026, 6, 1))) == {"reminded": 1}
    assert run(REMIND, at=on(date(2026, 6, 2))) == {"reminded": 0}
    assert told() == [(f"member:{member.pk}", "2026-06-01")]


def test_nobody_is_told_of_what_can_not_be_used(world: World, run: Run) -> None:
    day = date(2026, 3, 20)
    blocked, lost, used, early = (world.member() for _one in range(4))
    right(world, blocked, starts=date(2026, 3, 1), ends=date(2026, 4, 1))
    block_member(member=blocked, reason="fraud", by=STAFF, at=world.at)
    taken = right(world, lost, starts=date(2026, 3, 1), ends=date(2026, 4, 1))
    revoke(grant=taken, reason="By mistake", by=STAFF, at=world.at)
    serve(
        world, used, right(world, used, starts=date(2026, 3, 1), ends=date(2026, 4, 1)),
        date(2026, 3, 16),
    )  # fmt: skip
    right(world, early, starts=date(2026, 3, 25), ends=date(2026, 4, 1))

    assert run(REMIND, at=on(day)) == {"reminded": 0}
    assert told() == []


def test_many_are_told_in_parts(world: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benefits.grants.reminders._PART", 2)
    service = world.benefit(kind="periodic_service", parameters={"every_months": 1})
    members = [world.member() for _one in range(5)]
    for member in members:
        give(world, member, service, starts=date(2026, 3, 1), ends=date(2026, 4, 1))

    assert [run(REMIND, at=on(date(2026, 3, 25)))["reminded"] for _time in range(2)] == [5, 0]
    assert [subject for subject, _day in told()] == [f"member:{member.pk}" for member in members]
