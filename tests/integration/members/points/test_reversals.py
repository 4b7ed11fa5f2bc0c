"""Giving spent points back, and taking credits back, wholly and in part."""

import uuid
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from core.actors import SYSTEM
from members.points import operations as points
from members.points import queries
from members.points.errors import (
    EntryMissingError,
    InsufficientPointsError,
    InvalidPointsError,
    KeyReusedError,
    NotReversibleError,
)
from members.points.models import NEVER, Account, Entry
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)

# --- spendings -------------------------------------------------------------------------------


def test_a_reversed_spending_goes_back_to_its_lots(ledger: Ledger) -> None:
    ledger.earn(30, APRIL)
    ledger.earn(30, MAY)
    spent = ledger.redeem(50)
    back = ledger.reverse(spent, cause={"why": "cancelled"})
    assert (back.seq, back.balance, back.delta) == (4, 60, 50)
    assert ledger.lots == [(APRIL, 1, 30), (MAY, 2, 30)]
    entry = queries.list_entries(owner_id=OWNER)[0]
    assert (entry.kind, entry.ref_seq, entry.cause) == (
        Entry.Kind.REVERSE,
        3,
        {"why": "cancelled"},
    )
    assert queries.get_balance(owner_id=OWNER, at=ledger.at).spent == 0


def test_in_part_the_last_taken_comes_first(ledger: Ledger) -> None:
    ledger.earn(30, APRIL)
    ledger.earn(30, MAY)
    spent = ledger.redeem(50)
    ledger.reverse(spent, amount=5)
    assert ledger.lots == [(APRIL, 1, 0), (MAY, 2, 15)]
    ledger.reverse(spent, amount=25)
    assert ledger.lots == [(APRIL, 1, 10), (MAY, 2, 30)]
    before = ledger.snapshot()
    with pytest.raises(NotReversibleError) as refused:
        ledger.reverse(spent, amount=21)
    assert refused.value.data == {"reversible": 20}
    assert ledger.snapshot() == before
    assert ledger.reverse(spent).delta == 20
    with pytest.raises(NotReversibleError) as refused:
        ledger.reverse(spent)
    assert refused.value.data == {"reversible": 0}
    assert ledger.lots == [(APRIL, 1, 30), (MAY, 2, 30)]


def test_points_past_their_day_come_back_with_grace(ledger: Ledger) -> None:
    ledger.earn(30, MARCH)
    ledger.earn(30, APRIL)
    ledger.earn(30)
    spent = ledger.redeem(80)
    later = ledger.at + timedelta(days=60)  # 14 May: two of the lots have passed
    ledger.reverse(spent, at=later)
    assert ledger.lots == [
        (MARCH, 1, 0),
        (APRIL, 2, 0),
        (date(2026, 6, 13), 5, 60),
        (NEVER, 3, 30),
    ]
    assert queries.get_balance(owner_id=OWNER, at=later).expired == 0


def test_a_captured_hold_can_be_reversed(ledger: Ledger) -> None:
    ledger.earn(30, APRIL)
    ledger.earn(30, MAY)
    held = ledger.hold(40)
    captured = ledger.end("capture", held)
    with pytest.raises(NotReversibleError):
        ledger.reverse(held)
    assert ledger.reverse(captured, amount=15).balance == 35
    assert ledger.lots == [(APRIL, 1, 5), (MAY, 2, 30)]
    assert ledger.reverse(captured).delta == 25
    assert queries.get_balance(owner_id=OWNER, at=ledger.at).spent == 0


def test_kinds_that_can_not_be_reversed(ledger: Ledger) -> None:
    ledger.earn(30, date(2026, 3, 14))
    ledger.earn(30, MAY)
    points.expire_chunk(at=ledger.at)
    spent = ledger.redeem(10)
    back = ledger.reverse(spent)
    released = ledger.end("release", ledger.hold(5))
    expired = points.EntryRef(spent.account_id, 3)
    before = ledger.snapshot()
    for ref in (expired, back.ref, released.ref):
        with pytest.raises(NotReversibleError) as refused:
            points.reverse(entry_ref=ref, key=uuid.uuid4(), at=ledger.at, source=SOURCE)
        assert refused.value.data == {"reversible": 0}
    with pytest.raises(EntryMissingError):
        points.reverse(entry_ref=uuid.uuid4(), key=uuid.uuid4(), at=ledger.at, source=SOURCE)
    with pytest.raises(InvalidPointsError):
        ledger.reverse(spent, amount=0)
    assert ledger.snapshot() == before


