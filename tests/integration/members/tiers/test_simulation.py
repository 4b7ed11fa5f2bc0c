"""A scheme tried out: where members would stand, what it costs, and that nothing is stored."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.actors import SYSTEM
from members.activity.models import MemberDay
from members.earning.models import Earning
from members.profiles.models import Member
from members.tiers.errors import InvalidSchemeError
from members.tiers.models import MemberTier, Tier, TierChange, TierScheme, TierSimulation
from members.tiers.operations import (
    check_member,
    evaluate_range,
    set_override,
    start_simulation,
)
from members.tiers.rules import (
    add_months,
    held_rank,
    match_tier,
    period_start,
    reached,
)
from members.tiers.simulation import simulate
from members.tiers.simulations import draft_of, found_by, get_simulation
from members.tiers.values import SchemeDraft, TierDraft
from tenants.brands.models import Brand
from tenants.jobs.operations import run_pending
from tests.integration.members.earning.world import buy, rule
from tests.integration.members.earning.world import join as join_shop
from tests.integration.members.tiers.world import DRAFTS, give, join, make_scheme, noon

TODAY = date(2026, 3, 15)


def draft(**fields: Any) -> SchemeDraft:
    values: dict[str, Any] = {"metric": "growth", "window": "lifetime", "tiers": DRAFTS, **fields}
    return SchemeDraft(**values)


def member_with(growth: int, *, on: date = TODAY) -> Member:
    member = join()
    if growth:
        give(member, growth, on=on)
        check_member(member_id=member.pk, at=noon(on), cause="purchase")
    return member


def moves(found: Any, ours: int) -> dict[tuple[int, int], int]:
    """Return the moves without the members that other tests' brand began with."""
    counted = {(move.old_rank, move.new_rank): move.members for move in found.moves}
    counted[1, 1] = counted.get((1, 1), 0) - (Member.objects.filter(status="active").count() - ours)
    return {key: value for key, value in counted.items() if value}


def test_moves_are_counted_from_tier_to_tier(brand: Brand) -> None:
    make_scheme(window="lifetime")
    for growth in (0, 90, 150, 450, 600):
        member_with(growth)
    lower_gold = replace(DRAFTS[2], entry_threshold=300, keep_threshold=300)
    harder_silver = replace(DRAFTS[1], entry_threshold=200, keep_threshold=160)
    found = simulate(draft=draft(tiers=(DRAFTS[0], harder_silver, lower_gold)), at=noon(TODAY))
    # 0 and 90 stay below; 150 loses silver; 450 rises to gold; 600 keeps it.
    assert moves(found, 5) == {(1, 1): 2, (2, 1): 1, (2, 3): 1, (3, 3): 1}
    assert (found.risen, found.fallen) == (1, 1)
    assert [tier.code for tier in found.old_tiers] == ["basic", "silver", "gold"]


