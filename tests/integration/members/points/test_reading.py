"""Balances, the journal, the books, and the SQL that other rooms embed."""

import uuid
from datetime import date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from core.errors import InvalidError
from members.points import operations as points
from members.points import queries
from members.points.errors import WalletMissingError
from members.points.expiry import expires_on
from members.points.models import Entry, Wallet
from tenants.audit.models import AuditEntry
from tenants.brands.models import Brand
from tests.integration.members.points.conftest import OWNER, Ledger

MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def test_balance_tells_each_part(ledger: Ledger) -> None:
    ledger.earn(100, date(2026, 3, 20))
    ledger.earn(50, date(2026, 4, 14))
    ledger.earn(40, date(2026, 4, 15))
    ledger.earn(9, date(2026, 3, 16), available_at=ledger.at + timedelta(days=1))
    spent = ledger.redeem(30)
    ledger.reverse(spent, amount=10)
    ledger.hold(20)
    ledger.end("capture", ledger.hold(15))
    balance = queries.get_balance(owner_id=OWNER, at=ledger.at)
    # Of the first lot 100 - 30 + 10 - 20 - 15 = 45 are left; 14 April is the thirtieth day.
    assert balance == queries.Balance(
        available=135, pending=9, held=20, expiring_30d=95, spent=35, expired=0
    )
    assert balance.total == 164
    # Six days later the first lot has passed, whether a job has run or not.
    later = ledger.at + timedelta(days=6)
    expected = queries.Balance(
        available=90, pending=0, held=20, expiring_30d=90, spent=35, expired=0
    )
    assert queries.get_balance(owner_id=OWNER, at=later) == expected
    points.expire_chunk(at=later)
    after = queries.get_balance(owner_id=OWNER, at=later)
    assert (after.available, after.expired) == (90, 54)
    assert queries.get_balances(owner_ids=[OWNER, 99]) == {OWNER: 90}


