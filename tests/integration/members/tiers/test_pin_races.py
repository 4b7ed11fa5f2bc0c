"""Decisions by hand and payments at the same instant: one after the other, whatever the order.

The controls take the lock on the member away.
"""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from core.actors import Actor
from members.profiles.models import Member
from members.tiers import _holding
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, PaidTerm, TierPin
from members.tiers.operations import (
    Bought,
    check_member,
    create_plan,
    overrides,
    paid,
    record_payment,
    refund_term,
    set_override,
    single,
)
from tenants.brands.models import Brand
from tests.integration.benefits.races import together
from tests.integration.members.tiers.world import give, join, make_scheme, noon

pytestmark = pytest.mark.race
STAFF = Actor(kind="staff", id=7, label="Lin")
DAY = date(2026, 1, 31)


@pytest.fixture
def member(committed_brand: Brand) -> Member:
    make_scheme()
    create_plan(
        code="club", name={"en": "Club"}, tier_code="silver", price_minor=100, period_months=1,
        by=STAFF, at=noon(DAY),
    )  # fmt: skip
    return join()


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the member without waiting for anybody."""

    def read(*, member_id: int, at: Any) -> Any:
        return _holding.read_holding(member_id=member_id, at=at)

    for room in (overrides, paid, single):
        monkeypatch.setattr(room, "hold_member", read)


def problems() -> list[str]:
    return [line for check in CHECKS.values() for line in check()]


def place(member: Member, tier: str) -> Any:
    return set_override(
        member=member, tier=tier, mode="exactly", until=DAY, reason="Guest", by=STAFF, at=noon(DAY)
    )


def pay(member: Member, reference: str) -> Any:
    return record_payment(
        member=member, plan="club", reference=reference, by=STAFF, at=noon(DAY)
    )  # fmt: skip


def placed(brand: Brand, member: Member) -> list[Any]:
    tiers = ["silver", "gold"] * 4
    return together(brand, [lambda tier=tier: place(member, tier) for tier in tiers])  # type: ignore[misc]


def paid_for(brand: Brand, member: Member, references: list[str]) -> list[Any]:
    return together(brand, [lambda one=one: pay(member, one) for one in references])  # type: ignore[misc]


def test_tiers_set_by_hand_at_once_replace_each_other(
    committed_brand: Brand, member: Member
) -> None:
    results = placed(committed_brand, member)
    assert Counter(type(one) for one in results) == {TierPin: 8}
    (open_one,) = TierPin.objects.filter(ended_at__isnull=True).select_related("tier")
    assert TierPin.objects.filter(ending="replaced").count() == 7
    assert MemberTier.objects.get().tier == open_one.tier
    assert problems() == []


def test_control_without_the_lock_decisions_collide(
    committed_brand: Brand, member: Member, no_lock: None
) -> None:
    results = placed(committed_brand, member)
    # Only the database's constraint keeps a second one out.
    assert any(isinstance(one, IntegrityError) for one in results)


def test_a_payment_sent_eight_times_at_once_is_one(committed_brand: Brand, member: Member) -> None:
    results = paid_for(committed_brand, member, ["p-1"] * 8)
    assert Counter(type(one) for one in results) == {Bought: 8}
    assert sum(one.created for one in results) == 1
    assert PaidTerm.objects.count() == 1
    assert problems() == []


def test_payments_at_once_follow_each_other_without_a_gap(
    committed_brand: Brand, member: Member
) -> None:
    results = paid_for(committed_brand, member, [f"p-{number}" for number in range(6)])
    assert Counter(type(one) for one in results) == {Bought: 6}
    terms = list(PaidTerm.objects.order_by("starts_on"))
    assert [term.starts_on for term in terms[1:]] == [term.ends_on for term in terms[:-1]]
    assert [term.previous for term in terms] == [None, *terms[:-1]]
    assert problems() == []


def test_control_without_the_lock_a_period_is_paid_twice(
    committed_brand: Brand, member: Member, no_lock: None
) -> None:
    for number in range(4):
        other = join()
        found = paid_for(committed_brand, other, [f"{number}-{one}" for one in range(6)])
        starts = list(PaidTerm.objects.filter(member=other).values_list("starts_on", flat=True))
        if len(set(starts)) < len(starts) or any(isinstance(one, IntegrityError) for one in found):
            return
    pytest.fail("six payments without a lock never met")


def test_a_term_refunded_and_renewed_at_once_is_one_of_the_two(
    committed_brand: Brand, member: Member
) -> None:
    term = pay(member, "p-1").term
    results = together(
        committed_brand,
        [
            lambda: refund_term(term_id=term.pk, reference="r", by=STAFF, at=noon(DAY)),
            lambda: pay(member, "p-2"),
        ],
    )
    terms = list(PaidTerm.objects.order_by("pk"))
    second = terms[1]
    if terms[0].refunded_at is None:
        # The renewal came first: what is renewed is not given back.
        assert isinstance(results[0], Exception)
        assert second.starts_on == terms[0].ends_on
    else:
        assert (second.previous, second.starts_on) == (None, DAY)
    assert problems() == []


def test_a_decision_a_payment_and_a_purchase_at_once_agree(
    committed_brand: Brand, member: Member
) -> None:
    give(member, 520, on=DAY)

    def check() -> Any:
        return check_member(member_id=member.pk, at=noon(DAY), cause="purchase")

    results = together(
        committed_brand,
        [lambda: place(member, "silver"), lambda: pay(member, "p"), check, check],
    )
    assert not [one for one in results if isinstance(one, Exception)], results
    row = MemberTier.objects.select_related("tier", "earned_tier").get()
    assert row.earned_tier is not None
    assert (row.tier.code, row.earned_tier.code) == ("silver", "gold")
    assert problems() == []
    give(member, 1, on=DAY + timedelta(days=1))
