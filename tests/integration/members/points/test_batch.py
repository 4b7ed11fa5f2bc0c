"""Many credits at once equal the same credits one by one."""

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.points import operations as points
from members.points.errors import AccountMissingError, InvalidPointsError, KeyReusedError
from members.points.models import Account, Entry, Lot, Wallet
from tenants.brands.models import Brand

OWNERS = (1, 2, 3)
START = datetime.fromisoformat("2026-03-15T04:00:00+00:00")
SOURCE = points.Source("import", 5)

rows = st.builds(
    points.EarnRow,
    owner_id=st.sampled_from(OWNERS),
    amount=st.integers(1, 50),
    # Few keys, so that some come twice.
    key=st.integers(1, 12).map(lambda number: uuid.UUID(int=number)),
    at=st.integers(0, 90).map(lambda days: START + timedelta(days=days, hours=13)),
    source=st.just(SOURCE),
    wallet=st.sampled_from(["points", "points", "growth"]),
    earned_on=st.sampled_from([None, date(2026, 1, 31)]),
    available_at=st.sampled_from([None, START, START + timedelta(days=30)]),
    expires_on=st.sampled_from([None, date(2026, 5, 31)]),
    cause=st.sampled_from([None, {"rule": 3}]),
)


def _written() -> Any:
    return [
        list(
            Account.objects.order_by("id").values_list(
                "wallet", "owner_id", "balance", "pending", "held", "seq"
            )
        ),
        list(Lot.objects.order_by("account", "expires_on", "seq").values()),
        list(Entry.objects.order_by("account", "seq").values()),
    ]


def _outcome(do: Callable[[], Any]) -> Any:
    """Do it in a savepoint that is rolled back; return what was written, or the refusal."""
    mark = transaction.savepoint()
    try:
        do()
        return _written()
    except KeyReusedError:
        return "key_reused"
    finally:
        transaction.savepoint_rollback(mark)


@pytest.mark.slow
def test_batch_equals_one_by_one(brand: Brand) -> None:
    points.open_accounts_for(owner_ids=OWNERS, at=START)
    Wallet.objects.filter(id=1).update(
        expiry_policy="end_of_month", expiry_months=1, pending_days=7, may_go_negative=True
    )
    # Something is there before: a debt of 40 of owner 1, and a key that a row may use.
    earned = points.earn(
        owner_id=1, amount=40, key=uuid.uuid4(), at=START, source=SOURCE, available_at=START
    )
    points.redeem(owner_id=1, amount=40, key=uuid.uuid4(), at=START, source=SOURCE)
    points.reverse(entry_ref=earned.ref, key=uuid.uuid4(), at=START, source=SOURCE)
    points.earn(owner_id=2, amount=9, key=uuid.UUID(int=1), at=START, source=SOURCE)

    def one_by_one(batch: list[points.EarnRow]) -> None:
        for row in batch:
            points.earn(
                owner_id=row.owner_id, amount=row.amount, key=row.key, at=row.at,
                source=row.source, wallet=row.wallet, earned_on=row.earned_on,
                available_at=row.available_at, expires_on=row.expires_on, cause=row.cause,
            )  # fmt: skip

    @settings(
        max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(batch=st.lists(rows, max_size=14, unique_by=lambda row: (row.key, row.amount)))
    def compare(batch: list[points.EarnRow]) -> None:
        assert _outcome(lambda: points.earn_many(rows=batch)) == _outcome(lambda: one_by_one(batch))

    compare()


def _row(owner_id: int, amount: int, key: int, **given: Any) -> points.EarnRow:
    return points.EarnRow(
        owner_id=owner_id, amount=amount, key=uuid.UUID(int=key), at=START, source=SOURCE, **given
    )


def test_batch_tells_what_it_did_and_again_changes_nothing(brand: Brand) -> None:
    points.open_accounts_for(owner_ids=OWNERS, at=START)
    batch = [_row(1, 10, 1), _row(2, 20, 2), _row(1, 30, 3, wallet="growth"), _row(1, 10, 1)]
    assert points.earn_many(rows=batch) == points.EarnedMany(posted=3, replayed=1, points=60)
    before = _written()
    assert points.earn_many(rows=batch) == points.EarnedMany(posted=0, replayed=4, points=0)
    assert points.earn_many(rows=[]) == points.EarnedMany(0, 0, 0)
    assert _written() == before


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (_row(99, 10, 7), AccountMissingError),
        (_row(1, 0, 7), InvalidPointsError),
        (_row(1, 10**12 + 1, 7), InvalidPointsError),
        (_row(1, 11, 1), KeyReusedError),
        (_row(2, 10, 1), KeyReusedError),
        (_row(1, 10, 1, wallet="growth"), KeyReusedError),
    ],
)
def test_one_bad_row_refuses_the_batch(
    brand: Brand, bad: points.EarnRow, error: type[Exception]
) -> None:
    points.open_accounts_for(owner_ids=OWNERS, at=START)
    points.earn_many(rows=[_row(1, 10, 1)])
    before = _written()
    with pytest.raises(error):
        points.earn_many(rows=[_row(1, 5, 3), bad, _row(2, 5, 4)])
    assert _written() == before
    assert points.earn_many(rows=[_row(1, 5, 3)]).posted == 1


def test_batch_from_a_query(brand: Brand) -> None:
    points.open_accounts_for(owner_ids=OWNERS, at=START)
    query = """
        SELECT o.number, 1, o.id, 10 * o.id, md5('row ' || o.id)::uuid, %s::timestamptz,
               DATE '2026-03-15', NULL::timestamptz, DATE '2026-12-31', 'purchase', 70 + o.id,
               jsonb_build_object('rule', 4)
        FROM unnest(%s::bigint[]) WITH ORDINALITY AS o(id, number)
    """
    assert points.earn_from_query(query=query, parameters=[START, [3, 1]]) == points.EarnedMany(
        2, 0, 40
    )
    assert list(
        Entry.objects.order_by("account").values_list(
            "account__owner_id", "delta", "balance_after", "source_type", "source_id", "cause"
        )
    ) == [
        (1, 10, 10, "purchase", 71, {"rule": 4}),
        (3, 30, 30, "purchase", 73, {"rule": 4}),
    ]
