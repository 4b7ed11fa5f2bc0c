"""Random stories played to the ledger and to a model of it, compared after each step."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.actors import SYSTEM
from core.errors import DomainError
from members.points import operations as points
from members.points import queries
from members.points.errors import KeyReusedError
from members.points.invariants import CHECKS
from members.points.models import NEVER, Account, Entry, Hold, Lot, Wallet
from tenants.brands.models import Brand
from tests.integration.members.points.model import ModelAccount, RefusedError

OWNERS = (11, 12)
SOURCE = points.Source("test", 1)
amounts = st.integers(min_value=1, max_value=60)
owners = st.sampled_from(OWNERS)
soon = st.integers(min_value=-3, max_value=12)


def refusal_of(tell: Callable[[], Any]) -> tuple[str, list[Any]] | None:
    try:
        tell()
    except RefusedError as refused:
        return refused.code, [refused.number]
    return None


class LedgerMachine(RuleBasedStateMachine):
    """Two owners, one wallet; time only goes forward, by hours and days."""

    entries = Bundle("entries")
    holds = Bundle("holds")
    done = Bundle("done")

    def __init__(self) -> None:
        super().__init__()
        self.mark = transaction.savepoint()
        self.at = datetime(2026, 2, 25, 14, 30, tzinfo=UTC)

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.mark)

    @initialize(may_go_negative=st.booleans())
    def start(self, may_go_negative: bool) -> None:
        Wallet.objects.filter(id=1).update(may_go_negative=may_go_negative)
        points.open_accounts_for(owner_ids=OWNERS, at=self.at)
        self.accounts = dict(
            Account.objects.filter(wallet=1, owner_id__in=OWNERS).values_list("owner_id", "id")
        )
        self.models = {owner: ModelAccount(may_go_negative) for owner in OWNERS}

    def play(
        self, owner: int, tell: Callable[[ModelAccount], Any], do: Callable[[uuid.UUID], Any]
    ) -> tuple[Callable[[uuid.UUID], Any], uuid.UUID, Any] | None:
        """Do one thing in both worlds; return how to repeat it, or None when both refuse."""
        model = self.models[owner]
        key = uuid.uuid4()
        before = self.stored(owner)
        refusal = refusal_of(lambda: tell(model))
        if refusal is not None:
            with pytest.raises(DomainError) as caught:
                do(key)
            assert (caught.value.code, list(caught.value.data.values())) == refusal
            assert self.stored(owner) == before
            return None
        posting = do(key)
        last = model.entries[-1]
        assert not posting.replayed
        assert (posting.account_id, posting.seq) == (self.accounts[owner], last.seq)
        assert (posting.delta, posting.balance) == (last.delta, last.balance_after)
        assert posting.shortfall == last.shortfall
        return do, key, posting

    def stored(self, owner: int) -> Any:
        account = self.accounts[owner]
        return (
            list(Account.objects.filter(id=account).values_list("balance", "held", "seq")),
            list(
                Lot.objects.filter(account_id=account)
                .order_by("seq")
                .values_list("seq", "remaining")
            ),
            Entry.objects.filter(account_id=account).count(),
            list(
                Hold.objects.filter(account_id=account).order_by("seq").values_list("seq", "state")
            ),
        )

    @rule(
        target=entries,
        owner=owners,
        amount=amounts,
        waits=st.sampled_from([0, 0, 0, 1, 3, 9]),
        lasts=st.one_of(soon, st.just(None)),
        kind=st.sampled_from(["earn", "earn", "adjust"]),
    )
    def credit(self, owner: int, amount: int, waits: int, lasts: int | None, kind: str) -> Any:
        at = self.at
        expires_on = NEVER if lasts is None else (at.date() + timedelta(days=lasts))
        good_from = at + timedelta(days=0 if kind == "adjust" else waits)

        def do(key: uuid.UUID) -> points.Posting:
            if kind == "adjust":
                return points.adjust(
                    owner_id=owner, amount=amount, reason="because", key=key, by=SYSTEM, at=at,
                    expires_on=expires_on,
                )  # fmt: skip
            return points.earn(
                owner_id=owner, amount=amount, key=key, at=at, source=SOURCE,
                available_at=good_from, expires_on=expires_on,
            )  # fmt: skip

        played = self.play(owner, lambda model: model.earn(amount, good_from, expires_on, kind), do)
        assert played is not None
        self.remember(played)
        return owner, played[2].seq

    @rule(target=entries, owner=owners, amount=amounts, kind=st.sampled_from(["redeem", "adjust"]))
    def spend(self, owner: int, amount: int, kind: str) -> Any:
        at = self.at

        def do(key: uuid.UUID) -> points.Posting:
            if kind == "adjust":
                return points.adjust(
                    owner_id=owner, amount=-amount, reason="because", key=key, by=SYSTEM, at=at
                )
            return points.redeem(owner_id=owner, amount=amount, key=key, at=at, source=SOURCE)

        played = self.play(owner, lambda model: model.spend(amount, at, kind), do)
        if played is None:
            return multiple()
        self.remember(played)
        return owner, played[2].seq

    @rule(target=holds, owner=owners, amount=amounts, days=st.integers(1, 20))
    def hold(self, owner: int, amount: int, days: int) -> Any:
        at, until = self.at, self.at + timedelta(days=days)
        played = self.play(
            owner,
            lambda model: model.hold(amount, at, until),
            lambda key: points.hold(
                owner_id=owner, amount=amount, key=key, at=at, until=until, source=SOURCE
            ),
        )
        if played is None:
            return multiple()
        self.remember(played)
        return owner, played[2].seq, played[1]

    @rule(
        target=entries,
        hold=holds,
        end=st.sampled_from(["capture", "release"]),
        by_key=st.booleans(),
    )
    def end_hold(self, hold: tuple[int, int, uuid.UUID], end: str, by_key: bool) -> Any:
        owner, seq, key_of_hold = hold
        at = self.at
        ref = key_of_hold if by_key else points.EntryRef(self.accounts[owner], seq)
        played = self.play(
            owner,
            lambda model: getattr(model, end)(seq, at),
            lambda key: getattr(points, end)(hold_ref=ref, key=key, at=at, source=SOURCE),
        )
        if played is None:
            return multiple()
        self.remember(played)
        return owner, played[2].seq

    @rule(target=entries, entry=entries, amount=st.one_of(st.none(), st.integers(1, 40)))
    def reverse(self, entry: tuple[int, int], amount: int | None) -> Any:
        owner, seq = entry
        at = self.at
        played = self.play(
            owner,
            lambda model: model.reverse(seq, amount, at),
            lambda key: points.reverse(
                entry_ref=points.EntryRef(self.accounts[owner], seq), amount=amount, key=key, at=at,
                source=SOURCE,
            ),
        )  # fmt: skip
        if played is None:
            return multiple()
        if amount is not None:
            self.remember(played)
        return owner, played[2].seq

    @rule()
    def expire(self) -> None:
        points_lost = sum(model.expire(self.at) for model in self.models.values())
        assert points.expire_chunk(at=self.at).points == points_lost
        assert points.expire_chunk(at=self.at) == points.Chunk(0, 0, 0)

    @rule()
    def activate(self) -> None:
        points.activate_chunk(at=self.at)
        assert points.activate_chunk(at=self.at) == points.Chunk(0, 0, 0)

    @rule()
    def release_expired_holds(self) -> None:
        due = [
            (owner, seq)
            for owner, model in self.models.items()
            for seq, hold in model.holds.items()
            if hold.state == "open" and hold.until <= self.at
        ]
        for owner, seq in sorted(due, key=lambda pair: (self.accounts[pair[0]], pair[1])):
            self.models[owner].release(seq, self.at)
        assert points.release_expired_holds(at=self.at) == len(due)

    @rule(hours=st.integers(min_value=1, max_value=100))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    # --- the same again -------------------------------------------------------------------------

    def remember(self, played: tuple[Callable[[uuid.UUID], Any], uuid.UUID, Any]) -> None:
        self.last = played

    @precondition(lambda self: hasattr(self, "last"))
    @rule(target=done)
    def keep(self) -> Any:
        return self.last

    @rule(done=done)
    def repeat(self, done: tuple[Callable[[uuid.UUID], Any], uuid.UUID, points.Posting]) -> None:
        do, key, first = done
        before = [self.stored(owner) for owner in OWNERS]
        again = do(key)
        assert again.replayed
        assert (again.ref, again.delta, again.balance, again.shortfall) == (
            first.ref, first.delta, first.balance, first.shortfall,
        )  # fmt: skip
        assert [self.stored(owner) for owner in OWNERS] == before

    @rule(done=consumes(done), owner=owners)
    def reuse_key(
        self,
        done: tuple[Callable[[uuid.UUID], Any], uuid.UUID, points.Posting],
        owner: int,
    ) -> None:
        _, key, _ = done
        before = [self.stored(owner) for owner in OWNERS]
        with pytest.raises(KeyReusedError):
            points.earn(owner_id=owner, amount=999, key=key, at=self.at, source=SOURCE)
        with pytest.raises(KeyReusedError):
            points.redeem(owner_id=owner, amount=999, key=key, at=self.at, source=SOURCE)
        assert [self.stored(owner) for owner in OWNERS] == before

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def same_as_model(self) -> None:
        if not hasattr(self, "models"):
            return
        for owner, model in self.models.items():
            balance = queries.get_balance(owner_id=owner, at=self.at)
            assert balance.available == model.available(self.at)
            assert balance.pending == model.waiting(self.at)
            assert balance.held == model.held
            assert balance.spent == model.spent
            assert balance.expired == sum(model.expired.values())
            account = Account.objects.get(id=self.accounts[owner])
            assert (account.balance, account.seq) == (model.balance, len(model.entries))
            lots = Lot.objects.filter(account=account)
            assert {(lot.expires_on, lot.seq): lot.remaining for lot in lots} == {
                (lot.expires_on, lot.seq): lot.remaining for lot in model.lots
            }

    @invariant()
    def invariants_hold(self) -> None:
        for name, check in CHECKS.items():
            assert check() == [], name


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ledger_equals_its_model_in_any_story(brand: Brand) -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
