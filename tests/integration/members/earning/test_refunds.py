"""Refunds take back what was earned: in proportion, in any order, once."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.activity.errors import PurchaseNotFoundError, RefundTooLargeError
from members.activity.operations import Line, RefundItem
from members.earning.invariants import CHECKS
from members.earning.models import Earning, EarningRule
from members.earning.operations import record_refund
from members.earning.values import RefundOutcome
from members.points.models import Entry, Wallet
from members.points.operations import Source, redeem
from members.points.queries import get_balance
from members.profiles.models import Member
from members.segments.models import LateActivity
from members.tiers.queries import get_standing
from tenants.brands.models import Brand
from tenants.events.models import Event
from tests.integration.members.earning.world import AT, TODAY, buy, days_ago, join, moment, rule
from tests.integration.members.tiers.world import make_scheme


def refund(key: str, amount: int, *, name: str) -> RefundOutcome:
    return record_refund(
        purchase_external_id=key,
        external_id=name,
        amount_minor=amount,
        occurred_at=moment(TODAY, 11),
        by=SYSTEM,
        at=AT,
    )


def balances(member: Member) -> tuple[int, int]:
    points = get_balance(owner_id=member.pk, at=AT).available
    return points, get_balance(owner_id=member.pk, wallet="growth", at=AT).available


def test_whole_refund_takes_all_back(brand: Brand) -> None:
    rule()
    make_scheme(window="lifetime")
    member = join()
    buy(member, 12_345, key="A-1")
    outcome = refund("A-1", 12_345, name="R-1")
    assert (outcome.created, outcome.points, outcome.growth, outcome.shortfall) == (
        True,
        123,
        123,
        0,
    )
    assert balances(member) == (0, 0)
    standing = get_standing(member_id=member.pk, at=AT)
    assert standing is not None
    # Only the night lowers a tier.
    assert (standing.tier.code, standing.metric_value) == ("silver", 0)
    assert [line for check in CHECKS.values() for line in check()] == []


def test_every_order_of_refunds_ends_at_the_same_balance(brand: Brand) -> None:
    rule(points=3, unit_minor=70)
    parts = [("a", 1), ("b", 333), ("c", 600), ("d", 66)]
    found = set()
    for number, order in enumerate(itertools.permutations(parts)):
        member = join()
        buy(member, 1_000, key=f"A-{number}")
        seen = []
        for name, amount in order:
            refund(f"A-{number}", amount, name=name)
            seen.append(balances(member))
        assert all(after <= before for before, after in itertools.pairwise(seen))
        found.add(seen[-1])
    assert found == {(0, 0)}
    assert [line for check in CHECKS.values() for line in check()] == []


BASKET = (
    Line("a", 3, 3_001, "skin"),
    Line("b", 2, 1_999, "tea"),
    Line("c", 1, 0, "skin"),
    Line("d", 4, 777, ""),
)
# Pieces of a line, or an amount beside the lines (delivery).
PARTS = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 4), st.integers(1, 2)),
        st.tuples(st.just(0), st.integers(1, 900)),
    ),
    min_size=2,
    max_size=5,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parts=PARTS, data=st.data())
def test_refunds_by_line_and_beside_end_at_the_same_balance_in_any_order(
    brand: Brand, parts: list[tuple[int, int]], data: st.DataObject
) -> None:
    EarningRule.objects.update(status="ended")
    rule(points=7, unit_minor=90)
    rule(points=3, unit_minor=40, categories=["skin"], wallets="points")
    rule(points=5, unit_minor=70, categories=["tea"], category_mode="except", cap_per_day=400)
    kept = _that_fit(parts)
    found = []
    for order in (kept, data.draw(st.permutations(kept))):
        member = join()
        key = f"order-{member.pk}"
        buy(member, 6_777, key=key, lines=BASKET)
        for number, (position, size) in enumerate(order):
            record_refund(
                purchase_external_id=key,
                external_id=f"part-{number}",
                amount_minor=None if position else size,
                lines=[RefundItem(position, size)] if position else [],
                occurred_at=moment(TODAY, 11),
                by=SYSTEM,
                at=AT,
            )
        reversed_by_rule = Earning.objects.filter(member=member).order_by("rule_id", "wallet")
        found.append((balances(member), list(reversed_by_rule.values_list("reversed", flat=True))))
    assert found[0] == found[1]


def _that_fit(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what would give back more pieces than a line has, or more than was paid beside."""
    left = [1_000, *(line.quantity for line in BASKET)]
    kept = []
    for position, size in parts:
        # A line that was free has no part of its own to give back.
        if position != 3 and left[position] >= size:
            left[position] -= size
            kept.append((position, size))
    return kept


