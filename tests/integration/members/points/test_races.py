"""Eight threads against one account, started together; each scenario with a negative control.

A control runs the same scenario and the same verdict with the protection taken away: an
unprotected Python version, or the SQL function with its lock or look-up cut out. It must fail, or
the scenario would prove nothing.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from core.actors import SYSTEM
from members.points import operations as points
from members.points import queries
from members.points.errors import (
    HoldNotOpenError,
    InsufficientPointsError,
    NotReversibleError,
)
from members.points.invariants import CHECKS
from members.points.models import Account, Entry, Lot
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tests.integration.members.points.altered import alter_function

pytestmark = [pytest.mark.race, pytest.mark.slow]

THREADS = 8
ROUNDS = 6
OWNER = 7
SOURCE = points.Source("test", 1)
TODAY = date(2026, 3, 15)

Task = Callable[[], Any]


def run_together(brand: Brand, tasks: Sequence[Task]) -> list[Any]:
    """Start all tasks at the same instant, each on its own connection; return results or errors."""
    barrier = threading.Barrier(len(tasks))
    results: list[Any] = [None] * len(tasks)

    def work(number: int, task: Task) -> None:
        try:
            with tenant_context(brand):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                barrier.wait(timeout=20)
                results[number] = task()
        except Exception as error:  # noqa: BLE001 - the verdict looks at it
            results[number] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=(number, task)) for number, task in enumerate(tasks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def count(results: Sequence[Any]) -> dict[str, int]:
    """Return how often each kind of result came."""
    counted: dict[str, int] = {}
    for result in results:
        name = type(result).__name__
        counted[name] = counted.get(name, 0) + 1
    return counted


def problems() -> dict[str, list[str]]:
    return {name: found for name, check in CHECKS.items() if (found := check())}


def fails(verdict: Callable[[], None], *, rounds: int = 3) -> bool:
    """Tell whether the scenario's verdict fails within some rounds."""
    for _ in range(rounds):
        try:
            verdict()
        except AssertionError:
            return True
    return False


@pytest.fixture
def raced(committed_brand: Brand, at: datetime) -> Brand:
    """Open one owner's accounts in a brand where everything is committed."""
    points.open_accounts(owner_id=OWNER, at=at)
    return committed_brand


def earn(amount: int, at: datetime, expires_on: date | None = None) -> points.Posting:
    return points.earn(
        owner_id=OWNER, amount=amount, key=uuid.uuid4(), at=at, source=SOURCE,
        expires_on=expires_on,
    )  # fmt: skip


def redeem(amount: int, at: datetime, key: uuid.UUID | None = None) -> points.Posting:
    return points.redeem(
        owner_id=OWNER, amount=amount, key=key or uuid.uuid4(), at=at, source=SOURCE
    )


def account() -> Account:
    return Account.objects.get(owner_id=OWNER, wallet_id=1)


def empty(at: datetime) -> None:
    """Spend what is left, so that a round starts at zero."""
    if left := account().balance:
        redeem(left, at)


# --- redeem against redeem ---------------------------------------------------------------------


def redeem_race(brand: Brand, at: datetime, operation: Callable[[], Any]) -> None:
    empty(at)
    for day in range(10):
        earn(10, at, TODAY + timedelta(days=day))
    results = run_together(brand, [operation] * THREADS)
    assert count(results) == {"Posting": 3, "InsufficientPointsError": 5}
    missing = {error.data["missing"] for error in results if isinstance(error, Exception)}
    assert missing == {20}
    assert account().balance == 10
    assert problems() == {}


def naive_redeem(amount: int, at: datetime) -> points.Posting:
    """Read, look, write: what an operation without the account's lock would be."""
    found = account()
    if found.balance < amount:
        raise InsufficientPointsError(missing=amount - found.balance)
    time.sleep(0.02)
    Account.objects.filter(id=found.id).update(balance=found.balance - amount, seq=found.seq + 1)
    return points.Posting(found.id, found.seq + 1, found.balance - amount, -amount, replayed=False)


def test_points_are_spent_once(raced: Brand, at: datetime) -> None:
    for _ in range(ROUNDS):
        redeem_race(raced, at, lambda: redeem(30, at))


def test_control_redeem_without_a_lock_overspends(raced: Brand, at: datetime) -> None:
    assert fails(lambda: redeem_race(raced, at, lambda: naive_redeem(30, at)), rounds=1)


# --- the same key at the same time ---------------------------------------------------------------


def same_key_race(brand: Brand, at: datetime) -> None:
    empty(at)
    earn(1000, at)
    key = uuid.uuid4()
    results = run_together(brand, [lambda: redeem(30, at, key)] * THREADS)
    assert count(results) == {"Posting": THREADS}
    assert sorted(posting.replayed for posting in results) == [False] + [True] * (THREADS - 1)
    assert len({posting.ref for posting in results}) == 1
    assert account().balance == 970
    assert problems() == {}


def test_same_key_is_posted_once(raced: Brand, at: datetime) -> None:
    for _ in range(ROUNDS):
        same_key_race(raced, at)


