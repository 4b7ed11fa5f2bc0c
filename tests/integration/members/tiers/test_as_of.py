"""I9: the tier held at any instant is what its evidence gives, whatever came later.

Random histories by the operations of the product: purchases on time and late, refunds, decisions
by hand, paid tiers, merges and their undoing, new versions of the scheme, nights. What each member
held is noted at every step; at the end it is read back from the evidence, and each metric is
counted again from the purchases, refunds and entries that were known when it was used.
"""

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.invariants import check_brand
from core.actors import SYSTEM, Actor
from core.errors import DomainError
from members.activity.models import Purchase
from members.earning.operations import record_purchase, record_refund
from members.merging.models import MemberMerge
from members.merging.operations import merge_members, undo_merge
from members.profiles.models import Member
from members.profiles.queries import get_member
from members.tiers.invariants import check_evidence
from members.tiers.models import MemberTier, PaidTerm, TierChange, TierScheme
from members.tiers.operations import (
    create_plan,
    lift_override,
    record_payment,
    refund_term,
    set_override,
    set_renewal,
)
from members.tiers.queries import tier_as_of
from tenants.brands.models import Brand
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.earning.world import rule
from tests.integration.members.tiers.world import DRAFTS, join, make_scheme, noon

STAFF = Actor(kind="staff", id=7, label="Lin")
BEGIN = date(2026, 1, 31)
METRICS, WINDOWS = TierScheme.Metric.values, TierScheme.Window.values
POLICIES = TierScheme.DowngradePolicy.values

# Tiers that a few orders reach.
FEW = tuple(
    dataclasses.replace(tier, entry_threshold=number, keep_threshold=number)
    for number, tier in enumerate(DRAFTS)
)
WHO = st.integers(0, 2)
SHORT = st.integers(0, 40)
BUY = st.tuples(
    st.just("buy"), WHO, st.sampled_from([60, 120, 300, 520]), st.sampled_from([0, 3, 400])
)
NIGHT = st.tuples(st.just("night"), st.sampled_from([1, 30, 200]))
OTHERS = st.one_of(
    st.tuples(st.just("refund"), st.integers(0, 9), st.sampled_from([1, 2])),
    st.tuples(
        st.just("override"), WHO, st.sampled_from(["basic", "silver", "gold"]),
        st.sampled_from(["exactly", "at_least"]), SHORT,
    ),
    st.tuples(st.just("lift"), WHO),
    st.tuples(st.just("pay"), WHO),
    st.tuples(st.just("unpay"), st.integers(0, 3)),
    st.tuples(st.just("stop"), st.integers(0, 3)),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("undo"), st.integers(0, 1)),
    st.tuples(st.just("scheme"), st.sampled_from(METRICS), st.sampled_from(WINDOWS),
              st.sampled_from(POLICIES)),
    st.tuples(st.just("night"), SHORT),
)  # fmt: skip
# Something is bought, something else happens, time passes: again and again.
STEPS = st.lists(st.tuples(BUY, OTHERS, st.one_of(BUY, OTHERS), NIGHT), min_size=1, max_size=4).map(
    lambda rounds: [step for one in rounds for step in one]
)


