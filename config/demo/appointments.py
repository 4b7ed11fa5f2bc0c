"""Calendars of the demo brands, and members who have an appointment in the days to come."""

import random
from datetime import datetime, timedelta

from benefits.booking import operations, queries
from benefits.booking.values import Hours
from benefits.grants.models import Grant
from benefits.grants.operations import redeem
from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from core import clock
from core.actors import Actor
from core.ids import derived_uuid

_BOOKINGS = 14


def open_calendars(spec: BrandSpec, made: Programme, *, at: datetime) -> None:
    """Take bookings from now on, and let some members who hold the benefit book."""
    manager = made.actor("manager")
    rng = random.Random(f"{spec.slug} appointments")
    for given in spec.calendars:
        benefit = made.benefits[given.benefit]
        for store, _name, region in spec.stores:
            if not region:
                continue  # a web shop takes no appointments
            operations.set_calendar(
                benefit=benefit,
                store_code=store,
                hours=[Hours(day, 60 * first, 60 * last) for day, first, last in given.hours],
                slot_minutes=given.slot_minutes,
                capacity=given.capacity,
                lead_minutes=120,
                by=manager,
                at=at,
            )
        benefit.refresh_from_db()
        _book(benefit.pk, rng, at)


def _book(benefit_id: int, rng: random.Random, at: datetime) -> None:
    rights = Grant.objects.select_related("member").filter(
        benefit_id=benefit_id, used=0, revoked_at=None, starts_at__lte=at, ends_at__gt=at
    )
    calendars = queries.list_calendars(benefit_id=benefit_id)
    today = clock.local_date(at, "UTC")
    for right in rights.order_by("pk")[:_BOOKINGS]:
        calendar = rng.choice(calendars)
        days = queries.list_free_slots(calendar=calendar, from_on=today, days=7, at=at)
        free = [slot.starts_at for day in days for slot in day.slots]
        before_end = [slot for slot in free if right.ends_at is None or slot < right.ends_at]
        if not before_end:
            continue
        redeem(
            member=right.member,
            grant_id=right.pk,
            key=derived_uuid("demo appointment", right.pk),
            slot_at=rng.choice(before_end),
            store_code=calendar.store_code,
            by=Actor(kind="member", id=right.member_id),
            at=at - timedelta(minutes=rng.randint(5, 90)),
        )
