"""Caps, transfers and consent under threads; each with a negative control, as `test_races`."""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from core.actors import Actor
from members.points import operations as points
from members.points.models import Account, AdjustmentRequest, Transfer, Wallet
from tenants.brands.models import Brand
from tests.integration.members.points.altered import alter_function
from tests.integration.members.points.test_races import (
    OWNER,
    SOURCE,
    THREADS,
    account,
    count,
    fails,
    problems,
    run_together,
)

pytestmark = [pytest.mark.race, pytest.mark.slow]

FRIEND = 8
MAY = date(2026, 5, 31)
ANN = Actor(kind="staff", id=3, label="Ann")


@pytest.fixture
def raced(committed_brand: Brand, at: datetime) -> Brand:
    """Open the accounts of two owners in a brand where everything is committed."""
    points.open_accounts_for(owner_ids=[OWNER, FRIEND], at=at)
    return committed_brand


def give(owner_id: int, amount: int, at: datetime) -> points.Posting:
    return points.earn(
        owner_id=owner_id, amount=amount, key=uuid.uuid4(), at=at, source=SOURCE, expires_on=MAY
    )


def send(amount: int, at: datetime, *, back: bool = False) -> points.Posting:
    sender, receiver = (FRIEND, OWNER) if back else (OWNER, FRIEND)
    return points.transfer(
        from_owner_id=sender, to_owner_id=receiver, amount=amount, key=uuid.uuid4(), by=ANN, at=at
    )


# --- a cap on a day's earnings ---------------------------------------------------------------------


def cap_race(brand: Brand, at: datetime) -> None:
    before = account().balance
    Wallet.objects.filter(id=1).update(earn_cap_day=before + 100)
    results = run_together(brand, [lambda: give(OWNER, 30, at)] * THREADS)
    assert sorted(posting.delta for posting in results) == [0, 0, 0, 0, 10, 30, 30, 30]
    assert account().balance == before + 100
    assert problems() == {}


def test_a_cap_holds_for_credits_at_once(raced: Brand, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(earn_cap_day=1)
    for _ in range(3):
        cap_race(raced, at)


def test_control_a_cap_that_is_not_counted_is_passed(raced: Brand, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(earn_cap_day=1)
    alter_function("points_cap", "IF o_given > 0 AND v_in_month", "IF false AND v_in_month")
    assert fails(lambda: cap_race(raced, at), rounds=1)


# --- transfers both ways -----------------------------------------------------------------------------


def transfer_race(brand: Brand, at: datetime, operation: Callable[..., Any]) -> None:
    give(OWNER, 100, at)
    give(FRIEND, 100, at)
    total = sum(Account.objects.filter(wallet_id=1).values_list("balance", flat=True))
    results = run_together(
        brand,
        [lambda: operation(7, at), lambda: operation(7, at, back=True)] * (THREADS // 2),
    )
    assert count(results) == {"Posting": THREADS}
    assert sum(Account.objects.filter(wallet_id=1).values_list("balance", flat=True)) == total
    assert problems() == {}


def test_transfers_both_ways_never_wait_in_a_circle(raced: Brand, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(transfers_on=True)
    for _ in range(4):
        transfer_race(raced, at, send)


def test_control_transfers_that_lock_the_sender_first_block_each_other(
    raced: Brand, at: datetime
) -> None:
    Wallet.objects.filter(id=1).update(transfers_on=True)
    alter_function(
        "points_transfer",
        "owner_id IN (p_from, p_to) ORDER BY id FOR UPDATE;",
        "owner_id = p_from FOR UPDATE; PERFORM pg_sleep(0.02);\n"
        "    PERFORM id FROM members_account WHERE wallet_id = p_wallet AND owner_id = p_to FOR UPDATE;",
    )
    assert fails(lambda: transfer_race(raced, at, send), rounds=2)


def limit_race(brand: Brand, at: datetime) -> None:
    give(OWNER, 1000, at)
    before = Transfer.objects.count()
    Wallet.objects.filter(id=1).update(transfers_on=True, transfer_day_count=before + 3)
    results = run_together(brand, [lambda: send(10, at)] * THREADS)
    assert count(results) == {"Posting": 3, "TransferLimitError": 5}
    assert Transfer.objects.count() == before + 3
    assert problems() == {}


def test_a_days_limit_holds_for_transfers_at_once(raced: Brand, at: datetime) -> None:
    for _ in range(3):
        limit_race(raced, at)


def test_control_without_the_lock_a_days_limit_is_passed(raced: Brand, at: datetime) -> None:
    alter_function(
        "points_transfer",
        "owner_id IN (p_from, p_to) ORDER BY id FOR UPDATE;",
        "owner_id IN (p_from, p_to) ORDER BY id;",
    )
    alter_function(
        "points_transfer",
        "    PERFORM points_mature",
        "    PERFORM pg_sleep(0.03);\n    PERFORM points_mature",
    )
    assert fails(lambda: limit_race(raced, at), rounds=2)


# --- consent -----------------------------------------------------------------------------------------


def consent_race(brand: Brand, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(adjust_limit=100)
    before = account().balance
    request = points.ask_adjustment(
        owner_id=OWNER, amount=500, reason="x", key=uuid.uuid4(), by=ANN, at=at
    ).request
    assert request is not None

    def decide(number: int) -> Any:
        by = Actor(kind="staff", id=10 + number, label="B")
        if number % 2:
            return points.refuse_adjustment(request_id=request.pk, note="no", by=by, at=at)
        return points.approve_adjustment(request_id=request.pk, by=by, at=at)

    results = run_together(brand, [lambda n=n: decide(n) for n in range(THREADS)])
    assert count(results).get("RequestDecidedError") == THREADS - 1, results
    request.refresh_from_db()
    assert account().balance == before + (500 if request.state == "approved" else 0)
    assert problems() == {}


def test_a_request_is_decided_once(raced: Brand, at: datetime) -> None:
    for _ in range(3):
        consent_race(raced, at)


def test_control_without_the_lock_a_request_is_decided_twice(
    raced: Brand, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = AdjustmentRequest.objects
    monkeypatch.setattr(manager, "select_for_update", lambda **_: manager.all(), raising=False)
    assert fails(lambda: consent_race(raced, at))


def step_race(brand: Brand, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(adjust_limit=100)
    person = Actor(kind="staff", id=uuid.uuid4().int % 10**9, label="C")

    def step() -> Any:
        return points.adjust(
            owner_id=OWNER, amount=40, reason="x", key=uuid.uuid4(), by=person, at=at
        )

    results = run_together(brand, [step] * THREADS)
    assert count(results) == {"Posting": 2, "ConsentNeededError": 6}
    assert problems() == {}


def test_small_steps_at_once_do_not_pass_the_limit(raced: Brand, at: datetime) -> None:
    for _ in range(3):
        step_race(raced, at)


def test_control_steps_that_are_not_counted_pass_the_limit(raced: Brand, at: datetime) -> None:
    alter_function("points_adjusted_by", "coalesce(sum(abs(e.delta)), 0)", "0")
    assert fails(lambda: step_race(raced, at), rounds=1)
