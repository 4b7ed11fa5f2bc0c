"""Points that members pass on to each other."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from core.actors import Actor
from core.errors import DomainError
from members.points import operations as points
from members.points import queries
from members.points.errors import KeyReusedError, TransferLimitError
from members.points.models import Account, Entry, Transfer
from tenants.audit.models import AuditEntry
from tenants.events.models import Event
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

FRIEND = 8
APRIL, MAY = date(2026, 4, 30), date(2026, 5, 31)
MEMBER = Actor(kind="member", id=OWNER)


@pytest.fixture
def open_ledger(ledger: Ledger) -> Ledger:
    """Return a ledger whose wallet allows transfers, and a friend with an account."""
    points.open_accounts(owner_id=FRIEND, at=ledger.at)
    ledger.rules(transfers_on=True)
    return ledger


def send(ledger: Ledger, amount: int, **given: Any) -> points.Posting:
    facts: dict[str, Any] = {
        "from_owner_id": OWNER, "to_owner_id": FRIEND, "amount": amount, "key": uuid.uuid4(),
        "by": MEMBER, "at": ledger.at, **given,
    }  # fmt: skip
    return points.transfer(**facts)


def test_points_keep_their_last_days_and_both_sides_are_linked(open_ledger: Ledger) -> None:
    open_ledger.earn(10, APRIL)
    open_ledger.earn(20, MAY)
    open_ledger.earn(5, APRIL)
    open_ledger.earn(9, None)
    key = uuid.uuid4()
    sent = send(open_ledger, 30, key=key)
    assert (sent.delta, sent.balance) == (-30, 14)
    assert send(open_ledger, 30, key=key).replayed
    lots = queries.list_lots(owner_id=FRIEND)
    assert [(lot.expires_on, lot.seq, lot.remaining) for lot in lots] == [
        (APRIL, 1, 15), (MAY, 1, 15),
    ]  # fmt: skip
    row = Transfer.objects.get()
    ours, theirs = Entry.objects.filter(kind=Entry.Kind.TRANSFER).order_by("delta")
    assert (row.from_account_id, row.from_seq) == (ours.account_id, ours.seq)
    assert (row.to_account_id, row.to_seq) == (theirs.account_id, theirs.seq)
    assert (ours.source_type, ours.source_id, ours.cause) == ("transfer", row.pk, {"to": FRIEND})
    assert (theirs.delta, theirs.source_id, theirs.cause) == (30, row.pk, {"from": OWNER})
    assert list(Event.objects.order_by("id").values_list("type", "subject")) == [
        ("points.transferred", f"member:{OWNER}"),
        ("points.transferred", f"member:{FRIEND}"),
    ]
    assert not AuditEntry.objects.filter(action="points.transferred").exists()
    friend_spends = points.redeem(
        owner_id=FRIEND, amount=20, key=uuid.uuid4(), at=open_ledger.at, source=SOURCE
    )
    assert friend_spends.balance == 10
    with pytest.raises(KeyReusedError):
        send(open_ledger, 31, key=key)


REFUSALS: list[tuple[str, dict[str, Any], int, dict[str, Any]]] = [
    ("transfers_off", {"transfers_on": False}, 10, {}),
    ("transfer_too_small", {"transfer_min": 11}, 10, {"minimum": 11, "pointer": "/amount"}),
    (
        "transfer_limit",
        {"transfer_day_points": 9},
        10,
        {"limit": "points", "left": 9, "retry_at": "2026-03-16T00:00:00+08:00"},
    ),
    (
        "transfer_limit",
        {"transfer_day_count": 0},
        10,
        {"limit": "count", "maximum": 0, "retry_at": "2026-03-16T00:00:00+08:00"},
    ),
    ("receiver_full", {"balance_cap": 9}, 10, {"room": 9, "pointer": "/amount"}),
    ("insufficient_points", {}, 101, {"missing": 1}),
]


@pytest.mark.parametrize(("code", "rules", "amount", "data"), REFUSALS)
def test_a_transfer_is_refused_with_its_reason(
    open_ledger: Ledger, code: str, rules: dict[str, Any], amount: int, data: dict[str, Any]
) -> None:
    open_ledger.earn(100, MAY)
    open_ledger.earn(50, MAY, available_at=open_ledger.at + timedelta(days=1))
    open_ledger.rules(**rules)
    before = open_ledger.snapshot()
    with pytest.raises(DomainError) as caught:
        send(open_ledger, amount)
    assert (caught.value.code, caught.value.data) == (code, data)
    assert open_ledger.snapshot() == before
    assert Transfer.objects.count() == 0


@pytest.mark.parametrize("to", [OWNER, 99])
def test_there_must_be_somebody_else(open_ledger: Ledger, to: int) -> None:
    open_ledger.earn(100, MAY)
    with pytest.raises(DomainError) as caught:
        send(open_ledger, 1, to_owner_id=to)
    assert caught.value.code == "receiver_missing"


def test_debts_come_first(open_ledger: Ledger) -> None:
    open_ledger.rules(recover_percent=10)
    credit = open_ledger.earn(100, MAY)
    open_ledger.redeem(90)
    open_ledger.reverse(credit)
    open_ledger.earn(50, MAY)
    with pytest.raises(DomainError) as caught:
        send(open_ledger, 1)
    assert caught.value.code == "sender_owes"
    open_ledger.rules(recover_percent=0, may_go_negative=True)
    theirs = points.earn(
        owner_id=FRIEND, amount=5, key=uuid.uuid4(), at=open_ledger.at, source=SOURCE
    )
    points.redeem(owner_id=FRIEND, amount=5, key=uuid.uuid4(), at=open_ledger.at, source=SOURCE)
    open_ledger.reverse(theirs)
    Account.objects.filter(owner_id=OWNER).update(owed=0)
    with pytest.raises(DomainError) as caught:
        send(open_ledger, 1)
    assert caught.value.code == "receiver_owes"
    Account.objects.filter(owner_id=OWNER, wallet_id=1).update(owed=85)


def test_a_days_limits_open_again_at_midnight_of_the_brand(open_ledger: Ledger) -> None:
    open_ledger.earn(100, MAY)
    open_ledger.rules(transfer_day_points=30, transfer_day_count=2)
    send(open_ledger, 10)
    with pytest.raises(TransferLimitError):
        send(open_ledger, 21)
    send(open_ledger, 20)
    with pytest.raises(TransferLimitError) as caught:
        send(open_ledger, 1)
    assert caught.value.data["limit"] == "count"
    midnight = datetime.fromisoformat("2026-03-16T00:00:00+08:00")
    assert send(open_ledger, 30, at=midnight).balance == 40


def test_points_by_inactivity_take_their_day_along(open_ledger: Ledger) -> None:
    open_ledger.rules(expiry_policy="inactivity", expiry_months=2)
    open_ledger.earn(100)
    points.earn(owner_id=FRIEND, amount=7, key=uuid.uuid4(), at=open_ledger.at, source=SOURCE)
    late = open_ledger.at + timedelta(days=40)
    open_ledger.redeem(1, at=late)
    lapsed = open_ledger.at + timedelta(days=62)  # the friend's lapsed yesterday
    send(open_ledger, 9, at=lapsed)
    friend = Account.objects.get(owner_id=FRIEND, wallet_id=1)
    assert (friend.balance, friend.good_until) == (9, date(2026, 7, 16))
    assert open_ledger.account.good_until == date(2026, 7, 16)


def test_transfers_by_staff_are_audited(open_ledger: Ledger) -> None:
    open_ledger.earn(100, MAY)
    send(open_ledger, 5, by=Actor(kind="staff", id=3, label="Ann"))
    entry = AuditEntry.objects.get(action="points.transferred")
    assert (entry.action, entry.changes) == ("points.transferred", {"points": [None, 5]})


def test_transfers_are_no_earnings(open_ledger: Ledger) -> None:
    open_ledger.earn(100, MAY)
    sent = send(open_ledger, 60)
    books = {(line.wallet, line.account): line.points for line in queries.double_entry()}
    assert books["points", "transferred"] == 0
    assert books["points", "issued"] == -100
    with pytest.raises(DomainError) as caught:
        open_ledger.reverse(sent)
    assert caught.value.code == "not_reversible"
