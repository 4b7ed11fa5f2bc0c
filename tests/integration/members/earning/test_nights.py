"""Nights that look only at some members end as nights that look at all."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.activity.models import Purchase
from members.earning.models import EarningRule
from members.earning.operations import record_purchase, record_refund
from members.points.operations import Source, adjust, earn
from members.profiles.models import Member
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, TierChange, TierRun
from members.tiers.operations import Evaluated, evaluate_range, find_candidates
from members.tiers.values import TierDraft
from tenants.brands.models import Brand
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.earning.world import join, moment, rule
from tests.integration.members.tiers.world import DRAFTS, make_scheme, noon

BEGIN = date(2025, 1, 1)
ORDERS = tuple(
    TierDraft(
        code=f"o{entry}",
        name={"en": "x"},
        entry_threshold=entry,
        keep_threshold=max(entry - 1, 0),
        grace_days=10 * entry,
    )
    for entry in (0, 2, 3)
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "buy", "buy late", "refund", "adjust", "earn"]),
        st.integers(0, 2),
        st.sampled_from([5_000, 9_000, 12_000, 45_000, 60_000]),
        st.integers(0, 300),
    ),
    max_size=4,
)
STEPS = st.lists(
    st.tuples(ACTS, st.sampled_from([1, 1, 2, 7, 15, 30, 44, 60])), min_size=3, max_size=14
)


def act(kind: str, member: Member, amount: int, ago: int, on: date, number: int) -> None:
    """Do one thing at ten o'clock of a day, after its night."""
    at = moment(on, 10)
    if kind.startswith("buy"):
        day = on - timedelta(days=ago) if kind == "buy late" else on
        record_purchase(
            external_id=f"n{number}-{uuid4()}",
            member=member,
            occurred_at=moment(day, 9),
            amount_minor=amount,
            currency="CNY",
            by=SYSTEM,
            at=at,
        )
    elif kind == "refund":
        bought = list(Purchase.objects.filter(member=member, refunded_minor=0).order_by("pk"))
        if bought:
            found = bought[ago % len(bought)]
            record_refund(
                purchase_external_id=found.external_id,
                external_id="R",
                amount_minor=found.amount_minor,
                occurred_at=at,
                by=SYSTEM,
                at=at,
            )
    else:
        _credit(kind, member, amount // 100, at)


def _credit(kind: str, member: Member, amount: int, at: datetime) -> None:
    for wallet in ("growth", "points"):
        if kind == "adjust":
            adjust(
                owner_id=member.pk,
                wallet=wallet,
                amount=amount,
                reason="x",
                key=uuid4(),
                by=SYSTEM,
                at=at,
            )
        else:
            earn(
                owner_id=member.pk,
                wallet=wallet,
                amount=amount,
                key=uuid4(),
                at=at,
                source=Source("mission", 1),
            )


def night(on: date) -> tuple[str, Any]:
    """Run the job of a day at three in the morning."""
    at = moment(on, 3)
    job = enqueue(kind="tiers.evaluate", dedupe_key=f"{on}-{uuid4()}", by=SYSTEM, at=at)
    run_pending(at=at)
    job.refresh_from_db()
    return job.state, job.result


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metric=st.sampled_from(["growth", "spend", "orders", "points_earned"]),
    window=st.sampled_from(["lifetime", "rolling", "calendar_year", "anniversary_year"]),
    months=st.sampled_from([1, 3]),
    policy=st.sampled_from(["one_step", "recompute", "never"]),
    notice_days=st.sampled_from([0, 5, 14]),
    steps=STEPS,
)
def test_night_over_candidates_equals_a_night_over_all(
    brand: Brand,
    metric: str,
    window: str,
    months: int,
    policy: str,
    notice_days: int,
    steps: list[tuple[list[tuple[str, int, int, int]], int]],
) -> None:
    TierRun.objects.all().delete()
    # Those of the example before have bought on days that are still to come here.
    Member.objects.update(status=Member.Status.ERASED)
    EarningRule.objects.update(status="ended")
    rule()
    drafts = ORDERS if metric == "orders" else DRAFTS
    if metric == "spend":
        drafts = tuple(
            TierDraft(
                code=draft.code,
                name=draft.name,
                entry_threshold=draft.entry_threshold * 100,
                keep_threshold=draft.keep_threshold * 100,
                grace_days=draft.grace_days,
            )
            for draft in DRAFTS
        )
    make_scheme(
        metric=metric,
        window=window,
        months=months,
        policy=policy,
        notice_days=notice_days,
        tiers=drafts,
        starts_on=BEGIN,
    )
    Job.objects.filter(brand_id=brand.pk).delete()
    members = [join(date(2024, 2, 29)) for _ in range(3)]
    on = BEGIN
    for number, (acts, days) in enumerate(steps):
        on += timedelta(days=days)
        assert night(on)[0] == "done"
        before = list(
            MemberTier.objects.order_by("pk").values_list(
                "pk", "tier_id", "valid_until", "grace_until"
            )
        )
        changes = TierChange.objects.count()
        # A full evaluation of the same night finds nothing left to do.
        assert evaluate_range(low=0, high=2**40, on=on, at=moment(on, 3)) == Evaluated()
        assert before == list(
            MemberTier.objects.order_by("pk").values_list(
                "pk", "tier_id", "valid_until", "grace_until"
            )
        )
        assert TierChange.objects.count() == changes
        for kind, index, amount, ago in acts:
            act(kind, members[index], amount, ago, on, number)
    assert [line for check in CHECKS.values() for line in check()] == []


def test_night_looks_at_all_members_when_it_must(brand: Brand) -> None:
    make_scheme(window="lifetime", starts_on=BEGIN)
    Job.objects.filter(brand_id=brand.pk).delete()
    member = join()
    on = BEGIN + timedelta(days=10)
    assert find_candidates(on=on) is None
    night(on)
    run = TierRun.objects.get(on=on)
    assert (run.is_full, run.looked_at, run.at) == (
        True,
        Member.objects.count(),
        moment(on, 3),
    )
    assert find_candidates(on=on + timedelta(days=45)) == []
    assert find_candidates(on=on + timedelta(days=46)) is None
    assert find_candidates(on=on - timedelta(days=1)) is None
    adjust(
        owner_id=member.pk,
        wallet="growth",
        amount=100,
        reason="x",
        key=uuid4(),
        by=SYSTEM,
        at=noon(on),
    )
    assert find_candidates(on=on + timedelta(days=1)) == [member.pk]
    night(on + timedelta(days=1))
    later = TierRun.objects.get(on=on + timedelta(days=1))
    assert (later.is_full, later.looked_at, later.upgraded) == (False, 1, 1)
    make_scheme(window="lifetime", starts_on=on + timedelta(days=2))
    assert find_candidates(on=on + timedelta(days=2)) is None
