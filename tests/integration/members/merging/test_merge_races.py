"""Merges at the same moment as each other, as redemptions and as purchases.

Each scenario has a negative control: the same with the lock on the members taken away.
"""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from benefits.grants.models import Redemption
from benefits.grants.operations import redeem
from config.invariants import check_brand
from core.actors import SYSTEM
from members.activity.models import Purchase
from members.earning.operations import record_purchase
from members.merging import operations as merging
from members.merging.errors import MergeBusyError, NotMergeableError
from members.merging.models import MemberMerge
from members.merging.operations import follow_merges, merge_members
from members.points import operations as points
from members.points.models import Account
from members.profiles.models import Member
from members.profiles.point_spending import spend_points
from members.profiles.queries import get_member
from tenants.brands.models import Brand
from tests.integration.benefits.world import World
from tests.integration.members.earning.world import rule
from tests.races import together

pytestmark = [pytest.mark.race, pytest.mark.slow]
ROUNDS = 6


@pytest.fixture
def world(committed_brand: Brand, at: datetime) -> World:
    rule()
    return World(at)


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the lock on the two members away."""
    monkeypatch.setattr(
        merging, "_lock", lambda *keys: tuple(Member.objects.get(pk=key) for key in keys)
    )


def wrong() -> dict[str, list[str]]:
    return {
        name: found
        for name, found in check_brand()
        if found and name.startswith(("merging", "points", "activity", "earning", "grants"))
    }


def merge(stays: Member, goes: Member, at: datetime) -> Callable[[], Any]:
    return lambda: merge_members(survivor=stays, merged=goes, reason="x", by=SYSTEM, at=at)


def crossed(brand: Brand, world: World) -> list[Any]:
    """Merge two members into each other at once, with points at stake."""
    one, other = world.member(), world.member()
    world.points(one, 100)
    world.points(other, 10)
    found = together(
        brand,
        [merge(one, other, world.at), merge(other, one, world.at)] * 2,
    )
    assert not [x for x in found if isinstance(x, Exception)
                and not isinstance(x, NotMergeableError | MergeBusyError)], found  # fmt: skip
    assert sum(isinstance(x, MemberMerge) for x in found) == 1, found
    held = Account.objects.filter(owner_id__in=[one.pk, other.pk], wallet_id=1)
    assert sorted(held.values_list("balance", flat=True)) == [0, 110]
    assert wrong() == {}
    return found


def fails(verdict: Callable[[], Any]) -> bool:
    for _ in range(ROUNDS):
        try:
            verdict()
        except AssertionError:
            return True
    return False


def test_one_of_two_crossed_merges_happens(committed_brand: Brand, world: World) -> None:
    for _ in range(2):
        crossed(committed_brand, world)


def test_crossed_merges_need_the_lock(committed_brand: Brand, world: World, no_lock: None) -> None:
    assert fails(lambda: crossed(committed_brand, world))


def used(brand: Brand, world: World) -> None:
    """Use a right, buy and merge at once: a use and a purchase end at the survivor, or fail."""
    stays, goes = world.member(), world.member()
    world.points(goes, 50)
    grant = world.grant(goes, world.benefit(), quantity=4)
    at = world.at

    def use() -> Any:
        return redeem(
            member=Member.objects.get(pk=goes.pk), grant_id=grant.pk, key=uuid.uuid4(),
            by=SYSTEM, at=at,
        )  # fmt: skip

    def buy() -> Any:
        return record_purchase(
            external_id=uuid.uuid4().hex, member=get_member(id=goes.pk), occurred_at=at,
            amount_minor=100, currency="CNY", by=SYSTEM, at=at,
        )  # fmt: skip

    found = together(brand, [use, use, buy, merge(stays, goes, at), buy, use])
    merged = [x for x in found if isinstance(x, MemberMerge)]
    assert len(merged) == 1, found
    done = sum(isinstance(x, Redemption) for x in found)
    grant.refresh_from_db()
    assert (grant.member_id, grant.used) == (stays.pk, done)
    late = Purchase.objects.filter(member=goes).count()
    # What was read before the merge and written after it follows within a minute.
    follow_merges(at=at + timedelta(minutes=1))
    assert Purchase.objects.filter(member=stays).count() == 2, late
    assert wrong() == {}
    assert Account.objects.get(owner_id=stays.pk, wallet_id=1).balance == 52


def test_a_merge_and_uses_at_once(committed_brand: Brand, world: World) -> None:
    for _ in range(3):
        used(committed_brand, world)


def earned(brand: Brand, world: World) -> None:
    """Earn, spend and merge at once: every point is at the survivor, whichever came first."""
    stays, goes = world.member(), world.member()
    world.points(goes, 50)
    at = world.at

    def gain() -> Any:
        return points.earn(
            owner_id=goes.pk, amount=10, key=uuid.uuid4(), at=at, source=points.Source("test", 1)
        )

    def spend() -> Any:
        return spend_points(
            member=Member.objects.get(pk=goes.pk), amount=5, key=uuid.uuid4(), at=at,
            source=points.Source("test", 1),
        )  # fmt: skip

    found = together(brand, [gain, spend, merge(stays, goes, at), gain, spend, gain])
    assert sum(isinstance(one, MemberMerge) for one in found) == 1, found
    gained = sum(isinstance(found[number], points.Posting) for number in (0, 3, 5))
    spent = sum(isinstance(found[number], points.Posting) for number in (1, 4))
    assert gained == 3, found
    follow_merges(at=at + timedelta(minutes=1))
    assert Account.objects.get(owner_id=goes.pk, wallet_id=1).balance == 0
    assert Account.objects.get(owner_id=stays.pk, wallet_id=1).balance == 50 + 30 - 5 * spent
    assert wrong() == {}


def test_a_merge_and_points_at_once(committed_brand: Brand, world: World) -> None:
    for _ in range(3):
        earned(committed_brand, world)


def test_control_a_balance_read_and_carried_over_leaves_points_behind(
    committed_brand: Brand, world: World
) -> None:
    stays, goes = world.member(), world.member()
    world.points(goes, 50)
    source = points.Source("test", 1)

    def naive() -> None:
        balance = Account.objects.get(owner_id=goes.pk, wallet_id=1).balance
        time.sleep(0.2)
        for post, owner in ((points.redeem, goes), (points.earn, stays)):
            post(owner_id=owner.pk, amount=balance, key=uuid.uuid4(), at=world.at, source=source)

    def gain() -> Any:
        return points.earn(
            owner_id=goes.pk, amount=10, key=uuid.uuid4(), at=world.at, source=source
        )

    together(committed_brand, [naive, lambda: (time.sleep(0.1), gain())])
    assert Account.objects.get(owner_id=goes.pk, wallet_id=1).balance == 10