def test_replayed_reversal(ledger: Ledger) -> None:
    ledger.earn(30, MAY)
    spent = ledger.redeem(20)
    key = uuid.uuid4()
    first = ledger.reverse(spent, amount=5, key=key)
    before = ledger.snapshot()
    again = ledger.reverse(spent, amount=5, key=key)
    assert again == points.Posting(first.account_id, 3, 15, 5, replayed=True)
    with pytest.raises(KeyReusedError):
        ledger.reverse(spent, amount=6, key=key)
    with pytest.raises(KeyReusedError):
        ledger.redeem(5, key=key)
    assert ledger.snapshot() == before


# --- clawbacks -------------------------------------------------------------------------------


def test_clawback_takes_its_own_lot_first(ledger: Ledger) -> None:
    ledger.earn(30, APRIL)
    earned = ledger.earn(30, MAY)
    back = ledger.reverse(earned, amount=20)
    assert (back.delta, back.balance, back.shortfall) == (-20, 40, 0)
    assert ledger.lots == [(APRIL, 1, 30), (MAY, 2, 10)]
    ledger.redeem(35)
    back = ledger.reverse(earned)
    assert (back.delta, back.balance, back.shortfall) == (-5, 0, 5)


def test_clawback_goes_on_to_other_lots(ledger: Ledger) -> None:
    earned = ledger.earn(30, APRIL)
    ledger.redeem(20)
    ledger.earn(8, NEVER)
    ledger.earn(15, MAY)
    ledger.earn(4, APRIL, available_at=ledger.at + timedelta(days=1))
    back = ledger.reverse(earned)
    # 10 of its own, 15 that expire first, then 5 of 8; what waits is left alone.
    assert (back.delta, back.balance) == (-30, 7)
    assert ledger.lots == [(APRIL, 1, 0), (APRIL, 5, 4), (MAY, 4, 0), (NEVER, 3, 3)]
    assert ledger.account.pending == 4


def test_clawback_of_points_that_wait(ledger: Ledger) -> None:
    earned = ledger.earn(30, APRIL, available_at=ledger.at + timedelta(days=9))
    ledger.reverse(earned, amount=12)
    assert (ledger.account.balance, ledger.account.pending) == (18, 18)
    ledger.reverse(earned)
    assert (ledger.account.balance, ledger.account.pending) == (0, 0)
    assert points.activate_chunk(at=ledger.at + timedelta(days=9)) == points.Chunk(0, 0, 0)


def test_without_debts_the_shortfall_is_recorded(ledger: Ledger) -> None:
    earned = ledger.earn(30, APRIL)
    ledger.redeem(25)
    back = ledger.reverse(earned)
    assert (back.delta, back.balance, back.shortfall) == (-5, 0, 25)
    entry = queries.list_entries(owner_id=OWNER)[0]
    assert (entry.kind, entry.shortfall) == (Entry.Kind.CLAWBACK, 25)
    with pytest.raises(NotReversibleError):
        ledger.reverse(earned)
    # What comes later is not touched by it.
    assert ledger.earn(10).balance == 10