def test_nothing_is_stored(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member = member_with(450)
    before = (TierScheme.objects.count(), Tier.objects.count(), TierChange.objects.count())
    simulate(draft=draft(tiers=DRAFTS[:1]), at=noon(TODAY))
    assert (
        TierScheme.objects.count(), Tier.objects.count(), TierChange.objects.count()
    ) == before  # fmt: skip
    assert MemberTier.objects.get(pk=member.pk).tier.code == "silver"
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.tier_simulation')")
        assert cursor.fetchone() == (None,)


def test_wrong_draft_is_refused_with_its_place(brand: Brand) -> None:
    with pytest.raises(InvalidSchemeError) as refused:
        simulate(draft=draft(tiers=(DRAFTS[0], DRAFTS[2], DRAFTS[1])), at=noon(TODAY))
    assert refused.value.data["pointer"] == "/tiers/2/entry_threshold"
    with pytest.raises(InvalidSchemeError) as refused:
        simulate(draft=draft(window="rolling", window_months=0), at=noon(TODAY))
    assert refused.value.data["pointer"] == "/window_months"


def test_pins_hold_in_a_simulation_too(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member = member_with(600)
    set_override(
        member=member, tier="silver", mode="exactly", until=TODAY, reason="x", by=SYSTEM,
        at=noon(TODAY),
    )  # fmt: skip
    found = simulate(draft=draft(), at=noon(TODAY))
    assert moves(found, 1) == {(2, 2): 1}


def test_before_the_first_scheme_everybody_starts_below(brand: Brand) -> None:
    member_with(0)
    give(join(), 500, on=TODAY)
    found = simulate(draft=draft(), at=noon(TODAY))
    assert found.old_tiers == ()
    assert moves(found, 2) == {(1, 1): 1, (1, 3): 1}
    assert found.risen == 1


def test_points_cost_follows_the_multipliers(brand: Brand) -> None:
    make_scheme(window="lifetime")
    rule()
    member = join_shop(TODAY - timedelta(days=300))
    # 600 growth make gold, whose multiplier counts from the second purchase on.
    buy(member, 60_000, on=TODAY - timedelta(days=20))
    buy(member, 60_000, on=TODAY - timedelta(days=10))
    assert list(
        Earning.objects.filter(wallet="points").order_by("pk").values_list("amount", "tier_bp")
    ) == [(600, 10_000), (900, 15_000)]
    twice = replace(DRAFTS[2], multiplier_bp=30_000)
    found = simulate(draft=draft(tiers=(*DRAFTS[:2], twice)), at=noon(TODAY))
    points = next(cost for cost in found.costs if cost.name == "points")
    assert points.then_minor == 2 * points.now_minor
    from members.points.queries import get_wallet

    # 1,200 times 1.5 in 90 days.
    assert points.now_minor == round(1_800 * get_wallet().cost_per_point_micro / 1_000_000 / 3)
    assert {cost.name for cost in found.costs} == {"points", "benefits"}


def test_simulation_is_what_happens_after_publishing(brand: Brand) -> None:
    """Publish the same draft, let notice and grace pass, and compare."""
    make_scheme(window="lifetime")
    people = [member_with(growth) for growth in (0, 90, 150, 300, 450, 600, 900)]
    tiers = (
        DRAFTS[0],
        replace(DRAFTS[1], entry_threshold=200, keep_threshold=200),
        replace(DRAFTS[2], entry_threshold=800, keep_threshold=700),
    )
    found = simulate(draft=draft(tiers=tiers), at=noon(TODAY))
    before = {row.pk: row.tier.rank for row in MemberTier.objects.select_related("tier")}
    make_scheme(window="lifetime", tiers=tiers, starts_on=TODAY + timedelta(days=1))
    low, high = people[0].pk, people[-1].pk + 1
    for day in range(1, 120):
        on = TODAY + timedelta(days=day)
        evaluate_range(low=low, high=high, on=on, at=noon(on))
    happened: dict[tuple[int, int], int] = {}
    for member in people:
        row = MemberTier.objects.select_related("tier").filter(pk=member.pk).first()
        key = (before.get(member.pk, 1), row.tier.rank if row else 1)
        happened[key] = happened.get(key, 0) + 1
    assert moves(found, len(people)) == happened


GAINS = st.lists(
    st.tuples(st.integers(0, 1100), st.sampled_from([20, 80, 100, 300, 420, 500])), max_size=5
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metric=st.sampled_from(["growth", "points_earned", "spend", "orders"]),
    window=st.sampled_from(TierScheme.Window.values),
    policy=st.sampled_from(TierScheme.DowngradePolicy.values),
    people=st.lists(
        st.tuples(
            st.sampled_from([date(2023, 7, 31), date(2024, 2, 29)]),
            st.sampled_from([1, 2, 3]),
            st.sampled_from([None, ("exactly", 2), ("at_least", 2), ("at_least", 3)]),
            GAINS,
        ),
        min_size=1,
        max_size=4,
    ),
    keep=st.integers(0, 500),
)
def test_simulation_equals_the_rules(
    brand: Brand,
    metric: str,
    window: str,
    policy: str,
    people: list[tuple[date, int, tuple[str, int] | None, list[tuple[int, int]]]],
    keep: int,
) -> None:
    old = list(Tier.objects.filter(scheme=make_scheme(window="lifetime")).order_by("rank"))
    Member.objects.filter(status="active").update(status="blocked")
    tiers = (DRAFTS[0], DRAFTS[1], replace(DRAFTS[2], keep_threshold=keep))
    trial = draft(
        metric=metric, window=window, downgrade_policy=policy, tiers=tiers,
        window_months=12 if window == "rolling" else None,
    )  # fmt: skip
    new = [
        Tier(
            rank=rank, code=row.code, entry_threshold=row.entry_threshold,
            keep_threshold=row.keep_threshold,
        )
        for rank, row in enumerate(tiers, start=1)
    ]  # fmt: skip
    expected: dict[tuple[int, int], int] = {}
    for joined_on, rank, pin, gains in people:
        member = join(joined_on)
        MemberTier.objects.create(
            member=member, tier=old[rank - 1], since=noon(TODAY), evaluated_on=TODAY, metric_value=0
        )
        rows = [(date(2023, 3, 1) + timedelta(days=day), amount) for day, amount in gains]
        for on, amount in rows:
            if metric in {"growth", "points_earned"}:
                give(member, amount, on=on, wallet="points" if metric != "growth" else "growth")
            else:
                day, _ = MemberDay.objects.get_or_create(pk=(member.pk, on))
                day.orders += amount
                day.spend_minor += amount + 7
                day.refunded_minor += 7
                day.save()
        held = rank
        if pin is not None:
            set_override(
                member=member, tier=old[pin[1] - 1].code, mode=pin[0], until=TODAY, reason="x",
                by=SYSTEM, at=noon(TODAY),
            )  # fmt: skip
            pinned = {"exactly": [], "at_least": [], pin[0]: [pin[1]]}
            held = held_rank(rank, **pinned)
        value = _metric(window, rows, joined_on)
        then = _settled(new, match_tier(new, old[rank - 1]).rank, value, policy)
        if pin is not None:
            then = held_rank(then, **pinned)
        expected[held, then] = expected.get((held, then), 0) + 1
    found = simulate(draft=trial, at=noon(TODAY))
    assert {(m.old_rank, m.new_rank): m.members for m in found.moves} == expected


def _metric(window: str, rows: list[tuple[date, int]], joined_on: date) -> int:
    def total(first: date, after: date) -> int:
        return sum(amount for on, amount in rows if first <= on < after)

    after = TODAY + timedelta(days=1)
    if window == "lifetime":
        return total(date.min, after)
    if window == "rolling":
        return total(add_months(after, -12), after)
    this = period_start(window, on=TODAY, enrolled_on=joined_on)
    last = period_start(window, on=this - timedelta(days=1), enrolled_on=joined_on)
    return max(total(this, after), total(last, this))


def _settled(tiers: list[Tier], rank: int, metric: int, policy: str) -> int:
    target = reached(tiers, metric).rank
    if target >= rank:
        return target
    if policy == "never" or metric >= tiers[rank - 1].keep_threshold:
        return rank
    if policy == "recompute":
        return target
    while rank > 1 and metric < tiers[rank - 1].keep_threshold:
        rank -= 1
    return rank


def test_many_tiers_are_tried_out(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member_with(600)
    steps = tuple(
        TierDraft(code=f"t{n}", name={"en": "x"}, entry_threshold=n * 60, keep_threshold=n * 50)
        for n in range(12)
    )
    found = simulate(draft=draft(tiers=steps), at=noon(TODAY))
    assert moves(found, 1) == {(3, 11): 1}


def test_a_simulation_says_how_far_it_is(brand: Brand) -> None:
    make_scheme(window="lifetime")
    steps: list[tuple[int, int]] = []
    simulate(draft=draft(), at=noon(TODAY), progress=lambda done, of: steps.append((done, of)))
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_a_simulation_by_job_keeps_what_it_found(brand: Brand) -> None:
    make_scheme(window="lifetime")
    member_with(450)
    wanted = draft(window="rolling", window_months=6)
    asked = start_simulation(draft=wanted, by=SYSTEM, at=noon(TODAY))
    assert found_by(simulation=asked) is None
    run_pending(at=noon(TODAY))
    kept = get_simulation(simulation_id=asked.pk)
    assert draft_of(simulation=kept) == wanted
    assert found_by(simulation=kept) == simulate(draft=wanted, at=noon(TODAY))
    with pytest.raises(InvalidSchemeError):
        start_simulation(draft=draft(tiers=()), by=SYSTEM, at=noon(TODAY))
    assert TierSimulation.objects.count() == 1


def test_old_simulations_are_forgotten(brand: Brand) -> None:
    make_scheme(window="lifetime")
    old = start_simulation(draft=draft(), by=SYSTEM, at=noon(TODAY))
    new = start_simulation(draft=draft(), by=SYSTEM, at=noon(TODAY + timedelta(days=91)))
    assert list(TierSimulation.objects.values_list("pk", flat=True)) == [new.pk]
    # The job of a simulation that is gone ends quietly.
    run_pending(at=noon(TODAY + timedelta(days=91)))
    assert not TierSimulation.objects.filter(pk=old.pk).exists()
