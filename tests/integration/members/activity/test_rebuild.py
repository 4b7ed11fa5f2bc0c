"""The daily roll-up is made anew from the rows: what differs is mended, nothing else is touched."""

from datetime import datetime
from uuid import uuid4

import pytest
from django.db import connection

from core.actors import SYSTEM
from members.activity.invariants import CHECKS
from members.activity.models import MemberDay
from members.activity.rebuild import rebuild_days
from members.earning.operations import record_refund
from members.profiles.models import Member
from tenants.brands.models import Brand
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.earning.test_races import at_once
from tests.integration.members.earning.world import AT, TODAY, buy, days_ago, join, moment


def broken() -> list[str]:
    return [text for check in CHECKS.values() for text in check()]


def days() -> list[tuple[object, ...]]:
    return list(
        MemberDay.objects.order_by("member_id", "on_date").values_list(
            "member_id", "on_date", "orders", "spend_minor", "refunded_minor"
        )
    )


def run() -> dict[str, int]:
    job = enqueue(kind="activity.rebuild", dedupe_key=str(uuid4()), by=SYSTEM, at=AT)
    run_pending(at=AT)
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    return dict(job.result)


def fill() -> list[Member]:
    members = [join(), join()]
    for number, member in enumerate(members):
        buy(member, 1_000, key=f"A{number}")
        buy(member, 500, key=f"B{number}")
        buy(member, 0, on=days_ago(3))
    for amount, key in ((1_000, "A0"), (200, "B1")):
        record_refund(
            purchase_external_id=key,
            external_id="R",
            amount_minor=amount,
            occurred_at=moment(TODAY, 11),
            by=SYSTEM,
            at=AT,
        )
    return members


def test_sound_days_stay_as_they_are(brand: Brand) -> None:
    fill()
    before = days()
    assert run() == {"mended_days": 0}
    assert days() == before
    assert broken() == []


def test_days_that_differ_are_mended(brand: Brand) -> None:
    members = fill()
    before = days()
    MemberDay.objects.filter(member=members[0], on_date=TODAY).update(orders=7, spend_minor=9_999)
    MemberDay.objects.filter(member=members[1], on_date=days_ago(3)).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_memberday (member_id, on_date, orders, spend_minor) "
            "VALUES (%s, %s, 1, 1)",
            [members[1].pk, days_ago(100)],
        )
    assert len(broken()) == 3
    assert run() == {"mended_days": 3}
    assert days() == before
    assert run() == {"mended_days": 0}
    assert broken() == []


def test_an_empty_brand_has_nothing_to_rebuild(brand: Brand, at: datetime) -> None:
    assert run() == {"mended_days": 0}


@pytest.mark.race
def test_purchases_during_a_rebuild_are_not_lost(committed_brand: Brand) -> None:
    members = fill()
    MemberDay.objects.update(orders=99)
    works = [lambda m=m, n=n: buy(m, 10, key=f"x{m.pk}-{n}") for m in members for n in range(6)]
    works[6:6] = [lambda: rebuild_days(low=0, high=members[-1].pk + 1)] * 2
    outcomes = at_once(committed_brand, works)
    assert [found for found in outcomes if isinstance(found, Exception)] == []
    assert broken() == []