def test_with_debts_the_balance_goes_below_zero_and_blocks(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    earned = ledger.earn(30, APRIL)
    ledger.redeem(25)
    back = ledger.reverse(earned)
    assert (back.delta, back.balance, back.shortfall) == (-30, -25, 0)
    assert queries.get_balance(owner_id=OWNER, at=ledger.at).available == -25
    for amount in (1, 25):
        with pytest.raises(InsufficientPointsError) as refused:
            ledger.redeem(amount)
        assert refused.value.data == {"missing": amount}


def test_a_later_credit_pays_the_debt_first(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    earned = ledger.earn(30, APRIL)
    ledger.redeem(30)
    ledger.reverse(earned)
    first = ledger.earn(10, MAY)
    assert (first.balance, ledger.lots[-1]) == (-20, (MAY, 4, 0))
    second = ledger.earn(50, MAY, available_at=ledger.at + timedelta(days=2))
    assert (second.balance, second.delta) == (30, 50)
    assert ledger.lots[-1] == (MAY, 5, 30)
    assert ledger.account.pending == 30
    entry = queries.list_entries(owner_id=OWNER)[0]
    assert entry.lots == (queries.LotChange(MAY, 5, 50), queries.LotChange(MAY, 5, -20))


def test_points_given_back_pay_the_debt_first(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    earned = ledger.earn(60, APRIL)
    ledger.earn(10, MAY)
    spent = ledger.redeem(40)
    held = ledger.hold(30)
    ledger.reverse(earned)
    assert ledger.account.balance == -60
    assert ledger.end("release", held).balance == -30
    assert [lot[2] for lot in ledger.lots] == [0, 0]
    assert ledger.reverse(spent).balance == 10
    assert ledger.lots == [(APRIL, 1, 10), (MAY, 2, 0)]


def test_what_expired_is_not_claimed_again(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    earned = ledger.earn(100, MARCH)
    ledger.redeem(40)
    later = ledger.at + timedelta(days=20)
    points.expire_chunk(at=later)
    ledger.earn(70, MAY, at=later)
    assert ledger.reverse(earned, amount=50, at=later).delta == -40
    back = ledger.reverse(earned, amount=50, at=later)
    assert (back.delta, back.balance, back.shortfall) == (0, 30, 50)


def test_refunds_end_alike_whether_the_nightly_expiry_ran_or_not(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    balances = []
    for expire_first in (False, True):
        mark = transaction.savepoint()
        earned = ledger.earn(100, MARCH)
        ledger.earn(20, MARCH)
        ledger.redeem(40)
        later = ledger.at + timedelta(days=20)
        if expire_first:
            points.expire_chunk(at=later)
        ledger.reverse(earned, at=later)
        points.expire_chunk(at=later)
        balances.append((ledger.account.balance, [lot[2] for lot in ledger.lots]))
        transaction.savepoint_rollback(mark)
    assert balances == [(-40, [0, 0]), (-40, [0, 0])]


def test_refunds_in_any_order_end_at_the_same_balance(ledger: Ledger) -> None:
    ledger.rules(may_go_negative=True)
    ends = set()
    for parts in ((10, 30, 60), (60, 30, 10), (30, 60, 10)):
        mark = transaction.savepoint()
        earned = ledger.earn(100, MAY)
        ledger.redeem(70)
        ledger.earn(15, APRIL)
        for part in parts:
            ledger.reverse(earned, amount=part)
        ends.add((ledger.account.balance, tuple(ledger.lots)))
        transaction.savepoint_rollback(mark)
    assert ends == {(-55, ((APRIL, 3, 0), (MAY, 1, 0)))}


def test_adjustments_can_be_reversed(ledger: Ledger) -> None:
    common = {"owner_id": OWNER, "reason": "test", "by": SYSTEM, "at": ledger.at}
    up = points.adjust(amount=30, key=uuid.uuid4(), expires_on=MAY, **common)
    down = points.adjust(amount=-10, key=uuid.uuid4(), **common)
    assert ledger.reverse(down).balance == 30
    assert ledger.reverse(up).balance == 0
    entries = queries.list_entries(owner_id=OWNER)
    assert [(entry.kind, entry.delta, entry.ref_seq) for entry in entries] == [
        (Entry.Kind.ADJUST, -30, 1),
        (Entry.Kind.ADJUST, 10, 2),
        (Entry.Kind.ADJUST, -10, None),
        (Entry.Kind.ADJUST, 30, None),
    ]
    with pytest.raises(NotReversibleError):
        points.reverse(
            entry_ref=points.EntryRef(up.account_id, 3), key=uuid.uuid4(), at=ledger.at,
            source=SOURCE,
        )  # fmt: skip


def test_the_database_refuses_a_debt_that_the_wallet_does_not_allow(ledger: Ledger) -> None:
    ledger.earn(5)
    with pytest.raises(IntegrityError, match="allows no debt"), transaction.atomic():
        Account.objects.filter(id=ledger.account.id).update(balance=-1, seq=2)
    assert ledger.account.balance == 5


def test_replaying_a_credit_while_in_debt_is_allowed_after_the_rule_changed(
    ledger: Ledger,
) -> None:
    ledger.rules(may_go_negative=True)
    key = uuid.uuid4()
    earned = ledger.earn(30, APRIL, key=key)
    ledger.redeem(30)
    ledger.reverse(earned)
    ledger.rules(may_go_negative=False)
    before = ledger.snapshot()
    assert ledger.earn(30, key=key).replayed
    assert ledger.snapshot() == before
    assert ledger.earn(10).balance == -20