def test_same_key_for_two_accounts_is_posted_for_one(raced: Brand, at: datetime) -> None:
    points.open_accounts(owner_id=8, at=at)
    for _ in range(ROUNDS):
        key = uuid.uuid4()

        def credit(owner_id: int, key: uuid.UUID = key) -> points.Posting:
            return points.earn(owner_id=owner_id, amount=5, key=key, at=at, source=SOURCE)

        results = run_together(
            raced,
            [lambda owner_id=owner_id: credit(owner_id) for owner_id in (OWNER, 8)]
            * (THREADS // 2),
        )
        assert count(results) == {"Posting": THREADS // 2, "KeyReusedError": THREADS // 2}
        posted = [result for result in results if isinstance(result, points.Posting)]
        assert sorted(posting.replayed for posting in posted) == [False, True, True, True]
        assert Entry.objects.filter(key=key).count() == 1
    assert problems() == {}


def test_control_without_the_look_up_a_key_is_no_replay(raced: Brand, at: datetime) -> None:
    alter_function(
        "points_spend",
        "FROM members_entry e WHERE e.key = p_key",
        "FROM members_entry e WHERE false",
    )
    assert fails(lambda: same_key_race(raced, at), rounds=1)


# --- redeem against expiry -----------------------------------------------------------------------


def expiry_race(brand: Brand, at: datetime, expire: Callable[[datetime], Any]) -> None:
    empty(at)
    for _ in range(6):
        earn(10, at, TODAY)
    earn(5, at)
    spent_before = account().seq
    last_instant = datetime.fromisoformat("2026-03-15T23:59:59+08:00")
    midnight = last_instant + timedelta(seconds=1)
    tasks: list[Task] = [lambda: expire(midnight)]
    tasks += [lambda: redeem(9, last_instant)] * (THREADS - 1)
    results = run_together(brand, tasks)
    assert set(count(results)) <= {"Posting", "InsufficientPointsError", "Chunk"}
    spent = 9 * count(results).get("Posting", 0)
    lost = -sum(
        Entry.objects.filter(
            account=account(), seq__gt=spent_before, kind=Entry.Kind.EXPIRE
        ).values_list("delta", flat=True)
    )
    assert account().balance == 65 - spent - lost
    assert problems() == {}
    points.expire_chunk(at=midnight, wait=True)


def naive_expire(at: datetime) -> points.Chunk:
    found = account()
    due = list(Lot.objects.filter(account=found, is_open=True, expires_on__lte=TODAY))
    lost = sum(lot.remaining for lot in due)
    time.sleep(0.02)
    for lot in due:
        Lot.objects.filter(account=found, seq=lot.seq).update(remaining=0)
    Account.objects.filter(id=found.id).update(balance=found.balance - lost)
    return points.Chunk(1, len(due), lost)


def test_a_point_is_spent_or_expires_never_both(raced: Brand, at: datetime) -> None:
    for _ in range(ROUNDS):
        expiry_race(raced, at, lambda midnight: points.expire_chunk(at=midnight))


def test_control_expiry_without_a_lock_loses_count(raced: Brand, at: datetime) -> None:
    assert fails(lambda: expiry_race(raced, at, naive_expire), rounds=1)


# --- capture against release -----------------------------------------------------------------------


def hold_race(brand: Brand, at: datetime) -> None:
    empty(at)
    earn(30, at, TODAY)
    earn(30, at)
    held = points.hold(
        owner_id=OWNER, amount=40, key=uuid.uuid4(), at=at, until=at + timedelta(hours=1),
        source=SOURCE,
    )  # fmt: skip

    def end(operation: Callable[..., Any]) -> Task:
        return lambda: operation(hold_ref=held.ref, key=uuid.uuid4(), at=at, source=SOURCE)

    after = at + timedelta(hours=1)
    tasks = [end(points.capture)] * 4 + [end(points.release)] * 3
    tasks.append(lambda: points.release_expired_holds(at=after))
    results = run_together(brand, tasks)
    ended = [result for result in results if isinstance(result, points.Posting)]
    swept = results[-1]
    assert swept in {0, 1}
    assert len(ended) + swept == 1
    assert all(
        isinstance(result, HoldNotOpenError) for result in results[:-1] if result not in ended
    )
    captured = bool(ended) and ended[0].delta == 0
    assert (account().balance, account().held) == (20 if captured else 60, 0)
    assert problems() == {}


NO_LOCK = ("FOR UPDATE OF a;", ";\n    PERFORM pg_sleep(0.02);")


def test_a_hold_ends_once(raced: Brand, at: datetime) -> None:
    for _ in range(ROUNDS):
        hold_race(raced, at)


def test_control_without_the_lock_a_hold_ends_badly(raced: Brand, at: datetime) -> None:
    alter_function("points_end_hold", *NO_LOCK)
    assert fails(lambda: hold_race(raced, at))


# --- reversal against reversal ---------------------------------------------------------------------


def reversal_race(brand: Brand, at: datetime, *, credit: bool) -> None:
    empty(at)
    earned = earn(100, at)
    entry = earned if credit else redeem(100, at)
    results = run_together(
        brand,
        [
            lambda: points.reverse(
                entry_ref=entry.ref, amount=30, key=uuid.uuid4(), at=at, source=SOURCE
            )
        ]
        * THREADS,
    )
    assert count(results) == {"Posting": 3, "NotReversibleError": 5}
    left = {error.data["reversible"] for error in results if isinstance(error, NotReversibleError)}
    assert left == {10}
    assert account().balance == (10 if credit else 90)
    assert problems() == {}


@pytest.mark.parametrize("credit", [True, False])
def test_reversals_never_pass_their_entry(raced: Brand, at: datetime, credit: bool) -> None:
    for _ in range(ROUNDS):
        reversal_race(raced, at, credit=credit)


@pytest.mark.parametrize("credit", [True, False])
def test_control_without_the_lock_reversals_collide(
    raced: Brand, at: datetime, credit: bool
) -> None:
    alter_function("points_reverse", *NO_LOCK)
    assert fails(lambda: reversal_race(raced, at, credit=credit))


# --- batches in opposite orders ----------------------------------------------------------------------


def batch_race(brand: Brand, at: datetime, credit: Callable[[list[points.EarnRow]], Any]) -> None:
    owners = list(range(100, 112))
    points.open_accounts_for(owner_ids=owners, at=at)
    before = sum(Account.objects.filter(owner_id__in=owners).values_list("balance", flat=True))

    def task(number: int) -> Task:
        order = owners if number % 2 else owners[::-1]
        rows = [
            points.EarnRow(owner_id=owner, amount=1, key=uuid.uuid4(), at=at, source=SOURCE)
            for owner in order
        ]
        return lambda: credit(rows)

    results = run_together(brand, [task(number) for number in range(THREADS)])
    assert count(results) == {"EarnedMany": THREADS}
    after = sum(Account.objects.filter(owner_id__in=owners).values_list("balance", flat=True))
    assert after - before == THREADS * len(owners)
    assert problems() == {}


def one_by_one(rows: list[points.EarnRow]) -> points.EarnedMany:
    with transaction.atomic():
        for row in rows:
            points.earn(
                owner_id=row.owner_id, amount=row.amount, key=row.key, at=row.at,
                source=row.source,
            )  # fmt: skip
            time.sleep(0.005)
    return points.EarnedMany(len(rows), 0, len(rows))


def test_batches_lock_in_one_order(raced: Brand, at: datetime) -> None:
    for _ in range(3):
        batch_race(raced, at, lambda rows: points.earn_many(rows=rows))


def test_control_in_the_order_of_the_rows_batches_deadlock(raced: Brand, at: datetime) -> None:
    assert fails(lambda: batch_race(raced, at, one_by_one))


# --- everything at once --------------------------------------------------------------------------------


def test_invariants_hold_after_a_storm(raced: Brand, at: datetime) -> None:
    points.change_wallet(
        wallet="points", by=SYSTEM, at=at, may_go_negative=True, restore_grace_days=5
    )
    earn(500, at)

    def storm(seed: int) -> Task:
        dice = random.Random(seed)

        def work() -> int:
            mine: list[points.Posting] = []
            holds: list[points.Posting] = []
            done = 0
            for step in range(25):
                now = at + timedelta(hours=step * 3)
                common = {"key": uuid.uuid4(), "at": now, "source": SOURCE}
                choice = dice.choice(["earn", "redeem", "hold", "end", "reverse", "night"])
                amount = dice.randint(1, 60)
                try:
                    if choice == "earn":
                        mine.append(
                            points.earn(
                                owner_id=OWNER, amount=amount, **common,
                                expires_on=TODAY + timedelta(days=dice.randint(0, 4)),
                                available_at=now + timedelta(hours=dice.choice([0, 0, 5])),
                            )
                        )  # fmt: skip
                    elif choice == "redeem":
                        mine.append(points.redeem(owner_id=OWNER, amount=amount, **common))
                    elif choice == "hold":
                        holds.append(
                            points.hold(
                                owner_id=OWNER, amount=amount, **common,
                                until=now + timedelta(hours=9),
                            )
                        )  # fmt: skip
                    elif choice == "end" and holds:
                        end = dice.choice([points.capture, points.release])
                        end(hold_ref=dice.choice(holds).ref, **common)
                    elif choice == "reverse" and mine:
                        points.reverse(entry_ref=dice.choice(mine).ref, **common)
                    else:
                        points.expire_chunk(at=now)
                        points.activate_chunk(at=now)
                        points.release_expired_holds(at=now)
                    done += 1
                except (InsufficientPointsError, HoldNotOpenError, NotReversibleError):
                    pass
            return done

        return work

    results = run_together(raced, [storm(seed) for seed in range(THREADS)])
    assert count(results) == {"int": THREADS}
    assert all(done > 10 for done in results)
    assert problems() == {}
    assert queries.get_balance(owner_id=OWNER, at=at + timedelta(days=9)).held >= 0
