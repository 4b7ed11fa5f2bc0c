"""Holds: set aside, then captured or released, once."""

import uuid
from datetime import date, timedelta

import pytest

from members.points import operations as points
from members.points import queries
from members.points.errors import (
    EntryMissingError,
    HoldNotOpenError,
    InsufficientPointsError,
    KeyReusedError,
)
from members.points.models import Entry, Hold
from tenants.events.models import Event
from tests.integration.members.points.conftest import OWNER, SOURCE, Ledger

MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def test_hold_then_capture(ledger: Ledger) -> None:
    ledger.earn(50, APRIL)
    ledger.earn(50, MAY)
    held = ledger.hold(70, ledger.at + timedelta(days=2))
    assert (held.balance, held.delta) == (30, -70)
    balance = queries.get_balance(owner_id=OWNER, at=ledger.at)
    assert (balance.available, balance.held, balance.spent, balance.total) == (30, 70, 0, 100)
    with pytest.raises(InsufficientPointsError):
        ledger.redeem(31)
    captured = ledger.end("capture", held)
    assert (captured.seq, captured.balance, captured.delta) == (4, 30, 0)
    balance = queries.get_balance(owner_id=OWNER, at=ledger.at)
    assert (balance.available, balance.held, balance.spent, balance.total) == (30, 0, 70, 30)
    entry = queries.list_entries(owner_id=OWNER)[0]
    assert (entry.kind, entry.delta, entry.amount, entry.ref_seq) == (Entry.Kind.CAPTURE, 0, 70, 3)
    assert ledger.lots == [(APRIL, 1, 0), (MAY, 2, 30)]


def test_hold_then_release_goes_back_to_its_lots(ledger: Ledger) -> None:
    ledger.earn(50, APRIL)
    ledger.earn(50, MAY)
    held = ledger.hold(70)
    released = ledger.end("release", held)
    assert (released.balance, released.delta) == (100, 70)
    assert ledger.lots == [(APRIL, 1, 50), (MAY, 2, 50)]
    assert ledger.account.held == 0


@pytest.mark.parametrize(("first", "then"), [("capture", "release"), ("release", "capture")])
def test_a_hold_ends_once(ledger: Ledger, first: str, then: str) -> None:
    ledger.earn(50, APRIL)
    held = ledger.hold(20)
    ledger.end(first, held)
    before = ledger.snapshot()
    for operation in (first, then):
        with pytest.raises(HoldNotOpenError) as refused:
            ledger.end(operation, held)
        assert refused.value.data == {"state": f"{first}d"}
    assert ledger.snapshot() == before


def test_capture_after_its_time_is_refused_and_the_job_releases(ledger: Ledger) -> None:
    ledger.earn(50, MAY)
    until = ledger.at + timedelta(hours=1)
    held = ledger.hold(20, until)
    other = ledger.hold(5, until + timedelta(seconds=1))
    before = ledger.snapshot()
    with pytest.raises(HoldNotOpenError) as refused:
        ledger.end("capture", held, at=until)
    assert refused.value.data == {"state": "past_its_time"}
    assert ledger.snapshot() == before
    assert points.release_expired_holds(at=until) == 1
    assert points.release_expired_holds(at=until) == 0
    states = {posting.seq: queries.get_hold(hold_ref=posting.ref) for posting in (held, other)}
    assert states == {
        2: queries.HoldView(held.ref, OWNER, 20, Hold.State.RELEASED, until),
        3: queries.HoldView(other.ref, OWNER, 5, Hold.State.OPEN, until + timedelta(seconds=1)),
    }
    assert ledger.lots == [(MAY, 1, 45)]


def test_held_points_whose_lots_expired_come_back_with_grace(ledger: Ledger) -> None:
    ledger.rules(restore_grace_days=10)
    ledger.earn(30, MARCH)
    ledger.earn(30, APRIL)
    held = ledger.hold(40)
    later = ledger.at + timedelta(days=20)
    points.expire_chunk(at=later)
    released = ledger.end("release", held, at=later)
    assert (released.seq, released.balance) == (4, 60)
    # 4 April in Shanghai plus ten days; the lot of April has its part back as it was.
    assert ledger.lots == [(MARCH, 1, 0), (date(2026, 4, 14), 4, 30), (APRIL, 2, 30)]
    # Captured instead, they are gone: the order was placed while they were good.
    again = ledger.hold(60, at=later)
    ledger.end("capture", again, at=later + timedelta(days=100))
    assert ledger.account.balance == 0


def test_by_key_or_address_and_replayed(ledger: Ledger) -> None:
    ledger.earn(50, MAY)
    hold_key, end_key = uuid.uuid4(), uuid.uuid4()
    held = ledger.hold(20, key=hold_key)
    assert ledger.hold(20, key=hold_key).replayed
    captured = points.capture(hold_ref=hold_key, key=end_key, at=ledger.at, source=SOURCE)
    before = ledger.snapshot()
    assert ledger.end("capture", held, key=end_key) == points.Posting(
        captured.account_id, 3, 30, 0, replayed=True
    )
    with pytest.raises(KeyReusedError):
        ledger.end("release", held, key=end_key)
    with pytest.raises(KeyReusedError):
        ledger.end("capture", held, key=hold_key)
    assert ledger.snapshot() == before


def test_unknown_holds(ledger: Ledger) -> None:
    earned = ledger.earn(50, MAY)
    for ref in (uuid.uuid4(), earned.ref, points.EntryRef(earned.account_id, 99)):
        for operation in (points.capture, points.release):
            with pytest.raises(EntryMissingError):
                operation(hold_ref=ref, key=uuid.uuid4(), at=ledger.at, source=SOURCE)
        assert queries.get_hold(hold_ref=ref) is None


def test_each_step_of_a_hold_is_told_once(ledger: Ledger) -> None:
    ledger.earn(50, MAY)
    key = uuid.uuid4()
    held = ledger.hold(20, key=key)
    ledger.hold(20, key=key)
    other = ledger.hold(10)
    ended = uuid.uuid4()
    ledger.end("capture", held, key=ended)
    ledger.end("capture", held, key=ended)
    ledger.end("release", other)
    with pytest.raises(HoldNotOpenError):
        ledger.end("release", other)
    told = Event.objects.order_by("id").values_list("type", "subject", "data")
    common = {"wallet": "points", "source": "test:1"}
    assert list(told) == [
        ("points.held", f"member:{OWNER}", {"points": 20, "balance": 30, **common}),
        ("points.held", f"member:{OWNER}", {"points": 10, "balance": 20, **common}),
        ("points.captured", f"member:{OWNER}", {"points": 20, "balance": 20, **common}),
        ("points.released", f"member:{OWNER}", {"points": 10, "balance": 30, **common}),
    ]
