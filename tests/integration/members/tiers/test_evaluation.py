"""The nightly statement does what the pure rules say, and keeps evidence of it."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.points.operations import Source, adjust, earn, reverse
from members.profiles.models import Member
from members.tiers.invariants import CHECKS
from members.tiers.models import MemberTier, Tier, TierChange, TierScheme
from members.tiers.operations import Evaluated, evaluate_range
from members.tiers.queries import get_standing, list_changes, tier_sizes
from members.tiers.rules import (
    Decision,
    Span,
    State,
    decide,
    keep_window,
    window_on,
)
from members.tiers.values import TierDraft
from tenants.brands.models import Brand
from tenants.events.models import Event
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_pending
from tests.integration.members.tiers.world import (
    DRAFTS,
    give,
    join,
    make_scheme,
    noon,
    shop,
)

BEGIN = date(2024, 1, 1)


def stored(member: Member, tiers: list[Tier]) -> State:
    row = MemberTier.objects.filter(pk=member.pk).first()
    if row is None:
        return State()
    rank = next(tier.rank for tier in tiers if tier.pk == row.tier_id)
    return State(rank=rank, valid_until=row.valid_until, grace_until=row.grace_until)


def night(*members: Member, on: date) -> Evaluated:
    keys = [member.pk for member in members]
    return evaluate_range(low=min(keys), high=max(keys) + 1, on=on, at=noon(on))


def problems() -> list[str]:
    return [line for check in CHECKS.values() for line in check()]


def test_every_check_is_silent_on_an_empty_brand(brand: Brand) -> None:
    assert problems() == []


FACTS = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from([20, 80, 100, 300, 420, 500])), max_size=5
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metric=st.sampled_from(TierScheme.Metric.values),
    window=st.sampled_from(TierScheme.Window.values),
    months=st.sampled_from([1, 12]),
    policy=st.sampled_from(TierScheme.DowngradePolicy.values),
    notice_days=st.sampled_from([0, 14, 45, 366]),
    people=st.lists(
        st.tuples(st.sampled_from([date(2024, 1, 1), date(2024, 2, 29), date(2023, 7, 31)]), FACTS),
        min_size=1,
        max_size=4,
    ),
    nights=st.lists(st.integers(0, 1200), min_size=1, max_size=8, unique=True).map(sorted),
)
def test_statement_equals_the_rules(
    brand: Brand,
    metric: str,
    window: str,
    months: int,
    policy: str,
    notice_days: int,
    people: list[tuple[date, list[tuple[int, int]]]],
    nights: list[int],
) -> None:
    scheme = make_scheme(
        metric=metric, window=window, months=months, policy=policy, notice_days=notice_days
    )
    tiers = list(Tier.objects.filter(scheme=scheme).order_by("rank"))
    members, facts = [], []
    for joined_on, bought in people:
        member = join(joined_on)
        members.append((member, joined_on))
        rows = [(BEGIN + timedelta(days=day), amount) for day, amount in bought]
        facts.append(rows)
        for on, amount in rows:
            if metric == "growth":
                give(member, amount, on=on)
            elif metric == "points_earned":
                give(member, amount, on=on, wallet="points")
            else:
                shop(member, amount, on=on, metric=metric)

    def total(number: int, span: Span, asked_on: date) -> int:
        # What is dated later than the night does not count yet.
        return sum(
            amount
            for on, amount in facts[number]
            if (span.from_on or date.min) <= on < min(span.to_on, asked_on + timedelta(days=1))
        )

    states = [State() for _ in members]
    for number in nights:
        on = BEGIN + timedelta(days=number)
        expected: list[Decision] = []
        for index, (_member, joined_on) in enumerate(members):
            state, tier = states[index], tiers[states[index].rank - 1]
            keep = keep_window(
                scheme, tier=tier, valid_until=state.valid_until, on=on, enrolled_on=joined_on
            )
            expected.append(
                decide(
                    scheme,
                    tiers,
                    state,
                    on=on,
                    enrolled_on=joined_on,
                    metric=total(index, window_on(scheme, on=on, enrolled_on=joined_on), on),
                    keep_metric=total(index, keep, on),
                )
            )
        done = night(*[member for member, _ in members], on=on)
        assert [stored(member, tiers) for member, _ in members] == [
            decision.state for decision in expected
        ]
        assert done == Evaluated(
            upgraded=sum(
                new.state.rank > old.rank for new, old in zip(expected, states, strict=True)
            ),
            downgraded=sum(
                new.state.rank < old.rank for new, old in zip(expected, states, strict=True)
            ),
            told=sum(decision.is_notice for decision in expected),
        )
        states = [decision.state for decision in expected]
        # A second run of the night changes nothing and tells nobody.
        before = TierChange.objects.count()
        assert night(*[member for member, _ in members], on=on) == Evaluated()
        assert [stored(member, tiers) for member, _ in members] == states
        assert TierChange.objects.count() == before
    assert problems() == []


def test_change_keeps_its_evidence_and_tells(brand: Brand) -> None:
    scheme = make_scheme()
    member, on = join(), date(2024, 6, 1)
    give(member, 520, on=on)
    assert night(member, on=on) == Evaluated(upgraded=1)
    (change,) = list_changes(member_id=member.pk)
    assert (change.from_tier.code, change.to_tier.code, change.cause) == (
        "basic",
        "gold",
        "nightly",
    )
    assert (change.metric_value, change.threshold, change.journal_seq) == (520, 500, 1)
    assert (change.window_from, change.window_to) == (date(2023, 6, 2), date(2024, 6, 2))
    assert (change.at, change.scheme_version) == (noon(on), scheme.version)
    event = Event.objects.get(type="tier.upgraded")
    assert event.subject == f"member:{member.pk}"
    assert (event.data["from"], event.data["to"], event.data["metric_value"]) == (
        "basic",
        "gold",
        520,
    )
    assert {size.tier.code: size.members for size in tier_sizes(on=on)}["gold"] == 1


def test_losing_a_tier_is_told_ahead_with_what_is_missing(brand: Brand) -> None:
    make_scheme()
    member = join()
    give(member, 450, on=date(2024, 3, 1))
    give(member, 60, on=date(2024, 6, 1))
    night(member, on=date(2024, 6, 1))
    # The growth of 1 March leaves the window on 1 March; gold has 14 − 10 days ahead.
    assert night(member, on=date(2025, 2, 24)) == Evaluated()
    assert night(member, on=date(2025, 2, 25)) == Evaluated(told=1)
    told = Event.objects.get(type="tier.will_downgrade")
    assert (told.data["tier"], told.data["missing"], told.data["lost_on"]) == (
        "gold",
        340,
        "2025-03-11",
    )
    standing = get_standing(member_id=member.pk, at=noon(date(2025, 2, 26)))
    assert standing is not None
    assert (standing.tier.code, standing.metric_value, standing.missing_to_keep) == (
        "gold",
        510,
        340,
    )
    assert standing.valid_until == date(2025, 3, 11)
    assert night(member, on=date(2025, 3, 10)) == Evaluated()
    assert night(member, on=date(2025, 3, 11)) == Evaluated(downgraded=1)
    change = list_changes(member_id=member.pk)[0]
    assert (change.from_tier.code, change.to_tier.code) == ("gold", "silver")
    assert (change.metric_value, change.threshold) == (60, 400)
    event = Event.objects.get(type="tier.downgraded")
    assert (event.data["from"], event.data["to"]) == ("gold", "silver")
    assert problems() == []


def test_refund_takes_growth_back_from_the_day_of_its_purchase(brand: Brand) -> None:
    make_scheme(window="calendar_year")
    member = join()
    key = uuid4()
    earn(
        owner_id=member.pk,
        wallet="growth",
        amount=300,
        key=key,
        at=noon(date(2024, 12, 30)),
        source=Source("test", 1),
    )
    give(member, 120, on=date(2025, 1, 5))
    reverse(entry_ref=key, key=uuid4(), at=noon(date(2025, 1, 6)), source=Source("test", 2))
    standing = get_standing(member_id=member.pk, at=noon(date(2025, 1, 7)))
    assert standing is not None
    assert standing.metric_value == 120


def test_growth_given_by_hand_counts_at_night(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member, on = join(), date(2024, 5, 5)
    adjust(
        owner_id=member.pk,
        wallet="growth",
        amount=100,
        reason="goodwill",
        key=uuid4(),
        by=SYSTEM,
        at=noon(on),
    )
    assert night(member, on=on) == Evaluated(upgraded=1)
    standing = get_standing(member_id=member.pk, at=noon(on))
    assert standing is not None
    assert (standing.tier.code, standing.next_tier and standing.next_tier.code) == (
        "silver",
        "gold",
    )
    assert (standing.metric_value, standing.missing) == (100, 400)


def test_new_scheme_keeps_codes_and_places_the_others(brand: Brand) -> None:
    make_scheme(window="lifetime")
    silver, gold = join(), join()
    give(silver, 100, on=date(2024, 5, 5))
    give(gold, 500, on=date(2024, 5, 5))
    night(silver, gold, on=date(2024, 5, 5))
    new = make_scheme(
        window="lifetime",
        starts_on=date(2024, 6, 1),
        tiers=[
            DRAFTS[0],
            TierDraft(code="bronze", name={"en": "Bronze"}, entry_threshold=50, keep_threshold=0),
            TierDraft(code="gold", name={"en": "Gold"}, entry_threshold=400, keep_threshold=0),
        ],
    )
    assert {size.tier.code: size.members for size in tier_sizes(on=date(2024, 5, 31))} == {
        "basic": Member.objects.filter(status="active").count() - 2,
        "silver": 1,
        "gold": 1,
    }
    night(silver, gold, on=date(2024, 6, 1))
    assert MemberTier.objects.get(pk=silver.pk).tier.code == "bronze"
    assert MemberTier.objects.get(pk=gold.pk).tier.scheme_id == new.pk
    (moved, _earlier) = list_changes(member_id=silver.pk)
    assert (moved.cause, moved.from_tier.code, moved.to_tier.code) == (
        "scheme",
        "silver",
        "bronze",
    )
    assert len(list_changes(member_id=gold.pk)) == 1
    assert problems() == []


def test_checks_see_a_tier_changed_behind_their_back(brand: Brand) -> None:
    scheme = make_scheme(window="lifetime")
    member = join()
    give(member, 100, on=date(2024, 5, 5))
    night(member, on=date(2024, 5, 5))
    gold = Tier.objects.get(scheme=scheme, code="gold")
    MemberTier.objects.filter(pk=member.pk).update(tier=gold)
    assert problems() == [f"member {member.pk}: stored tier is not the last change's"]
    TierChange.objects.create(
        member=member,
        from_tier=Tier.objects.get(scheme=scheme, code="silver"),
        to_tier=gold,
        at=noon(date(2024, 5, 6)),
        cause="nightly",
        metric_value=500,
        threshold=500,
        window_to=date(2024, 5, 7),
        journal_seq=1,
        scheme_version=scheme.version,
    )
    (problem,) = problems()
    assert problem.endswith("says 500, its journal 100")


def test_evidence_is_append_only(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member = join()
    give(member, 100, on=date(2024, 5, 5))
    night(member, on=date(2024, 5, 5))
    with connection.cursor() as cursor:
        # Rows with waiting checks can not be truncated in any case.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in (
        "UPDATE members_tierchange SET metric_value = 1",
        "DELETE FROM members_tierchange",
        "TRUNCATE members_tierchange",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert list_changes(member_id=member.pk)[0].metric_value == 100


def test_job_run_three_times_has_one_effect(brand: Brand) -> None:
    make_scheme(window="lifetime")
    Job.objects.filter(brand_id=brand.pk).delete()
    member, on = join(), date(2024, 5, 5)
    give(member, 100, on=on)
    for _ in range(3):
        enqueue(kind="tiers.evaluate", dedupe_key="2024-05-05", by=SYSTEM, at=noon(on))
        run_pending(at=noon(on))
    job = Job.objects.get(kind="tiers.evaluate", brand_id=brand.pk)
    assert (job.state, job.result) == ("done", {"upgraded": 1, "downgraded": 0, "told": 0})
    assert len(list_changes(member_id=member.pk)) == 1
    assert Event.objects.filter(type="tier.upgraded").count() == 1
