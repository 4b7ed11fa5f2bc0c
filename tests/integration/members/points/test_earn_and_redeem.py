"""Credits, spendings and corrections of one account, to the point."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from core.actors import Actor
from members.points import operations as points
from members.points import queries
from members.points.errors import (
    AccountMissingError,
    InsufficientPointsError,
    InvalidPointsError,
    KeyReusedError,
    WalletMissingError,
)
from members.points.models import NEVER, Account, Entry
from tenants.audit.errors import WrongSchemaError
from tenants.audit.models import AuditEntry, BrandIdentity
from tenants.brands.models import Brand
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def test_opening_accounts_again_changes_nothing(brand: Brand, at: datetime) -> None:
    assert points.open_accounts_for(owner_ids=[1, 2, 2], at=at) == 4
    assert points.open_accounts_for(owner_ids=[2, 3], at=at + timedelta(days=1)) == 2
    assert list(
        Account.objects.order_by("owner_id", "wallet").values_list(
            "owner_id", "wallet", "opened_at"
        )
    ) == [
        (1, 1, at),
        (1, 2, at),
        (2, 1, at),
        (2, 2, at),
        (3, 1, at + timedelta(days=1)),
        (3, 2, at + timedelta(days=1)),
    ]


def test_earn_makes_a_lot_by_the_wallets_rules(ledger: Ledger) -> None:
    ledger.rules(expiry_policy="end_of_month", expiry_months=12, pending_days=14)
    posting = ledger.earn(120)
    assert (posting.seq, posting.balance, posting.delta, posting.replayed) == (1, 120, 120, False)
    (lot,) = queries.list_lots(owner_id=OWNER)
    assert lot == queries.LotView(
        seq=1,
        earned=120,
        remaining=120,
        is_pending=True,
        available_at=ledger.at + timedelta(days=14),
        expires_on=date(2027, 3, 31),
    )
    assert (ledger.account.balance, ledger.account.pending) == (120, 120)


def test_day_of_earning_is_the_brands(ledger: Ledger) -> None:
    ledger.rules(expiry_policy="months", expiry_months=1)
    # 28 February in UTC is already 1 March in Shanghai.
    ledger.earn(1, at=datetime(2026, 2, 28, 16, 30, tzinfo=UTC))
    ledger.earn(2, at=datetime(2026, 2, 28, 15, 30, tzinfo=UTC))
    ledger.earn(3, earned_on=date(2026, 1, 31))
    assert ledger.lots == [
        (date(2026, 2, 28), 3, 3),
        (date(2026, 3, 28), 2, 2),
        (date(2026, 4, 1), 1, 1),
    ]


def test_redeem_takes_earliest_expiry_first(ledger: Ledger) -> None:
    ledger.earn(50)
    ledger.earn(30, MAY)
    ledger.earn(20, APRIL)
    ledger.earn(10, APRIL)
    posting = ledger.redeem(45, cause={"order": "A1"})
    assert (posting.seq, posting.balance, posting.delta) == (5, 65, -45)
    assert ledger.lots == [(APRIL, 3, 0), (APRIL, 4, 0), (MAY, 2, 15), (NEVER, 1, 50)]
    entry = queries.list_entries(owner_id=OWNER)[0]
    assert entry.lots == (
        queries.LotChange(APRIL, 3, -20),
        queries.LotChange(APRIL, 4, -10),
        queries.LotChange(MAY, 2, -15),
    )
    assert (entry.kind, entry.amount, entry.source_type, entry.source_id, entry.cause) == (
        Entry.Kind.REDEEM,
        45,
        "test",
        1,
        {"order": "A1"},
    )


def test_last_instant_of_the_last_good_day(ledger: Ledger) -> None:
    ledger.earn(10, MARCH)
    ledger.redeem(4, at=datetime(2026, 3, 31, 15, 59, 59, 999999, tzinfo=UTC))
    with pytest.raises(InsufficientPointsError) as refused:
        ledger.redeem(4, at=datetime(2026, 3, 31, 16, 0, tzinfo=UTC))
    assert refused.value.data == {"missing": 4}
    assert ledger.lots == [(MARCH, 1, 6)]


def test_pending_points_open_at_their_instant_without_a_job(ledger: Ledger) -> None:
    opens_at = ledger.at + timedelta(days=3)
    ledger.earn(30, MAY)
    ledger.earn(40, APRIL, available_at=opens_at)
    with pytest.raises(InsufficientPointsError) as refused:
        ledger.redeem(31, at=opens_at - timedelta(microseconds=1))
    assert refused.value.data == {"missing": 1}
    assert (ledger.account.balance, ledger.account.pending) == (70, 40)
    # The lot that has just opened expires first, so it is taken although the other would do.
    ledger.redeem(10, at=opens_at)
    assert ledger.lots == [(APRIL, 2, 30), (MAY, 1, 30)]
    assert (ledger.account.balance, ledger.account.pending) == (60, 0)


def test_all_that_has_opened_can_be_spent_at_that_instant(ledger: Ledger) -> None:
    opens_at = ledger.at + timedelta(days=3)
    ledger.earn(40, APRIL, available_at=opens_at)
    ledger.earn(9, APRIL, available_at=opens_at + timedelta(microseconds=1))
    with pytest.raises(InsufficientPointsError) as refused:
        ledger.redeem(41, at=opens_at)
    assert refused.value.data == {"missing": 1}
    assert ledger.redeem(40, at=opens_at).balance == 9
    assert ledger.account.pending == 9


def test_insufficient_changes_nothing_and_leaves_the_transaction_usable(ledger: Ledger) -> None:
    ledger.earn(20, MAY)
    ledger.earn(10, date(2026, 3, 14))
    ledger.earn(5, MAY, available_at=ledger.at + timedelta(days=1))
    before = ledger.snapshot()
    for amount, missing in ((21, 1), (30, 10), (31, 11), (36, 16)):
        with pytest.raises(InsufficientPointsError) as refused:
            ledger.redeem(amount)
        assert refused.value.data == {"missing": missing}
        with pytest.raises(InsufficientPointsError):
            ledger.hold(amount)
    assert ledger.snapshot() == before
    assert ledger.redeem(20).balance == 15


@pytest.mark.parametrize("amount", [0, -5, 10**12 + 1, 2.5, True, "7", None])
def test_amounts_that_are_none(ledger: Ledger, amount: Any) -> None:
    before = ledger.snapshot()
    for operation in (ledger.earn, ledger.redeem, ledger.hold):
        with pytest.raises(InvalidPointsError):
            operation(amount)
    with pytest.raises(InvalidPointsError):
        points.adjust(
            owner_id=OWNER, amount=amount if amount != -5 else 0, reason="x", key=uuid.uuid4(),
            by=Actor(kind="staff", id=1), at=ledger.at,
        )  # fmt: skip
    assert ledger.snapshot() == before


def test_largest_amounts_fit(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.earn(10**12)
    assert ledger.redeem(10**12).balance == 2 * 10**12


def test_missing_account_and_wallet(ledger: Ledger) -> None:
    key = uuid.uuid4()
    for operation in (points.earn, points.redeem):
        with pytest.raises(AccountMissingError):
            operation(owner_id=99, amount=1, key=key, at=ledger.at, source=SOURCE)
        with pytest.raises(WalletMissingError):
            operation(owner_id=OWNER, amount=1, key=key, at=ledger.at, source=SOURCE, wallet="x")
    with pytest.raises(AccountMissingError):
        queries.get_balance(owner_id=99, at=ledger.at)
    assert Entry.objects.count() == 0


def _lots_looked_at(do: Callable[[], Any]) -> int:
    """Return how many lots the primary key led to while something was done; no other way counts."""
    counted = "SELECT pg_stat_get_xact_tuples_returned('members_lot_pkey'::regclass)"
    with connection.cursor() as cursor:
        cursor.execute(counted)
        (before,) = cursor.fetchone()
        do()
        cursor.execute(counted)
        return int(cursor.fetchone()[0]) - int(before)


def test_a_long_history_makes_no_spending_dearer(ledger: Ledger) -> None:
    points.earn_many(
        rows=[
            points.EarnRow(owner_id=OWNER, amount=1, key=uuid.uuid4(), at=ledger.at, source=SOURCE)
            for _ in range(2000)
        ]
    )
    assert _lots_looked_at(lambda: ledger.redeem(1500)) == 1500
    assert _lots_looked_at(lambda: ledger.redeem(1)) > 1500
    for _ in range(64):
        ledger.redeem(2)
    assert _lots_looked_at(lambda: ledger.redeem(1)) < 200
    # Points that come back stand before the place where spending began, and are found again.
    first = points.EntryRef(ledger.account.id, 2001)
    points.reverse(entry_ref=first, amount=1500, key=uuid.uuid4(), at=ledger.at, source=SOURCE)
    ledger.redeem(3)
    entry = queries.list_entries(owner_id=OWNER, limit=1)[0]
    assert [(change.lot_seq, change.quantity) for change in entry.lots] == [
        (1, -1),
        (2, -1),
        (3, -1),
    ]


def test_same_key_returns_the_first_posting(ledger: Ledger) -> None:
    earned, spent = uuid.uuid4(), uuid.uuid4()
    first = ledger.earn(50, MAY, key=earned)
    second = ledger.redeem(50, key=spent)
    before = ledger.snapshot()
    # Also when the balance would no longer allow it, and when the rules have changed.
    ledger.rules(expiry_policy="months", expiry_months=1, pending_days=3)
    again = ledger.redeem(50, key=spent, at=ledger.at + timedelta(days=400))
    assert again == points.Posting(second.account_id, 2, 0, -50, replayed=True)
    assert ledger.earn(50, key=earned) == points.Posting(first.account_id, 1, 50, 50, replayed=True)
    assert ledger.snapshot() == before


def test_key_of_another_posting_is_refused(ledger: Ledger) -> None:
    key = uuid.uuid4()
    points.open_accounts(owner_id=8, at=ledger.at)
    ledger.earn(50, key=key)
    ledger.earn(500)
    before = ledger.snapshot()
    for refused in (
        lambda: ledger.earn(51, key=key),
        lambda: ledger.redeem(50, key=key),
        lambda: ledger.hold(50, key=key),
        lambda: ledger.earn(50, key=key, wallet="growth"),
        lambda: points.earn(owner_id=8, amount=50, key=key, at=ledger.at, source=SOURCE),
        lambda: points.redeem(owner_id=8, amount=50, key=key, at=ledger.at, source=SOURCE),
    ):
        with pytest.raises(KeyReusedError):
            refused()
    assert ledger.snapshot() == before


def test_wallets_are_apart(ledger: Ledger) -> None:
    ledger.earn(10)
    ledger.earn(70, wallet="growth")
    with pytest.raises(InsufficientPointsError) as refused:
        ledger.redeem(11)
    assert refused.value.data == {"missing": 1}
    assert queries.get_balance(owner_id=OWNER, wallet="growth", at=ledger.at).available == 70


def test_adjust_up_and_down_with_audit(ledger: Ledger) -> None:
    by = Actor(kind="staff", id=3, label="Ann")
    key = uuid.uuid4()
    up = points.adjust(
        owner_id=OWNER, amount=25, reason="Forgotten purchase", key=key, by=by, at=ledger.at,
        expires_on=MAY,
    )  # fmt: skip
    points.adjust(
        owner_id=OWNER, amount=25, reason="Forgotten purchase", key=key, by=by, at=ledger.at
    )
    down = points.adjust(
        owner_id=OWNER, amount=-10, reason="Typo", key=uuid.uuid4(), by=by, at=ledger.at
    )
    assert (up.balance, down.balance, down.delta) == (25, 15, -10)
    assert ledger.lots == [(MAY, 1, 15)]
    assert list(
        AuditEntry.objects.filter(action="points.adjusted")
        .order_by("id")
        .values_list("actor_id", "target_id", "reason", "changes")
    ) == [
        (3, str(up.account_id), "Forgotten purchase", {"balance": [0, 25]}),
        (3, str(up.account_id), "Typo", {"balance": [25, 15]}),
    ]
    entries = queries.list_entries(owner_id=OWNER)
    assert [entry.cause for entry in entries] == [
        {"reason": "Typo", "by": "staff:3", "person": "staff:3"},
        {"reason": "Forgotten purchase", "by": "staff:3", "person": "staff:3"},
    ]


def test_adjust_refuses_what_it_must(ledger: Ledger) -> None:
    ledger.earn(5)
    before = ledger.snapshot()
    by = Actor(kind="staff", id=3)
    common = {"owner_id": OWNER, "key": uuid.uuid4(), "by": by, "at": ledger.at}
    with pytest.raises(InsufficientPointsError) as refused:
        points.adjust(amount=-6, reason="Typo", **common)
    assert refused.value.data == {"missing": 1}
    with pytest.raises(InvalidPointsError):
        points.adjust(amount=6, reason="  ", **common)
    assert ledger.snapshot() == before
    assert AuditEntry.objects.filter(action="points.adjusted").count() == 0


def test_nothing_is_written_into_a_schema_of_another_brand(ledger: Ledger) -> None:
    ledger.earn(50)
    hold = ledger.hold(10)
    with transaction.atomic():
        before = ledger.snapshot()
        BrandIdentity.objects.update(schema_name="t_somebodyel")
        for refused in (
            lambda: ledger.earn(1),
            lambda: ledger.redeem(1),
            lambda: ledger.hold(1),
            lambda: ledger.end("capture", hold),
            lambda: ledger.end("release", hold),
            lambda: ledger.reverse(points.Posting(hold.account_id, 1, 0, 0, replayed=False)),
            lambda: points.expire_chunk(at=ledger.at),
            lambda: points.activate_chunk(at=ledger.at),
            lambda: points.earn_many(rows=[]),
        ):
            with pytest.raises(WrongSchemaError):
                refused()
        assert ledger.snapshot() == before


def test_a_connection_that_strayed_into_another_brand_writes_nothing(
    ledger: Ledger, other_brand: Brand
) -> None:
    ledger.earn(50)
    before = ledger.snapshot()
    with connection.cursor() as cursor:
        cursor.execute(f'SET LOCAL search_path TO "{other_brand.schema_name}", public')
        for refused in (lambda: ledger.earn(1), lambda: ledger.redeem(1)):
            with pytest.raises(WrongSchemaError):
                refused()
        assert Entry.objects.count() == 0
        cursor.execute(f'SET LOCAL search_path TO "{ledger.schema_name}", public')
    assert ledger.snapshot() == before
