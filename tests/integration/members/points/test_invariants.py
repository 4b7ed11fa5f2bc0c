"""Each check finds what it is there for: a ledger is spoilt by hand, one thing at a time."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from members.points.invariants import CHECKS
from tests.integration.members.points.conftest import OWNER, Ledger

_FORGED = """
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
        ref_seq, shortfall, at)
    SELECT id, seq + 1, {kind}, {delta}, balance + {delta}, gen_random_uuid(), {lots}, '',
        {ref}, {shortfall}, now()
    FROM members_account WHERE owner_id = %(owner)s AND wallet_id = 1;
    UPDATE members_account SET seq = seq + 1, balance = balance + {delta}
    WHERE owner_id = %(owner)s AND wallet_id = 1
"""


def _forge(
    kind: int, delta: int, *, lots: str = "'{}'", ref: str = "NULL", shortfall: str = "NULL"
) -> str:
    return _FORGED.format(kind=kind, delta=delta, lots=lots, ref=ref, shortfall=shortfall)


@pytest.mark.parametrize(
    ("spoil", "found_by"),
    [
        ("UPDATE members_account SET balance = balance + 1",
         {"points.balances", "points.books", "points.liability"}),
        ("UPDATE members_account SET pending = pending + 1", {"points.balances"}),
        ("UPDATE members_account SET held = held + 1", {"points.balances", "points.books"}),
        ("UPDATE members_account SET seq = seq + 1 WHERE seq > 0", {"points.books"}),
        ("UPDATE members_lot SET remaining = remaining - 1 WHERE seq = 1",
         {"points.balances", "points.lots"}),
        ("UPDATE members_lot SET earned = earned + 1 WHERE seq = 1", {"points.lots"}),
        ("UPDATE members_lot SET is_pending = NOT is_pending WHERE seq = 2", {"points.balances"}),
        ("UPDATE members_lot SET available_at = NULL WHERE seq = 2", {"points.entries"}),
        ("UPDATE members_account SET first_open_on = '9999-12-31', first_open_seq = 9",
         {"points.lots"}),
        ("UPDATE members_hold SET state = 2 WHERE state = 1",
         {"points.balances", "points.reversals"}),
        ("UPDATE members_hold SET amount = amount + 1 WHERE state = 1", {"points.balances"}),
        (("INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, is_pending) "
         "VALUES (-1, '2027-01-01', 1, 5, 5, false)"), {"points.balances", "points.lots"}),
        # A spending without lots, with the wrong sign, and a reversal of more than there was.
        (_forge(2, -1), {"points.balances"}),
        (_forge(2, 1), {"points.balances", "points.entries"}),
        (_forge(7, 0), {"points.entries"}),
        (_forge(10, 0, ref="1", shortfall="500"), {"points.reversals"}),
        (_forge(2, -1, shortfall="5"), {"points.balances", "points.entries"}),
        (_forge(4, 5, ref="99"), {"points.balances", "points.entries"}),
    ],
)  # fmt: skip
def test_a_spoilt_ledger_is_found_out(ledger: Ledger, spoil: str, found_by: set[str]) -> None:
    ledger.earn(50)
    ledger.earn(20, available_at=ledger.at + timedelta(days=3))
    ledger.redeem(10)
    ledger.hold(5)
    ledger.end("capture", ledger.hold(6))
    assert {name for name, check in CHECKS.items() if check()} == set()
    mark = transaction.savepoint()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(spoil, {"owner": OWNER})
    assert {name for name, check in CHECKS.items() if check()} == found_by
    transaction.savepoint_rollback(mark)