class History:
    """Three members to whom things happen, and what they held after each."""

    def __init__(self, metric: str, window: str, policy: str) -> None:
        self.at = noon(BEGIN)
        self.members = [join(date(2024, 2, 29)) for _ in range(3)]
        self.purchases: list[str] = []
        self.seen: list[tuple[datetime, int, str]] = []
        self.scheme(metric, window, policy)
        create_plan(
            code="club", name={"en": "Club"}, tier_code="silver", price_minor=100, period_months=1,
            grace_days=5, by=STAFF, at=self.at,
        )  # fmt: skip

    @property
    def on(self) -> date:
        return (self.at + timedelta(hours=8)).date()

    def member(self, number: int) -> Member:
        return get_member(id=self.members[number].pk)

    def take(self, step: tuple[Any, ...]) -> None:
        """Do one thing a minute after the one before; a refusal changes nothing."""
        self.at += timedelta(minutes=1)
        try:
            with transaction.atomic():
                getattr(self, step[0])(*step[1:])
        except DomainError:
            pass
        for member in self.members:
            row = MemberTier.objects.select_related("tier").filter(pk=member.pk).first()
            self.seen.append((self.at, member.pk, row.tier.code if row else "basic"))

    def buy(self, who: int, amount: int, late: int) -> None:
        key = f"{self.members[0].pk}-{len(self.purchases)}"
        record_purchase(
            external_id=key, member=self.member(who), occurred_at=self.at - timedelta(days=late),
            amount_minor=amount, currency="CNY", by=SYSTEM, at=self.at,
        )  # fmt: skip
        self.purchases.append(key)

    def refund(self, which: int, parts: int) -> None:
        if self.purchases:
            key = self.purchases[which % len(self.purchases)]
            left = Purchase.objects.get(external_id=key).net_minor
            record_refund(
                purchase_external_id=key, external_id=str(self.at), amount_minor=left // parts,
                occurred_at=self.at, by=SYSTEM, at=self.at,
            )  # fmt: skip

    def override(self, who: int, tier: str, mode: str, days: int) -> None:
        set_override(
            member=self.member(who), tier=tier, mode=mode, until=self.on + timedelta(days=days),
            reason="Guest", by=STAFF, at=self.at,
        )  # fmt: skip

    def lift(self, who: int) -> None:
        lift_override(member=self.member(who), reason="Left", by=STAFF, at=self.at)

    def pay(self, who: int) -> None:
        record_payment(
            member=self.member(who), plan="club", reference=str(self.at), by=STAFF, at=self.at
        )

    def unpay(self, which: int) -> None:
        for key in list(PaidTerm.objects.order_by("-pk").values_list("pk", flat=True))[which:][:1]:
            refund_term(term_id=key, reference="r", by=STAFF, at=self.at)

    def stop(self, which: int) -> None:
        for key in list(PaidTerm.objects.order_by("-pk").values_list("pk", flat=True))[which:][:1]:
            set_renewal(term_id=key, renews=False, by=STAFF, at=self.at)

    def merge(self, stays: int, goes: int) -> None:
        merge_members(
            survivor=self.members[stays], merged=self.members[goes], reason="One", by=STAFF,
            at=self.at,
        )  # fmt: skip

    def undo(self, which: int) -> None:
        for key in list(MemberMerge.objects.order_by("-pk").values_list("pk", flat=True))[which:][
            :1
        ]:
            undo_merge(merge_id=key, reason="Two", by=STAFF, at=self.at)

    def scheme(self, metric: str, window: str, policy: str) -> None:
        few = metric == "orders"
        make_scheme(
            metric=metric, window=window, policy=policy, notice_days=3, starts_on=self.on,
            tiers=FEW if few else DRAFTS,
        )  # fmt: skip

    def night(self, days: int) -> None:
        self.at += timedelta(days=days)
        enqueue(
            kind="tiers.evaluate",
            dedupe_key=f"{self.members[0].pk}-{self.at}",
            by=SYSTEM,
            at=self.at,
        )
        run_pending(at=self.at)

    def check(self) -> None:
        """Read every tier seen from the evidence, and count the evidence again."""
        for at, member_id, code in self.seen:
            assert tier_as_of(member_id=member_id, at=at).code == code, (at, member_id)
        assert {name: found for name, found in check_brand() if found
                and name.startswith(("tiers", "activity", "points", "merging"))} == {}  # fmt: skip


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metric=st.sampled_from(METRICS),
    window=st.sampled_from(WINDOWS),
    policy=st.sampled_from(POLICIES),
    steps=STEPS,
)
def test_tier_of_any_instant_is_what_its_evidence_gives(
    brand: Brand, metric: str, window: str, policy: str, steps: list[tuple[Any, ...]]
) -> None:
    with transaction.atomic():
        rule(points=100)
        history = History(metric, window, policy)
        for step in steps:
            history.take(step)
        for days in (400, 40, 40):
            history.take(("night", days))
        history.check()
        transaction.set_rollback(True)


@pytest.mark.parametrize(("metric", "value"), [("spend", 520), ("orders", 2)])
def test_evidence_outlives_refunds_late_purchases_and_merges(
    brand: Brand, metric: str, value: int
) -> None:
    rule(points=100)
    history = History(metric, "rolling", "one_step")
    if metric == "spend":
        history.take(("buy", 0, 520, 0))
    else:
        for _ in range(2):
            history.take(("buy", 0, 60, 0))
    change = TierChange.objects.filter(member=history.members[0]).latest("pk")
    assert change.metric_value == value
    assert change.purchase_ids == sorted(Purchase.objects.values_list("pk", flat=True))
    assert change.refund_ids == []
    for step in (("refund", 0, 1), ("buy", 0, 60, 400), ("buy", 0, 60, 3), ("merge", 1, 0)):
        history.take(step)
        assert check_evidence() == [], step
    history.take(("undo", 0))
    assert check_evidence() == []
    assert tier_as_of(member_id=history.members[0].pk, at=change.at).code != "basic"


def test_evidence_that_was_changed_is_found(brand: Brand) -> None:
    history = History("spend", "rolling", "one_step")
    history.take(("buy", 0, 520, 0))
    history.take(("buy", 1, 60, 0))
    change = TierChange.objects.get()
    other = Purchase.objects.latest("pk").pk
    for values, words in (
        ({"metric_value": 530}, "says 530, its purchases 520"),
        ({"purchase_ids": []}, "says 520, its purchases 0"),
        ({"purchase_ids": [*(change.purchase_ids or []), other]}, "1 are not this member's"),
        ({"window_from": date(2026, 2, 1)}, "1 are not this member's"),
    ):
        false = TierChange.objects.get(pk=change.pk)
        false.pk, false._state.adding = None, True
        for name, value in values.items():
            setattr(false, name, value)
        false.save(force_insert=True)
        assert [
            line for line in check_evidence() if f"change {false.pk} " in line and words in line
        ]
