"""I15: facts equal what pandas counts from the same rows; late data is noticed and recounted."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.grants import operations as grants
from benefits.insights.facts import compute_month, mark_stale_months
from benefits.insights.invariants import CHECKS
from benefits.insights.models import (
    BenefitMonth,
    BenefitSlice,
    CohortMonth,
    MonthStatus,
    ProgrammeMonth,
)
from members.activity.models import MemberDay
from members.activity.operations import add_purchase, add_refund
from tests.integration.benefits.insights import programmes
from tests.integration.benefits.world import STAFF, World

MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_facts_equal_an_independent_count(brand: Any, at: datetime, seed: int) -> None:
    programme = programmes.make(seed)
    for month in MONTHS:
        compute_month(day=month, at=at)
    for month in MONTHS:
        expected = programmes.count(programme, month)
        stored = {(f.benefit_id, "all", ""): f for f in BenefitMonth.objects.filter(month=month)}
        slices = {
            (s.benefit_id, s.dimension, s.value): s
            for s in BenefitSlice.objects.filter(
                month=month, dimension__in=programmes.DIMENSIONS
            ).order_by("pk")
            if any(getattr(s, name) for name in next(iter(expected.values())))
        }
        found = {
            key: {name: getattr(row, name) for name in next(iter(expected.values()))}
            for key, row in (stored | slices).items()  # type: ignore[operator]
        }
        assert found == expected
        days = programme.purchases
        inside = days[(days.day >= month) & (days.day < _after(month))]
        assert ProgrammeMonth.objects.get(month=month).revenue_minor == inside.net.sum()
    assert CHECKS["I15 facts equal rows"]() == []


def _after(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def test_each_dimension_adds_up_to_the_whole(brand: Any, at: datetime) -> None:
    programmes.make(7)
    compute_month(day=MONTHS[1], at=at)
    for whole in BenefitMonth.objects.order_by("pk"):
        for dimension in ("region", "store", "associate", "channel"):
            rows = BenefitSlice.objects.filter(benefit_id=whole.benefit_id, dimension=dimension)
            for name in ("target_members", "users", "units_fulfilled", "unit_cost_minor"):
                total = sum(getattr(row, name) for row in rows)
                assert (dimension, name, total) == (dimension, name, getattr(whole, name))


def _facts() -> list[Any]:
    return [
        *BenefitMonth.objects.order_by("month", "benefit").values_list("month", "users"),
        *ProgrammeMonth.objects.order_by("month").values_list("month", "revenue_minor", "orders"),
        *CohortMonth.objects.order_by("cohort", "month").values_list("cohort", "net_minor"),
        *BenefitSlice.objects.order_by("month", "benefit", "dimension", "value").values_list(
            "month", "benefit", "dimension", "value", "users", "target_members"
        ),
    ]  # fmt: skip


def test_computing_a_past_month_again_gives_the_same(brand: Any, at: datetime) -> None:
    programmes.make(4)
    for month in MONTHS:
        compute_month(day=month, at=at)
    before = _facts()
    for month in reversed(MONTHS):
        compute_month(day=month, at=at + timedelta(days=3))
    assert _facts() == before
    assert mark_stale_months(at=at) == []


def test_late_data_makes_months_stale_until_the_job_has_run(
    world: World, run: Any, at: datetime
) -> None:
    member = world.member(at=at - timedelta(days=120))
    for month in MONTHS:
        compute_month(day=month, at=at)
    assert run("insights.recount", at=at)["months"] == []
    late = datetime(2025, 12, 20, 4, tzinfo=at.tzinfo)
    purchase, _made = add_purchase(
        external_id="late", member=member, occurred_at=late, amount_minor=9_000, currency="CNY",
        at=at,
    )  # fmt: skip
    # December has the money; January and February look back 90 days.
    assert mark_stale_months(at=at) == MONTHS[1:]
    assert MonthStatus.objects.get(month=MONTHS[1]).stale_causes == ["purchases"]
    assert CHECKS["I15 facts equal rows"]() == []  # what is known to be stale is no lie
    assert run("insights.recount", at=at)["months"] == ["2025-12", "2026-01", "2026-02"]
    assert ProgrammeMonth.objects.get(month=MONTHS[1]).revenue_minor == 9_000
    assert ProgrammeMonth.objects.get(month=MONTHS[3]).buyers_90d == 1
    add_refund(purchase=purchase, external_id="back", amount_minor=4_000, occurred_at=at, at=at)
    results = [run("insights.recount", at=at)["months"] for _again in range(3)]
    assert results == [["2025-12", "2026-01", "2026-02"], [], []]
    assert ProgrammeMonth.objects.get(month=MONTHS[1]).revenue_minor == 5_000


def test_a_cancellation_after_the_month_changes_its_users(
    world: World, run: Any, at: datetime
) -> None:
    february = World(at - timedelta(days=20))
    benefit = february.benefit()
    member = february.member()
    redemption = february.redeem(
        member, february.grant(member, benefit, ends_at=at + timedelta(days=90))
    )
    compute_month(day=MONTHS[3], at=at)
    assert BenefitMonth.objects.get().users == 1
    grants.cancel(redemption=redemption, by=STAFF, at=at)
    assert run("insights.recount", at=at)["months"] == ["2026-02"]
    assert BenefitMonth.objects.get().users == 0


def test_the_running_month_gets_totals_without_slices(world: World, run: Any, at: datetime) -> None:
    member = world.member()
    world.redeem(member, world.grant(member, world.benefit()))
    results = [run("insights.running", at=at) for _again in range(3)]
    assert results == [{"month": "2026-03"}] * 3
    assert BenefitMonth.objects.get().users == 1
    assert not BenefitSlice.objects.exists()


def test_a_month_of_only_refunded_days_has_no_revenue_and_no_ratio(
    world: World, at: datetime
) -> None:
    member = world.member(at=at - timedelta(days=40))
    MemberDay.objects.create(
        member=member, on_date=date(2026, 2, 3), orders=0, spend_minor=500, refunded_minor=500
    )
    compute_month(day=MONTHS[3], at=at)
    fact = ProgrammeMonth.objects.get()
    assert (fact.revenue_minor, fact.orders, fact.active_members) == (0, 0, 0)


def test_an_erased_member_stays_in_the_figures_and_a_name_changes_none(
    world: World, at: datetime
) -> None:
    benefit = world.benefit()
    member = world.member(name="Li Lei")
    world.redeem(member, world.grant(member, benefit))
    compute_month(day=at.date(), at=at)
    before = _facts()
    member.status = "erased"
    member.save(update_fields=["status"])
    benefit.name = {"en": "Renamed"}
    benefit.save(update_fields=["name"])
    compute_month(day=at.date(), at=at)
    assert _facts() == before


def test_an_empty_brand_has_zeros_and_no_error(brand: Any, at: datetime) -> None:
    compute_month(day=MONTHS[0], at=at)
    assert ProgrammeMonth.objects.get().revenue_minor == 0
