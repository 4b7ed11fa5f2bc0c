"""Many at once: each by itself, none twice, and two batches never stop each other."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest
from django.db import transaction

from core.actors import SYSTEM
from members.activity.batches import BatchTooLargeError, Item
from members.activity.models import Purchase
from members.earning.operations import (
    PurchaseDraft,
    RefundDraft,
    batches,
    record_purchases,
    record_refunds,
)
from members.points.queries import get_balance
from members.profiles.models import Member
from tenants.brands.models import Brand
from tests.integration.members.earning.test_races import at_once
from tests.integration.members.earning.world import AT, TODAY, join, moment, rule


def draft(key: str, member: Member, **fields: Any) -> PurchaseDraft:
    values: dict[str, Any] = {
        "external_id": key,
        "member": member.external_id,
        "occurred_at": moment(TODAY),
        "amount_minor": 1_000,
        "currency": "CNY",
        **fields,
    }
    return PurchaseDraft(**values)


def points(member: Member) -> int:
    return get_balance(owner_id=member.pk, at=AT).available


def send(drafts: list[PurchaseDraft]) -> list[Item[Any]]:
    return record_purchases(drafts=drafts, by=SYSTEM, at=AT)


def test_each_item_stands_for_itself(brand: Brand) -> None:
    rule()
    one, two = join(), join()
    items = send(
        [
            draft("B", two),
            draft("A", one),
            draft("C", one, amount_minor=-1),
            draft("D", one, currency="USD"),
            draft("A", one),
        ]
    )
    codes = [item.error.code if item.error else item.outcome.created for item in items]
    assert codes == [True, True, "invalid_amount", "unsupported_currency", False]
    assert (points(one), points(two)) == (10, 10)
    assert [item.error.code if item.error else item.outcome.created for item in send(
        [draft("B", two), draft("A", one)]
    )] == [False, False]  # fmt: skip
    assert Purchase.objects.count() == 2


def test_refunds_in_a_batch_end_at_what_is_left(brand: Brand) -> None:
    rule()
    member = join()
    send([draft("A", member)])
    items = record_refunds(
        drafts=[
            RefundDraft(purchase="A", external_id=f"R{number}", amount_minor=amount, occurred_at=AT)
            for number, amount in enumerate([700, 400, 300])
        ],
        by=SYSTEM,
        at=AT,
    )
    assert [item.error.code if item.error else item.outcome.points for item in items] == [
        7,
        "refund_too_large",
        3,
    ]
    assert points(member) == 0


def test_a_batch_that_is_too_large_is_refused_whole(brand: Brand) -> None:
    member = join()
    with pytest.raises(BatchTooLargeError) as refused:
        send([draft(f"P{number}", member) for number in range(1_001)])
    assert refused.value.data["maximum"] == 1_000
    assert not Purchase.objects.exists()


@pytest.mark.race
def test_batches_over_the_same_members_in_opposite_orders_both_end(
    committed_brand: Brand,
) -> None:
    rule()
    members = [join() for _ in range(12)]

    def work(name: str, order: list[Member]) -> Callable[[], Any]:
        return lambda: send([draft(f"{name}{member.pk}", member) for member in order])

    outcomes = at_once(
        committed_brand,
        [
            work("a", members),
            work("b", members[::-1]),
            work("c", members),
            work("d", members[::-1]),
        ],
    )
    assert [error for error in outcomes if isinstance(error, Exception)] == []
    assert [points(member) for member in members] == [40] * 12


@pytest.mark.race
def test_control_in_the_order_sent_they_stop_each_other(
    committed_brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the members are not put in order first."""
    rule()
    one, two = join(), join()
    met = Barrier(2)

    def slow(drafts: Any, _keys: Any, write: Any) -> Any:
        with transaction.atomic():
            first = [write(drafts[0])]
            met.wait(timeout=20)
            return first + [write(item) for item in drafts[1:]]

    monkeypatch.setattr(batches, "each", slow)
    outcomes = at_once(
        committed_brand,
        [
            lambda: send([draft("a1", one), draft("a2", two)]),
            lambda: send([draft("b2", two), draft("b1", one)]),
        ],
    )
    assert sum(isinstance(found, Exception) for found in outcomes) == 1
