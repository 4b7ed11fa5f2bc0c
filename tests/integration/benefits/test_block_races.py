"""A block and what a member does at the same instant: one comes before the other, for all to see.

Each thing is done with the member as read before the block, as a page or a till does. A block
waits for what is under way; the control takes its lock away, and the block comes in between.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from benefits.grants.models import Grant, Redemption
from benefits.mall.models import MallOrder
from core.actors import SYSTEM
from core.errors import DomainError
from core.ids import uuid7
from members.points.errors import ReceiverMissingError
from members.points.models import Account, Wallet
from members.points.values import Source
from members.profiles import operations
from members.profiles.errors import BlockedMemberError
from members.profiles.models import Member
from members.profiles.point_spending import hold_points, spend_points
from members.profiles.point_transfers import MemberNotActiveError, transfer_points
from tenants.brands.models import Brand
from tests.integration.benefits.world import World, problems
from tests.races import together

SOURCE = Source("test", 1)


class Scene:
    """A member with points and a right, a friend, and what each of the two does."""

    def __init__(self, world: World) -> None:
        self.world, self.at = world, world.at
        Wallet.objects.filter(code="points").update(transfers_on=True)
        self.member, self.friend = world.member(), world.member()
        for one in (self.member, self.friend):
            world.points(one, 100)
        self.right = world.grant(self.member, world.benefit())
        self.item = world.item(points=10, kind="virtual")
        self.more = world.benefit()

    def send(self) -> Any:
        return self._pass_on(self.member, self.friend)

    def receive(self) -> Any:
        return self._pass_on(self.friend, self.member)

    def spend(self) -> Any:
        return spend_points(
            member=self.member, amount=10, key=uuid7(), at=self.at, source=SOURCE
        )  # fmt: skip

    def hold(self) -> Any:
        return hold_points(
            member=self.member, amount=10, key=uuid7(), at=self.at,
            until=self.at + timedelta(hours=1), source=SOURCE,
        )  # fmt: skip

    def use(self) -> Any:
        return self.world.redeem(self.member, self.right)

    def order(self) -> Any:
        return self.world.order(self.member, self.item)

    def give(self) -> Any:
        return self.world.grant(self.member, self.more)

    def block(self) -> Any:
        return operations.block_member(
            member=Member.objects.get(pk=self.member.pk), reason="Fraud", by=SYSTEM, at=self.at
        )

    def state(self) -> tuple[Any, ...]:
        """Return all that one of these would change."""
        accounts = Account.objects.filter(
            owner_id__in=[self.member.pk, self.friend.pk], wallet_id=1
        ).order_by("owner_id")
        return (
            list(accounts.values_list("balance", "held", "seq")),
            Grant.objects.filter(member=self.member).count(),
            Redemption.objects.count(),
            MallOrder.objects.count(),
        )

    def _pass_on(self, sender: Member, receiver: Member) -> Any:
        return transfer_points(
            sender=sender, receiver_number=receiver.number, amount=10, key=uuid7(), by=SYSTEM,
            at=self.at,
        )  # fmt: skip


DOINGS = {
    "send": MemberNotActiveError,
    "receive": ReceiverMissingError,
    "spend": BlockedMemberError,
    "hold": BlockedMemberError,
    "use": BlockedMemberError,
    "order": BlockedMemberError,
    "give": BlockedMemberError,
}


@pytest.mark.parametrize(("doing", "error"), DOINGS.items())
def test_who_read_the_member_before_the_block_is_refused(
    world: World, doing: str, error: type[DomainError]
) -> None:
    scene = Scene(world)
    scene.block()
    before = scene.state()
    with pytest.raises(error):
        getattr(scene, doing)()
    assert scene.state() == before


def order_of_ends(brand: Brand, doing: Callable[[], Any], block: Callable[[], Any]) -> list[str]:
    """Start a block while something is done and not yet committed; return which ended first."""
    under_way = threading.Event()
    ends: list[str] = []

    def do() -> None:
        with transaction.atomic():
            doing()
            under_way.set()
            # Until the block is through, or waits.
            ended.wait(0.4)
            ends.append("done")

    def stop() -> None:
        under_way.wait(10)
        block()
        ends.append("blocked")
        ended.set()

    ended = threading.Event()
    results = together(brand, [do, stop])
    assert [one for one in results if isinstance(one, Exception)] == []
    return ends


@pytest.mark.race
@pytest.mark.parametrize("doing", ["send", "receive", "spend", "order", "give"])
def test_a_block_waits_for_what_is_under_way(
    committed_brand: Brand, committed_world: World, doing: str
) -> None:
    scene = Scene(committed_world)
    assert order_of_ends(committed_brand, getattr(scene, doing), scene.block) == ["done", "blocked"]
    assert problems() == []


@pytest.mark.race
def test_control_a_block_without_its_lock_comes_in_between(
    committed_brand: Brand, committed_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_hold_off", lambda _member_id: None)
    scene = Scene(committed_world)
    assert order_of_ends(committed_brand, scene.send, scene.block) == ["blocked", "done"]


@pytest.mark.race
def test_eight_things_and_a_block_at_once(committed_brand: Brand, committed_world: World) -> None:
    scene = Scene(committed_world)
    doings = [getattr(scene, name) for name in DOINGS]
    results = together(committed_brand, [*doings, scene.block])
    refused = {type(one) for one in results if isinstance(one, Exception)}
    assert refused <= set(DOINGS.values())
    assert results[-1] is True
    assert problems() == []
    before = scene.state()
    for doing in doings:
        with pytest.raises(DomainError):
            doing()
    assert scene.state() == before
