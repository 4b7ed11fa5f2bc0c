"""Facts of a month against figures counted by hand."""

from datetime import date, datetime, timedelta
from typing import Any

from benefits.budget.models import BudgetEntry
from benefits.grants import operations as grants
from benefits.grants.models import Redemption
from benefits.insights import queries
from benefits.insights.facts import compute_month
from benefits.insights.invariants import CHECKS
from benefits.insights.models import BenefitMonth, ProgrammeMonth
from core import ids
from members.activity.operations import add_purchase
from members.points.models import Wallet
from members.profiles.models import Member
from tests.integration.benefits.world import STAFF, World, acting

MARCH = date(2026, 3, 1)


def _buy(member: Member, amount: int, when: datetime) -> None:
    add_purchase(
        external_id=str(ids.uuid7()), member=member, occurred_at=when, amount_minor=amount,
        currency="CNY", at=when,
    )  # fmt: skip


def _fulfil(world: World, redemption: Redemption, *, rating: int, nps: int) -> None:
    member = redemption.member
    grants.fulfil(redemption=redemption, by=STAFF, at=world.at + timedelta(hours=1))
    grants.rate(
        redemption=Redemption.objects.get(pk=redemption.pk), rating=rating, nps=nps,
        by=acting(member), at=world.at + timedelta(hours=2),
    )  # fmt: skip


def test_the_facts_of_a_benefit(world: World, at: datetime) -> None:
    benefit = world.benefit(unit_cost_minor=1_200)
    members = [world.member() for _n in range(5)]
    rights = [world.grant(member, benefit, quantity=2) for member in members]
    used = [world.redeem(m, g) for m, g in list(zip(members, rights, strict=True))[:3]]
    _fulfil(world, used[0], rating=5, nps=10)
    _fulfil(world, used[1], rating=2, nps=3)
    grants.cancel(redemption=used[2], by=STAFF, at=at + timedelta(hours=1))
    for days in (0, 20):
        _buy(members[0], 10_000, at - timedelta(days=days))
    _buy(members[1], 5_000, at)
    _buy(members[3], 100, at - timedelta(days=75))  # 30 December: outside the 90 days

    compute_month(day=MARCH, at=at + timedelta(days=1))

    fact = BenefitMonth.objects.get(benefit=benefit)
    assert fact.target_members == 5
    assert fact.users == 2  # the cancelled one does not count
    assert (fact.units_issued, fact.units_used) == (10, 2)
    assert fact.units_fulfilled == 2
    assert fact.cost_minor == 2_400
    assert (fact.ratings, fact.rating_sum) == (2, 7)
    assert (fact.nps_answers, fact.nps_promoters, fact.nps_detractors) == (2, 1, 1)
    assert (fact.user_buyers, fact.user_repeaters) == (2, 1)
    programme = ProgrammeMonth.objects.get()
    assert programme.revenue_minor == 15_000
    assert programme.orders == 2
    assert programme.active_members == 2
    assert programme.members == programme.new_members == 5
    assert programme.cost_minor == 2_400
    figures = {
        m.code: m for m in queries.benefit_figures(benefit=benefit, at=at, month=MARCH).measures
    }
    assert figures["penetration"].value == 0.4
    assert (figures["penetration"].numerator, figures["penetration"].denominator) == (2, 5)
    assert figures["consumption"].value == 0.2
    assert figures["nps"].value == 0
    assert figures["satisfaction"].value == 3.5
    assert figures["repurchase"].value == 0.5


def test_points_of_a_month_and_what_is_owed(world: World, at: datetime) -> None:
    Wallet.objects.filter(code="points").update(cost_per_point_micro=1_500_000)
    member = world.member()
    world.points(member, 301)
    compute_month(day=MARCH, at=at)
    fact = ProgrammeMonth.objects.get()
    assert fact.points_issued == 301
    assert fact.liability_points == 301
    assert fact.liability_minor == 452  # 451.5, rounded half-even
    compute_month(day=date(2026, 4, 1), at=at + timedelta(days=30))
    april = ProgrammeMonth.objects.get(month=date(2026, 4, 1))
    assert (april.points_issued, april.liability_points) == (0, 301)


def test_no_target_is_no_data(world: World, at: datetime) -> None:
    benefit = world.benefit()
    compute_month(day=MARCH, at=at)
    found = queries.benefit_figures(benefit=benefit, at=at, month=MARCH)
    assert {m.code: m.value for m in found.measures} == dict.fromkeys(
        ("penetration", "consumption", "nps", "repurchase", "satisfaction")
    )
    assert found.triangle is None
    assert queries.service_cost_ratio(at=at)[-1].value is None


def test_a_right_used_up_or_ended_before_is_no_target(world: World, at: datetime) -> None:
    benefit = world.benefit()
    early = World(at - timedelta(days=40))
    used_up, ended, open_right = world.member(), world.member(), world.member()
    long = {"ends_at": at + timedelta(days=90)}
    spent = early.grant(used_up, benefit, period_key="a", **long)
    early.redeem(used_up, spent)
    early.grant(ended, benefit, period_key="b", ends_at=at - timedelta(days=20))
    early.grant(open_right, benefit, period_key="c", **long)
    compute_month(day=MARCH, at=at)
    assert BenefitMonth.objects.get(benefit=benefit).target_members == 1


def test_computing_again_changes_nothing(world: World, at: datetime) -> None:
    benefit = world.benefit()
    member = world.member()
    world.redeem(member, world.grant(member, benefit))
    for _again in range(3):
        compute_month(day=MARCH, at=at)
    assert BenefitMonth.objects.count() == 1
    assert ProgrammeMonth.objects.count() == 1
    assert [check() for check in CHECKS.values()] == [[]] * len(CHECKS)
    fact = BenefitMonth.objects.get()
    fact.users = 9
    fact.save()
    assert CHECKS["I15 facts equal rows"]() == [f"BenefitMonth {fact}: users"]
    assert BenefitMonth.objects.get().users == 9  # looking changes nothing


def test_the_jobs_run_thrice(world: World, run: Any, at: datetime) -> None:
    for kind in ("insights.facts", "insights.alerts", "budget.track"):
        results = [run(kind, at=at) for _again in range(3)]
        assert results[1] == results[2]
    assert ProgrammeMonth.objects.count() == 2
    assert not BudgetEntry.objects.exists()


def test_the_overview_has_few_queries(
    world: World, at: datetime, django_assert_max_num_queries: Any
) -> None:
    compute_month(day=MARCH, at=at)
    with django_assert_max_num_queries(8):
        found = queries.overview(at=at)
    with django_assert_max_num_queries(15):
        assert queries.list_todos(at=at) == ([], [])
    assert [kpi.code for kpi in found.kpis] == [
        "active_members", "points_issued", "consumption", "liability",
    ]  # fmt: skip
    assert len(found.months) == 12


def test_cohorts_show_who_bought_since(world: World, at: datetime) -> None:
    joined = [world.member(at=at - timedelta(days=30)) for _n in range(4)]
    _buy(joined[0], 100, at - timedelta(days=30))
    _buy(joined[0], 100, at)
    _buy(joined[1], 100, at)
    compute_month(day=date(2026, 2, 1), at=at)
    compute_month(day=MARCH, at=at)
    rows = {row.cohort: row for row in queries.cohorts(last=MARCH)}
    assert rows[date(2026, 2, 1)].members == 4
    assert rows[date(2026, 2, 1)].shares == [0.25, 0.5]