def test_part_leaves_the_share_of_what_is_kept(brand: Brand) -> None:
    rule()
    member = join()
    buy(member, 1_000, key="A-1")
    assert (refund("A-1", 333, name="R-1").points, balances(member)) == (3, (7, 7))
    assert (refund("A-1", 333, name="R-2").points, balances(member)) == (3, (4, 4))
    assert set(Earning.objects.values_list("amount", "reversed")) == {(10, 6)}


def test_same_refund_again_changes_nothing(brand: Brand) -> None:
    rule()
    member = join()
    buy(member, 1_000, key="A-1")
    refund("A-1", 500, name="R-1")
    before = (Entry.objects.count(), Event.objects.count())
    again = refund("A-1", 500, name="R-1")
    assert (again.created, again.points, again.growth) == (False, 5, 5)
    assert (Entry.objects.count(), Event.objects.count()) == before
    assert balances(member) == (5, 5)


def test_spent_points_are_a_recorded_shortfall(brand: Brand) -> None:
    rule(wallets="points")
    member = join()
    outcome = buy(member, 1_000, key="A-1")
    redeem(
        owner_id=member.pk,
        amount=8,
        key=outcome_key(outcome.purchase.pk),
        at=AT,
        source=Source("test", 1),
    )
    taken = refund("A-1", 1_000, name="R-1")
    assert (taken.points, taken.shortfall) == (2, 8)
    assert balances(member) == (0, 0)
    again = refund("A-1", 1_000, name="R-1")
    assert (again.points, again.shortfall) == (2, 8)


def outcome_key(number: int):  # type: ignore[no-untyped-def]
    from core.ids import derived_uuid

    return derived_uuid("test", number)


def test_refused_refunds_change_nothing(brand: Brand) -> None:
    rule()
    member = join()
    buy(member, 1_000, key="A-1")
    refund("A-1", 400, name="R-1")
    before = (Entry.objects.count(), Event.objects.count())
    with pytest.raises(RefundTooLargeError):
        refund("A-1", 601, name="R-2")
    with pytest.raises(PurchaseNotFoundError):
        refund("A-2", 1, name="R-1")
    assert (Entry.objects.count(), Event.objects.count()) == before
    assert balances(member) == (6, 6)


def test_refund_is_told_and_marks_older_days(brand: Brand) -> None:
    rule()
    member, other = join(), join()
    buy(member, 1_000, key="A-1", on=days_ago(3))
    buy(other, 1_000, key="A-2")
    LateActivity.objects.all().delete()
    refund("A-1", 1_000, name="R-1")
    refund("A-2", 1_000, name="R-1")
    assert set(LateActivity.objects.values_list("member", flat=True)) == {member.pk}
    told = Event.objects.filter(type="purchase.refunded").order_by("pk").first()
    assert told is not None
    assert (told.data["purchase"], told.data["points"], told.data["amount_minor"]) == (
        "A-1",
        10,
        1_000,
    )
    assert Event.objects.filter(type="points.reversed").count() == 2


def test_a_cap_of_the_wallet_cuts_off_and_a_refund_takes_back_what_came_in(brand: Brand) -> None:
    rule(wallets="points")
    Wallet.objects.filter(code="points").update(earn_cap_day=60)
    member = join()
    first = buy(member, 10_000, key="A-1")
    assert (first.points, balances(member)) == (60, (60, 0))
    assert buy(member, 10_000, key="A-1").points == 60
    refund("A-1", 5_000, name="R-1")
    refund("A-1", 5_000, name="R-2")
    assert balances(member) == (0, 0)
    assert [line for check in CHECKS.values() for line in check()] == []
