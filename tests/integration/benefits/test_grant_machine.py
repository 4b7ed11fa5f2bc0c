"""Random stories of rights and their uses against a model in plain Python.

Issued by a rule and by hand, used, confirmed, fulfilled, cancelled, failed, reversed, run out of
time, taken back, merged; after every step I6, I7, I14 and the model must hold.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from benefits.catalogue.codes import create_pool, import_codes
from benefits.catalogue.models import CodePool, PoolCode
from benefits.grants import operations as grants
from benefits.grants.errors import (
    EndedError,
    InvalidStateError,
    NotGrantedError,
    QuotaUsedError,
    RevokedError,
)
from benefits.grants.models import Grant, Redemption
from benefits.grants.states import may_follow
from benefits.rules.periods import period_on
from core import clock
from members.merging.operations import merge_members
from tenants.brands.models import Brand
from tests.integration.benefits.world import STAFF, World, acting, figures, problems

AT = datetime(2026, 3, 15, 4, tzinfo=UTC)
COST = 1_200
CODES = 40
MONTHLY = 2


class GrantStory(RuleBasedStateMachine):
    """Two members, a gift by a monthly rule, and codes given by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        world = self.world = World(AT)
        self.now = AT
        self.members = [world.member(), world.member()]
        self.merged = False
        self.line = world.line(code="stories", planned=900_000)
        self.gift = world.benefit(unit_cost_minor=COST)
        self.rule = world.rule(
            self.gift, quantity=MONTHLY, cap_per_member=3 * MONTHLY, budget_line=self.line
        )
        pool = create_pool(code="stories", name="Stories", by=STAFF, at=AT)
        import_codes(pool=pool, codes=[f"C{n:03}" for n in range(CODES)], by=STAFF, at=AT)
        self.coupon = world.benefit(
            kind="discount", parameters={"percent_bp": 1_000}, channel="code", code_pool=pool,
            unit_cost_minor=0,
        )  # fmt: skip
        self.pool: CodePool = pool
        # Each right: whose, how many, used, end, taken back; each use: of which right, state.
        self.rights: dict[int, list[Any]] = {}
        self.uses: dict[int, list[Any]] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def pick(self, found: dict[int, Any], number: int) -> int:
        keys = sorted(found)
        return keys[number % len(keys)]

    def learn(self) -> None:
        """Take up the rights that an issue wrote."""
        for grant in Grant.objects.exclude(pk__in=self.rights).order_by("pk"):
            self.rights[grant.pk] = [grant.member_id, grant.quantity, 0, grant.ends_at, False]

    @rule()
    def issue(self) -> None:
        period = period_on(cadence="monthly", on=clock.local_date(self.now, "Asia/Shanghai"))
        before = set(self.rights)
        issued = grants.issue(rule=self.rule, period=period, at=self.now)
        self.learn()
        new = [self.rights[key] for key in set(self.rights) - before]
        assert issued.units == MONTHLY * len(new)
        again = grants.issue(rule=self.rule, period=period, at=self.now)
        assert (again.members, again.units) == (0, 0)

    @rule(who=st.integers(0, 1), quantity=st.integers(1, 2), days=st.sampled_from([5, 60]))
    def give(self, who: int, quantity: int, days: int) -> None:
        if self.merged and who == 1:
            return
        self.world.grant(
            self.members[who], self.coupon, quantity=quantity,
            ends_at=self.now + timedelta(days=days),
        )  # fmt: skip
        self.learn()

    @precondition(lambda self: self.rights)
    @rule(number=st.integers(0, 30), who=st.integers(0, 1))
    def use(self, number: int, who: int) -> None:
        if self.merged and who == 1:
            return
        key = self.pick(self.rights, number)
        owner, quantity, used, ends_at, is_revoked = self.rights[key]
        member = self.members[who]
        try:
            made = self.world.redeem(member, Grant.objects.get(pk=key), at=self.now)
        except NotGrantedError:
            assert owner != member.pk
        except RevokedError:
            assert is_revoked
        except EndedError:
            assert ends_at is not None
            assert ends_at <= self.now
        except QuotaUsedError:
            assert used == quantity
        else:
            assert owner == member.pk
            assert not is_revoked
            assert ends_at is None or ends_at > self.now
            assert used < quantity
            self.rights[key][2] += 1
            self.uses[made.pk] = [key, made.state]
            assert made.state == ("fulfilled" if made.channel == "code" else "requested")

    @precondition(lambda self: self.uses)
    @rule(
        number=st.integers(0, 30),
        to=st.sampled_from(["confirmed", "fulfilled", "cancelled", "failed", "expired"]),
        by_member=st.booleans(),
    )
    def move(self, number: int, to: str, by_member: bool) -> None:
        key = self.pick(self.uses, number)
        right, state = self.uses[key]
        row = Redemption.objects.get(pk=key)
        by = acting(row.member) if by_member else STAFF
        try:
            if to == "confirmed":
                grants.confirm(redemption=row, by=STAFF, at=self.now)
            elif to == "fulfilled":
                grants.fulfil(redemption=row, by=STAFF, at=self.now)
            elif to == "cancelled":
                grants.cancel(redemption=row, by=by, at=self.now)
            elif to == "failed":
                grants.fail(redemption=row, by=STAFF, at=self.now, reason="no_show_of_partner")
            else:
                grants.expire(redemption_id=key, at=self.now)
        except InvalidStateError:
            assert state != to
            assert not may_follow(to, after=state)
            return
        assert state == to or may_follow(to, after=state)
        if state != to and to in {"cancelled", "failed"}:
            self.rights[right][2] -= 1
        self.uses[key][1] = to

    @precondition(lambda self: self.uses)
    @rule(number=st.integers(0, 30), give_back=st.booleans())
    def reverse(self, number: int, give_back: bool) -> None:
        key = self.pick(self.uses, number)
        right, state = self.uses[key]
        try:
            grants.reverse(
                redemption=Redemption.objects.get(pk=key), reason="By mistake", by=STAFF,
                at=self.now, give_back=give_back,
            )  # fmt: skip
        except InvalidStateError:
            assert state not in {"fulfilled", "reversed"}
            return
        assert state in {"fulfilled", "reversed"}
        if state == "fulfilled" and give_back:
            self.rights[right][2] -= 1
        self.uses[key][1] = "reversed"

    @precondition(lambda self: self.rights)
    @rule(number=st.integers(0, 30))
    def take_back(self, number: int) -> None:
        key = self.pick(self.rights, number)
        grants.revoke(grant=Grant.objects.get(pk=key), reason="By mistake", by=STAFF, at=self.now)
        self.rights[key][4] = True

    @precondition(lambda self: not self.merged)
    @rule(chance=st.integers(0, 3))
    def merge(self, chance: int) -> None:
        if chance:
            return
        survivor, merged = self.members
        merge_members(survivor=survivor, merged=merged, reason="One person", by=STAFF, at=self.now)
        self.merged = True
        for right in self.rights.values():
            right[0] = survivor.pk

    @rule(days=st.sampled_from([1, 20]))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def the_model_agrees(self) -> None:
        stored = Grant.objects.values_list("pk", "member_id", "quantity", "used", "revoked_at")
        assert {row[0]: (*row[1:4], row[4] is not None) for row in stored} == {
            key: (right[0], right[1], right[2], right[4]) for key, right in self.rights.items()
        }
        states = dict(Redemption.objects.values_list("pk", "state"))
        assert states == {key: use[1] for key, use in self.uses.items()}
        gifts = [use[1] for use in self.uses.values() if self.is_gift(use[0])]
        open_uses = sum(state in {"requested", "confirmed"} for state in gifts)
        done = sum(state in {"fulfilled", "reversed"} for state in gifts)
        assert figures(self.line) == (open_uses * COST, done * COST)
        handed_out = sum(not self.is_gift(use[0]) for use in self.uses.values())
        assert PoolCode.objects.filter(taken_for__isnull=False).count() == handed_out
        assert problems() == []

    def is_gift(self, right: int) -> bool:
        return bool(Grant.objects.filter(pk=right, benefit=self.gift).exists())


@pytest.mark.timeout(600)
def test_random_stories_keep_units_codes_and_budget(brand: Brand) -> None:
    GrantStory.TestCase.settings = settings(
        max_examples=8,
        stateful_step_count=16,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    GrantStory.TestCase("runTest").runTest()
