"""Liability per day: as of any day, again and again the same."""

import random
import uuid
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from core.actors import SYSTEM
from core.errors import DomainError
from members.points import operations as points
from members.points.models import LiabilityDay
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

FIGURES = (
    "on_date", "outstanding", "held", "issued", "spent", "expired", "corrected", "cost_minor",
    "matured", "lapsed", "breakage", "breakage_minor",
)  # fmt: skip


def figures() -> list[tuple[Any, ...]]:
    return list(LiabilityDay.objects.order_by("wallet", "on_date").values_list(*FIGURES))


def test_days_worked_by_hand(ledger: Ledger) -> None:
    ledger.rules(cost_per_point_micro=1_500_000)  # a point costs 1.5 cents
    at = datetime.fromisoformat("2026-03-10T12:00:00+08:00")
    ledger.earn(100, date(2026, 3, 11), at=at)
    ledger.earn(300, date(2026, 12, 31), at=at)
    ledger.redeem(40, at=at + timedelta(days=1))
    points.expire_chunk(at=at + timedelta(days=2))  # 60 of 100 are gone
    held = ledger.hold(50, at=at + timedelta(days=3))
    ledger.end("capture", held, at=at + timedelta(days=4))
    assert points.snapshot_liability(
        since=date(2026, 3, 9), until=date(2026, 3, 14), at=at + timedelta(days=5)
    ) == 6  # fmt: skip
    assert figures() == [
        (date(2026, 3, 9), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (date(2026, 3, 10), 400, 0, 400, 0, 0, 0, 600, 0, 0, 0, 0),
        # 60 points whose last day is over at its end.
        (date(2026, 3, 11), 360, 0, 0, 40, 0, 0, 540, 0, 0, 60, 90),
        # 60 of 100 were lost: 180 of 300 are expected.
        (date(2026, 3, 12), 300, 0, 0, 0, 60, 0, 450, 100, 60, 180, 270),
        (date(2026, 3, 13), 300, 50, 0, 0, 0, 0, 450, 100, 60, 180, 270),
        (date(2026, 3, 14), 250, 0, 0, 50, 0, 0, 375, 100, 60, 180, 270),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_each_night_and_all_again_at_the_end_give_the_same(ledger: Ledger, seed: int) -> None:
    """What a night computed for yesterday is what history says of that day for ever."""
    points.open_accounts(owner_id=8, at=ledger.at)
    ledger.rules(transfers_on=True, may_go_negative=True, cost_per_point_micro=1_000_000)
    dice = random.Random(seed)
    first = date(2026, 3, 15)
    done: list[points.Posting] = []
    holds: list[points.Posting] = []
    for number in range(25):
        for hour in range(6):
            at = ledger.at + timedelta(days=number, hours=hour)
            try:
                match dice.choice(["earn", "earn", "redeem", "hold", "end", "reverse", "transfer"]):
                    case "earn":
                        lasts = dice.choice([2, 5, 9, 300])
                        done.append(
                            ledger.earn(
                                dice.randint(1, 50), at.date() + timedelta(days=lasts), at=at
                            )
                        )
                    case "redeem":
                        done.append(ledger.redeem(dice.randint(1, 30), at=at))
                    case "hold":
                        holds.append(ledger.hold(dice.randint(1, 20), at=at))
                    case "end" if holds:
                        ledger.end(dice.choice(["capture", "release"]), holds.pop(), at=at)
                    case "reverse" if done:
                        ledger.reverse(dice.choice(done), at=at)
                    case "transfer":
                        points.transfer(
                            from_owner_id=OWNER, to_owner_id=8, amount=3, key=uuid.uuid4(),
                            by=SYSTEM, at=at,
                        )  # fmt: skip
            except DomainError:
                continue
        night = ledger.at + timedelta(days=number, hours=13)
        points.snapshot_liability(
            since=first + timedelta(days=number), until=first + timedelta(days=number), at=night
        )
        points.expire_chunk(at=night)
    nightly = figures()
    assert len(nightly) == 25
    points.snapshot_liability(since=first, until=first + timedelta(days=24), at=night)
    assert figures() == nightly
    for before, after in pairwise(nightly):
        assert after[1] - before[1] == after[3] - after[4] - after[5] + after[6]


def test_the_job_three_times_and_from_a_day_on(ledger: Ledger) -> None:
    ledger.earn(100, None, at=ledger.at - timedelta(days=3))
    seen = []
    for number in range(3):
        job = enqueue(kind="points.liability", dedupe_key=str(number), by=SYSTEM, at=ledger.at)
        run_pending(at=ledger.at)
        job.refresh_from_db()
        assert job.state == "done", job.error
        seen.append((job.result, figures()))
    assert [result for result, _ in seen] == [{"days": 180}, {"days": 16}, {"days": 16}]
    assert seen[0][1] == seen[1][1] == seen[2][1]
    # A purchase that arrives late changes the days since it was made.
    points.earn(
        owner_id=OWNER, amount=7, key=uuid.uuid4(), at=ledger.at - timedelta(days=20),
        source=SOURCE,
    )  # fmt: skip
    again = enqueue(
        kind="points.liability", dedupe_key="again", parameters={"since": "2026-02-20"},
        by=SYSTEM, at=ledger.at,
    )  # fmt: skip
    run_pending(at=ledger.at)
    again.refresh_from_db()
    assert again.state == "done", again.error
    days = {row.on_date: row.outstanding for row in LiabilityDay.objects.filter(wallet_id=1)}
    assert (days[date(2026, 2, 22)], days[date(2026, 2, 23)]) == (0, 7)
    assert days[date(2026, 3, 14)] == 107
