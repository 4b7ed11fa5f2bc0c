"""Purchases of one member at the same time: caps, tiers and keys hold. With negative controls."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from core.actors import SYSTEM
from members.earning.models import Earning
from members.earning.operations import purchases, record_refund
from members.points.models import Entry
from members.points.queries import get_balance
from members.profiles.models import Member
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, TierChange
from members.tiers.operations import evaluate_range
from members.tiers.values import TierDraft
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tests.integration.members.earning.world import AT, TODAY, buy, join, moment, rule
from tests.integration.members.points.altered import alter_function
from tests.integration.members.tiers.world import make_scheme

pytestmark = pytest.mark.race
THREADS = 8


def at_once(brand: Brand, works: list[Callable[[], Any]]) -> list[Any]:
    """Run all at the same time, each on a connection of its own; return results or errors."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            with tenant_context(brand):
                barrier.wait(timeout=20)
                return work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def points(member: Member) -> int:
    return get_balance(owner_id=member.pk, at=AT).available


def buy_at_once(brand: Brand, member: Member) -> list[Any]:
    works = [
        lambda number=number: buy(member, 1_000, key=f"r{number}") for number in range(THREADS)
    ]
    return at_once(brand, works)


def spread_at_once(brand: Brand, member: Member) -> list[Any]:
    days = [TODAY.replace(day=1 + number) for number in range(THREADS)]
    return at_once(brand, [lambda on=on: buy(member, 1_000, key=f"{on}", on=on) for on in days])


def test_cap_holds_for_purchases_at_the_same_time(committed_brand: Brand) -> None:
    rule(wallets="points", cap_per_day=35)
    member = join()
    outcomes = buy_at_once(committed_brand, member)
    assert sorted(outcome.points for outcome in outcomes) == [0, 0, 0, 0, 5, 10, 10, 10]
    assert points(member) == 35


def test_month_cap_holds_for_purchases_of_different_days(committed_brand: Brand) -> None:
    rule(wallets="points", cap_per_month=35)
    member = join()
    outcomes = spread_at_once(committed_brand, member)
    assert sorted(outcome.points for outcome in outcomes) == [0, 0, 0, 0, 5, 10, 10, 10]
    assert points(member) == 35


def test_without_the_lock_the_cap_would_be_passed(
    committed_brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the lock of the member's row is off.

    The purchases are of different days, as those of one day wait for each other at its row.
    """
    rule(wallets="points", cap_per_month=35)
    barrier = Barrier(THREADS)
    used_by = purchases.used_by

    def used_together(*args: Any, **kwargs: Any) -> Any:
        found = used_by(*args, **kwargs)
        barrier.wait(timeout=20)
        return found

    alter_function("tiers_hold", "FOR NO KEY UPDATE", "")
    monkeypatch.setattr(purchases, "used_by", used_together)
    member = join()
    outcomes = spread_at_once(committed_brand, member)
    assert [outcome.points for outcome in outcomes] == [10] * THREADS


def test_one_of_many_purchases_raises_the_tier(committed_brand: Brand) -> None:
    rule()
    make_scheme(metric="orders", window="lifetime", tiers=_tiers())
    member = join()
    outcomes = buy_at_once(committed_brand, member)
    changes = [outcome.tier_change for outcome in outcomes if outcome.tier_change]
    assert [change.metric_value for change in changes] == [4]
    assert MemberTier.objects.get(pk=member.pk).tier.code == "silver"
    assert TierChange.objects.filter(member=member).count() == 1
    assert [line for check in CHECKS.values() for line in check()] == []


def _tiers() -> list[TierDraft]:
    return [
        TierDraft(code="basic", name={"en": "Basic"}, entry_threshold=0, keep_threshold=0),
        TierDraft(code="silver", name={"en": "Silver"}, entry_threshold=4, keep_threshold=0),
    ]


def test_same_purchase_sent_eight_times_at_once_counts_once(committed_brand: Brand) -> None:
    rule()
    member = join()
    outcomes = at_once(
        committed_brand, [lambda: buy(member, 1_000, key="same") for _ in range(THREADS)]
    )
    assert sorted(outcome.created for outcome in outcomes) == [False] * 7 + [True]
    assert {outcome.points for outcome in outcomes} == {10}
    assert points(member) == 10
    assert Entry.objects.filter(source_type="purchase").count() == 2
    assert Earning.objects.count() == 2


def test_refunds_at_once_take_back_what_was_earned(committed_brand: Brand) -> None:
    rule(points=7, unit_minor=30)
    member = join()
    buy(member, 1_000, key="same")
    outcomes = at_once(
        committed_brand,
        [
            lambda number=number: record_refund(
                purchase_external_id="same",
                external_id=f"R{number}",
                amount_minor=125,
                occurred_at=moment(TODAY, 11),
                by=SYSTEM,
                at=AT,
            )
            for number in range(THREADS)
        ],
    )
    assert sum(outcome.points for outcome in outcomes) == 233
    assert points(member) == 0
    assert set(Earning.objects.values_list("amount", "reversed")) == {(233, 233)}


def test_night_and_purchases_leave_an_unbroken_chain(committed_brand: Brand) -> None:
    rule()
    make_scheme(window="lifetime")
    members = [join() for _ in range(4)]
    for member in members:
        buy(member, 9_900)
    works: list[Callable[[], Any]] = [lambda member=member: buy(member, 100) for member in members]
    works += [
        lambda: evaluate_range(low=0, high=members[-1].pk + 1, on=TODAY, at=AT) for _ in range(4)
    ]
    outcomes = at_once(committed_brand, works)
    assert [error for error in outcomes if isinstance(error, Exception)] == []
    assert {MemberTier.objects.get(pk=member.pk).tier.code for member in members} == {"silver"}
    assert TierChange.objects.count() == 4
    assert [line for check in CHECKS.values() for line in check()] == []
