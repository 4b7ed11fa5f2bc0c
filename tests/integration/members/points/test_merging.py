"""Two owners become one and two again: every point where it was, by the journal alone."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.points import operations as points
from members.points.errors import InsufficientPointsError
from members.points.invariants import CHECKS
from members.points.models import Account, Entry, Lot, Wallet
from members.points.queries import get_balance, list_lots
from tenants.brands.models import Brand

STAYS, GOES, LAST = 7, 8, 9
SOURCE = points.Source("test", 1)
TODAY = date(2026, 3, 15)


def problems() -> dict[str, list[str]]:
    return {name: found for name, check in CHECKS.items() if (found := check())}


@pytest.fixture
def two(brand: Brand, at: datetime) -> Iterator[None]:
    points.open_accounts_for(owner_ids=[STAYS, GOES, LAST], at=at)
    yield
    assert problems() == {}


def earn(owner: int, amount: int, at: datetime, **given: Any) -> points.Posting:
    return points.earn(
        owner_id=owner, amount=amount, key=uuid.uuid4(), at=at, source=SOURCE, **given
    )


def redeem(owner: int, amount: int, at: datetime) -> points.Posting:
    return points.redeem(owner_id=owner, amount=amount, key=uuid.uuid4(), at=at, source=SOURCE)


def reverse(posting: points.Posting, at: datetime, amount: int | None = None) -> points.Posting:
    return points.reverse(
        entry_ref=posting.ref, key=uuid.uuid4(), at=at, source=SOURCE, amount=amount
    )


def merge(at: datetime, goes: int = GOES, stays: int = STAYS, number: int = 1) -> dict[str, int]:
    with transaction.atomic():
        return points.merge_accounts(owner_id=goes, into_owner_id=stays, merge_id=number, at=at)


def unmerge(at: datetime, goes: int = GOES) -> dict[str, int]:
    with transaction.atomic():
        return points.unmerge_accounts(owner_id=goes, at=at)


def lots(owner: int) -> list[tuple[int, date | None, bool]]:
    return [(lot.remaining, lot.expires_on, lot.is_pending) for lot in list_lots(owner_id=owner)]


def stored(owner: int) -> list[Any]:
    """Return all that an owner has but the numbering of the journal."""
    account = Account.objects.filter(owner_id=owner, wallet_id=1)
    return [
        account.values_list("balance", "pending", "held", "merged_into_id").get(),
        list(
            Lot.objects.filter(account__in=account, remaining__gt=0)
            .order_by("expires_on", "seq")
            .values_list("expires_on", "seq", "earned", "remaining", "available_at", "is_pending")
        ),
    ]


def test_lots_keep_their_last_day_and_their_waiting(two: None, at: datetime) -> None:
    earn(STAYS, 100, at, expires_on=date(2026, 6, 30))
    earn(GOES, 30, at, expires_on=date(2026, 5, 31))
    earn(GOES, 20, at, expires_on=date(2026, 5, 31))
    earn(GOES, 5, at, expires_on=date(2026, 5, 31), available_at=at + timedelta(days=3))
    earn(GOES, 6, at, expires_on=date(2026, 5, 31), available_at=at + timedelta(days=9))
    earn(GOES, 70, at)
    before = stored(STAYS), stored(GOES)
    assert merge(at)["points"] == 131
    assert stored(GOES)[0][:3] == (0, 0, 0)
    assert lots(STAYS) == [
        (50, date(2026, 5, 31), False),
        (5, date(2026, 5, 31), True),
        (6, date(2026, 5, 31), True),
        (100, date(2026, 6, 30), False),
        (70, None, False),
    ]
    balance = get_balance(owner_id=STAYS, at=at)
    assert (balance.available, balance.pending) == (220, 11)
    assert problems() == {}
    assert unmerge(at)["points"] == 131
    assert (stored(STAYS), stored(GOES)) == before


def test_waiting_points_are_good_after_their_instant(two: None, at: datetime) -> None:
    earn(GOES, 40, at, available_at=at + timedelta(days=3))
    merge(at)
    with pytest.raises(InsufficientPointsError):
        redeem(STAYS, 40, at)
    redeem(STAYS, 40, at + timedelta(days=4))


def test_what_was_spent_since_stays_spent(two: None, at: datetime) -> None:
    earn(STAYS, 100, at, expires_on=date(2026, 6, 30))
    earn(GOES, 50, at, expires_on=date(2026, 5, 31))
    earn(GOES, 8, at, expires_on=date(2026, 5, 31))
    merge(at)
    redeem(STAYS, 54, at)  # the earliest lots are those that came over
    earn(STAYS, 9, at)
    assert unmerge(at) == {"points": 4, "growth": 0}
    assert lots(GOES) == [(4, date(2026, 5, 31), False)]
    assert lots(STAYS) == [(100, date(2026, 6, 30), False), (9, None, False)]


def test_a_debt_of_the_survivor_is_paid_and_owed_again(two: None, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(may_go_negative=True)
    spent = earn(STAYS, 60, at)
    redeem(STAYS, 60, at)
    reverse(spent, at)
    earn(GOES, 100, at, available_at=at + timedelta(days=2))
    before = stored(STAYS), stored(GOES)
    assert before[0][0][0] == -60
    merge(at)
    assert stored(STAYS)[0][:2] == (40, 40)
    assert problems() == {}
    unmerge(at)
    assert (stored(STAYS), stored(GOES)) == before


def test_a_debt_goes_over_and_back(two: None, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(may_go_negative=True)
    spent = earn(GOES, 60, at)
    redeem(GOES, 60, at)
    reverse(spent, at)
    earn(STAYS, 40, at, expires_on=date(2026, 6, 30))
    earn(STAYS, 10, at)
    before = stored(STAYS), stored(GOES)
    assert merge(at)["points"] == -60
    assert stored(STAYS)[0][0] == -10
    assert stored(GOES)[0][0] == 0
    assert problems() == {}
    unmerge(at)
    assert (stored(STAYS), stored(GOES)) == before


def test_a_hold_stays_where_it_is_and_gives_back_to_the_survivor(two: None, at: datetime) -> None:
    earn(GOES, 100, at, expires_on=date(2026, 6, 30))
    hold = points.hold(owner_id=GOES, amount=30, key=uuid.uuid4(), at=at, until=None, source=SOURCE)
    other = points.hold(
        owner_id=GOES, amount=20, key=uuid.uuid4(), at=at, until=None, source=SOURCE
    )
    merge(at)
    assert get_balance(owner_id=STAYS, at=at).held == 50
    points.capture(hold_ref=other.ref, key=uuid.uuid4(), at=at, source=SOURCE)
    points.release(hold_ref=hold.ref, key=uuid.uuid4(), at=at, source=SOURCE)
    balance = get_balance(owner_id=STAYS, at=at)
    assert (balance.available, balance.held) == (80, 0)
    assert lots(STAYS) == [(50, date(2026, 6, 30), False), (30, date(2026, 6, 30), False)]
    assert problems() == {}
    unmerge(at)
    assert lots(GOES) == [(80, date(2026, 6, 30), False)]
    assert lots(STAYS) == []


def test_a_reversed_spending_comes_back_to_the_survivor(two: None, at: datetime) -> None:
    earn(GOES, 100, at, expires_on=date(2026, 6, 30))
    spent = redeem(GOES, 70, at)
    merge(at)
    reverse(spent, at, amount=50)
    assert lots(GOES) == []
    assert sum(lot[0] for lot in lots(STAYS)) == 80
    unmerge(at)
    assert lots(GOES) == [(80, date(2026, 6, 30), False)]


@pytest.mark.parametrize("may_owe", [False, True])
def test_a_clawback_takes_from_the_survivor(two: None, at: datetime, *, may_owe: bool) -> None:
    Wallet.objects.filter(id=1).update(may_go_negative=may_owe)
    first = earn(GOES, 100, at)
    earn(GOES, 7, at)
    redeem(GOES, 60, at)  # 40 of the first are left
    earn(STAYS, 25, at, expires_on=date(2026, 6, 30))
    merge(at)
    posting = reverse(first, at, amount=50)
    assert (posting.delta, posting.shortfall) == (-50, 0)
    # 40 of what came from that lot, 10 of the survivor's own earliest.
    assert lots(STAYS) == [(15, date(2026, 6, 30), False), (7, None, False)]
    assert stored(GOES)[0][:3] == (0, 0, 0)
    assert problems() == {}
    posting = reverse(first, at)
    assert posting.delta == (-50 if may_owe else -22)
    assert posting.shortfall == (0 if may_owe else 28)
    assert stored(STAYS)[0][0] == (-28 if may_owe else 0)
    assert stored(GOES)[0][0] == 0
    assert problems() == {}
    unmerge(at)
    assert stored(GOES)[0][0] in {0, -28}


def test_a_line_of_merges_hands_on_and_is_undone_last_first(two: None, at: datetime) -> None:
    earn(GOES, 100, at, expires_on=date(2026, 6, 30))
    spent = redeem(GOES, 30, at)
    earn(STAYS, 10, at)
    before = [stored(owner) for owner in (GOES, STAYS, LAST)]
    merge(at)
    between = [stored(owner) for owner in (GOES, STAYS, LAST)]
    merge(at, goes=STAYS, stays=LAST, number=2)
    assert get_balance(owner_id=LAST, at=at).available == 80
    reverse(spent, at, amount=1)
    assert get_balance(owner_id=LAST, at=at).available == 81
    assert problems() == {}
    unmerge(at, goes=STAYS)
    assert get_balance(owner_id=STAYS, at=at).available == 81
    assert between[2] == stored(LAST)
    unmerge(at)
    assert get_balance(owner_id=GOES, at=at).available == 71
    assert [stored(STAYS), stored(LAST)] == before[1:]


def test_what_is_posted_late_follows(two: None, at: datetime) -> None:
    merge(at)
    earn(GOES, 12, at)
    assert "points.merged" in problems()
    assert points.hand_over_rest(owner_ids=[GOES, STAYS], at=at) == 1
    assert get_balance(owner_id=STAYS, at=at).available == 12
    assert points.hand_over_rest(owner_ids=[GOES, STAYS], at=at) == 0


def test_expired_lots_pay_no_debt(two: None, at: datetime) -> None:
    Wallet.objects.filter(id=1).update(may_go_negative=True)
    spent = earn(STAYS, 60, at)
    redeem(STAYS, 60, at)
    reverse(spent, at)
    earn(GOES, 100, at, expires_on=TODAY - timedelta(days=1))
    merge(at)
    assert stored(STAYS)[0][0] == -60
    assert Entry.objects.filter(kind=Entry.Kind.EXPIRE, delta=-100).exists()


_STEP = st.tuples(
    st.sampled_from(["earn", "wait", "redeem", "claw", "hold", "release", "undo"]),
    st.sampled_from([STAYS, GOES]),
    st.integers(1, 120),
    st.sampled_from([None, date(2026, 4, 30), date(2026, 5, 31)]),
)


class Story:
    """Plays random steps; refusals are part of it."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.earned: list[points.Posting] = []
        self.spent: list[points.Posting] = []
        self.held: list[points.Posting] = []

    def play(self, steps: list[Any], owner_of: Any = lambda owner: owner) -> None:
        for what, owner, amount, day in steps:
            try:
                self._step(what, owner_of(owner), amount, day)
            except Exception as error:
                if type(error).__module__ != "members.points.errors":
                    raise

    def _step(self, what: str, owner: int, amount: int, day: date | None) -> None:
        at = self.at
        if what == "earn":
            self.earned.append(earn(owner, amount, at, expires_on=day))
        elif what == "wait":
            until = at + timedelta(days=amount % 3 + 1)
            self.earned.append(earn(owner, amount, at, expires_on=day, available_at=until))
        elif what == "redeem":
            self.spent.append(redeem(owner, amount, at))
        elif what == "claw" and self.earned:
            reverse(self.earned[amount % len(self.earned)], at, amount=amount)
        elif what == "hold":
            self.held.append(
                points.hold(
                    owner_id=owner, amount=amount, key=uuid.uuid4(), at=at, until=None,
                    source=SOURCE,
                )
            )  # fmt: skip
        elif what == "release" and self.held:
            points.release(
                hold_ref=self.held[amount % len(self.held)].ref, key=uuid.uuid4(), at=at,
                source=SOURCE,
            )  # fmt: skip
        elif what == "undo" and self.spent:
            reverse(self.spent[amount % len(self.spent)], at, amount=amount)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_STEP, max_size=14), st.booleans(), st.lists(_STEP, max_size=8))
def test_merge_and_unmerge_is_the_identity(
    brand: Brand, at: datetime, steps: list[Any], may_owe: bool, later: list[Any]
) -> None:
    """Whatever went before: all is as it was. Whatever comes between: no point is made or lost."""
    with transaction.atomic():
        points.open_accounts_for(owner_ids=[STAYS, GOES], at=at)
        Wallet.objects.filter(id=1).update(may_go_negative=may_owe)
        story = Story(at)
        story.play(steps)
        before = stored(STAYS), stored(GOES)
        merge(at)
        assert problems() == {}
        unmerge(at)
        assert (stored(STAYS), stored(GOES)) == before
        assert problems() == {}
        merge(at, number=2)
        story.play(later, owner_of=lambda owner: STAYS)
        assert problems() == {}
        total = sum(Account.objects.filter(wallet_id=1).values_list("balance", flat=True))
        unmerge(at)
        assert problems() == {}
        assert total == sum(Account.objects.filter(wallet_id=1).values_list("balance", flat=True))
        transaction.set_rollback(True)