def test_a_balance_is_one_query(
    ledger: Ledger, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    ledger.earn(100)
    with django_assert_num_queries(1):  # type: ignore[operator]
        queries.get_balance(owner_id=OWNER, at=ledger.at)


@pytest.mark.parametrize("operation", ["earn", "redeem"])
def test_a_posting_is_one_statement(
    ledger: Ledger, django_assert_num_queries: pytest.FixtureRequest, operation: str
) -> None:
    ledger.earn(100)
    with django_assert_num_queries(1):  # type: ignore[operator]
        getattr(ledger, operation)(10)


def test_entries_come_in_pages_newest_first(ledger: Ledger) -> None:
    for amount in (1, 2, 3, 4, 5):
        ledger.earn(amount)
    first = queries.list_entries(owner_id=OWNER, limit=2)
    second = queries.list_entries(owner_id=OWNER, limit=2, before_seq=first[-1].seq)
    assert [entry.delta for entry in first + second] == [5, 4, 3, 2]
    assert queries.list_entries(owner_id=OWNER, wallet="growth") == []


def test_entry_by_key(ledger: Ledger) -> None:
    key = uuid.uuid4()
    posting = ledger.earn(5, MAY, key=key)
    found = queries.get_entry(key=key)
    assert found is not None
    assert (found.account_id, found.seq, found.delta) == (posting.account_id, 1, 5)
    assert queries.get_entry(key=uuid.uuid4()) is None


def test_liability_rounds_half_even_once(ledger: Ledger) -> None:
    ledger.rules(cost_per_point_micro=500_000)
    ledger.earn(5)
    assert queries.liability() == queries.Liability(points=5, minor=2)
    ledger.hold(2)
    ledger.earn(2)
    assert queries.liability() == queries.Liability(points=7, minor=4)
    ledger.redeem(2)
    assert queries.liability() == queries.Liability(points=5, minor=2)
    assert queries.liability(wallet="growth") == queries.Liability(points=0, minor=0)
    with pytest.raises(WalletMissingError):
        queries.liability(wallet="none")


def test_books_sum_to_zero(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    earned = ledger.earn(100, MARCH)
    ledger.earn(60)
    spent = ledger.redeem(30)
    ledger.reverse(spent, amount=12)
    ledger.end("capture", ledger.hold(25))
    ledger.end("release", ledger.hold(5))
    ledger.hold(8)
    points.adjust(
        owner_id=OWNER, amount=-3, reason="test", key=uuid.uuid4(), by=SYSTEM, at=ledger.at
    )
    ledger.reverse(earned, amount=20)
    later = ledger.at + timedelta(days=30)
    points.expire_chunk(at=later)
    ledger.earn(4, wallet="growth")
    books = {(line.wallet, line.account): line.points for line in queries.double_entry()}
    assert books == {
        ("growth", "issued"): -4,
        ("growth", "members"): 4,
        ("points", "issued"): -140,
        ("points", "redeemed"): 43,
        ("points", "held"): 8,
        ("points", "adjusted"): 3,
        ("points", "expired"): 26,
        ("points", "members"): 60,
    }
    assert sum(books.values()) == 0
    night = {(line.account): line.points for line in queries.double_entry(since=later)}
    assert night == {"expired": 26, "members": -26}
    day = queries.double_entry(until=later)
    assert sum(line.points for line in day if line.wallet == "points") == 0


def test_sql_for_other_rooms(ledger: Ledger) -> None:
    ledger.earn(100, MARCH)
    ledger.earn(50, MAY)
    ledger.earn(9, MARCH, available_at=ledger.at + timedelta(days=1))
    on = date(2026, 3, 15)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {queries.available_sql('o.id')}, {queries.expiring_sql('o.id', on=on)} "
            "FROM (VALUES (%s::bigint), (99)) AS o(id) ORDER BY o.id",
            [OWNER],
        )
        assert cursor.fetchall() == [(150, 100), (None, 0)]


@given(
    policy=st.sampled_from(Wallet.ExpiryPolicy.values),
    months=st.integers(0, 120),
    earned_on=st.dates(date(1990, 1, 1), date(2100, 12, 31)),
)
@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_expiry_in_sql_and_python_are_the_same(
    brand: Brand, policy: str, months: int, earned_on: date
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT points_expires_on(%s, %s, %s)", [policy, months, earned_on])
        assert cursor.fetchone() == (expires_on(policy=policy, months=months, earned_on=earned_on),)


def test_change_wallet_is_audited(brand: Brand, at: datetime) -> None:
    wallet = points.change_wallet(
        wallet="points", by=SYSTEM, at=at, pending_days=7, expiry_policy="months",
        expiry_months=12, restore_grace_days=30,
    )  # fmt: skip
    assert (wallet.pending_days, wallet.expiry_months) == (7, 12)
    entry = AuditEntry.objects.get(action="wallet.changed")
    assert entry.changes == {
        "pending_days": [0, 7],
        "expiry_policy": ["none", "months"],
        "expiry_months": [0, 12],
    }
    for bad in ({"expiry_policy": "sometime"}, {"code": "x"}, {"pending_days": -1},
                {"expiry_months": 0}):  # fmt: skip
        with pytest.raises(InvalidError):
            points.change_wallet(wallet="points", by=SYSTEM, at=at, **bad)
    with pytest.raises(WalletMissingError):
        points.change_wallet(wallet="none", by=SYSTEM, at=at, pending_days=1)
    assert Wallet.objects.get(id=1).expiry_months == 12


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE members_entry SET delta = 0",
        "UPDATE members_entry SET cause = NULL WHERE false",
        "DELETE FROM members_entry",
        "TRUNCATE members_entry",
        "DELETE FROM members_account",
        "TRUNCATE members_account CASCADE",
        "DELETE FROM members_lot",
        "TRUNCATE members_lot",
        "DELETE FROM members_hold",
        "TRUNCATE members_hold",
    ],
)
def test_history_can_not_be_changed(ledger: Ledger, statement: str) -> None:
    ledger.earn(10)
    ledger.hold(5)
    before = ledger.snapshot()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(statement)
    assert ledger.snapshot() == before
    assert Entry.objects.count() == 2
