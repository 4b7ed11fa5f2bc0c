"""The jobs: expiry, activation, holds past their time. Each may run as often as it likes."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from core.actors import SYSTEM
from members.points import operations as points
from members.points.models import Account, Entry
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.operations import enqueue, run_pending
from tenants.jobs.queries import get_job
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)


def _run_three_times(kind: str, at: datetime) -> list[Any]:
    results = []
    for number in range(3):
        job = enqueue(kind=kind, dedupe_key=f"test-{number}", by=SYSTEM, at=at)
        run_pending(at=at)
        done = get_job(job_id=job.pk)
        assert done.state == "done", done.error
        results.append(done.result)
    return results


def test_expiry_takes_what_is_left_of_due_lots(ledger: Ledger) -> None:
    ledger.earn(30, MARCH)
    ledger.earn(5, MARCH, available_at=ledger.at + timedelta(days=40))
    ledger.earn(40, APRIL)
    ledger.earn(7, MARCH, wallet="growth")
    ledger.redeem(10)
    last_day = datetime.fromisoformat("2026-03-31T23:59:59+08:00")
    assert points.expire_chunk(at=last_day) == points.Chunk(0, 0, 0)
    next_day = last_day + timedelta(seconds=1)
    assert points.expire_chunk(at=next_day) == points.Chunk(accounts=2, lots=3, points=32)
    assert (ledger.account.balance, ledger.account.pending) == (40, 0)
    assert ledger.lots == [(MARCH, 1, 0), (MARCH, 2, 0), (APRIL, 3, 40)]
    entry = Entry.objects.get(account=ledger.account, kind=Entry.Kind.EXPIRE)
    first_day = date(2000, 1, 1)
    day = (MARCH - first_day).days
    assert (entry.seq, entry.delta, entry.balance_after, entry.at) == (5, -25, 40, next_day)
    assert entry.lots == [day, 1, -20, day, 2, -5]
    events = Event.objects.filter(type="points.expired").order_by("subject", "data__wallet")
    assert [(event.subject, event.data) for event in events] == [
        (f"member:{OWNER}", {"wallet": "growth", "points": 7}),
        (f"member:{OWNER}", {"wallet": "points", "points": 25}),
    ]


def test_expiry_job_three_times(ledger: Ledger) -> None:
    ledger.earn(30, MARCH)
    later = ledger.at + timedelta(days=30)
    assert _run_three_times("points.expire", later) == [
        {"accounts": 1, "lots": 1, "points": 30},
        {"accounts": 0, "lots": 0, "points": 0},
        {"accounts": 0, "lots": 0, "points": 0},
    ]
    assert ledger.account.balance == 0
    assert Entry.objects.filter(kind=Entry.Kind.EXPIRE).count() == 1


def test_activation_job_three_times(ledger: Ledger) -> None:
    ledger.earn(30, available_at=ledger.at + timedelta(days=2))
    ledger.earn(12, available_at=ledger.at + timedelta(days=3))
    later = ledger.at + timedelta(days=2)
    assert _run_three_times("points.activate", later) == [
        {"accounts": 1, "lots": 1, "points": 30},
        {"accounts": 0, "lots": 0, "points": 0},
        {"accounts": 0, "lots": 0, "points": 0},
    ]
    assert (ledger.account.balance, ledger.account.pending) == (42, 12)
    assert Entry.objects.count() == 2


def test_holds_job_three_times(ledger: Ledger) -> None:
    ledger.earn(30)
    ledger.hold(10, ledger.at + timedelta(hours=1))
    ledger.hold(10, ledger.at + timedelta(hours=9))
    later = ledger.at + timedelta(hours=2)
    assert _run_three_times("points.release_holds", later) == [
        {"holds": 1},
        {"holds": 0},
        {"holds": 0},
    ]
    assert (ledger.account.balance, ledger.account.held) == (20, 10)


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_chunks_add_up_to_the_whole(brand: Brand, at: datetime, limit: int) -> None:
    owners = range(100, 110)
    points.open_accounts_for(owner_ids=owners, at=at)
    for owner in owners:
        for amount in (1, 2):
            points.earn(
                owner_id=owner, amount=amount * owner, key=uuid.uuid4(), at=at, source=SOURCE,
                expires_on=MARCH,
            )  # fmt: skip
    later = at + timedelta(days=30)
    total = points.Chunk(0, 0, 0)
    while (chunk := points.expire_chunk(at=later, limit=limit)).accounts:
        total = points.Chunk(
            total.accounts + chunk.accounts, total.lots + chunk.lots, total.points + chunk.points
        )
    assert total == points.Chunk(10, 20, 3 * sum(owners))
    assert set(Account.objects.filter(owner_id__in=owners).values_list("balance", flat=True)) == {0}
