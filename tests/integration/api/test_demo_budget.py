"""The demo's budget and its round of officers, told on a small brand."""

from datetime import timedelta

from benefits.budget.jobs import take_snapshot
from benefits.budget.models import Budget, PlanRevision
from benefits.budget.points_cost import accrue_points
from benefits.officers.models import DiaryEntry, OfficerRound
from config.demo import budgets, officers
from config.demo.programme import Programme
from core import clock
from members.profiles.operations import enrol
from tests.integration.api.conftest import SMALL, Api
from tests.integration.benefits.budget.world import assert_books_whole
from tests.integration.benefits.world import STAFF


def test_the_demo_has_a_revision_that_waits_and_a_round_under_way(
    trial: tuple[Api, Programme],
) -> None:
    made, now = trial[1], clock.now()
    assert made.budget is not None
    budgets.prepare_budget(SMALL, made, at=now)
    budgets.count_liability(made.budget, until=now)
    accrue_points(at=now)
    take_snapshot(budget=made.budget, at=now)
    budgets.ask_for_more(SMALL, made.budget, made, at=now)
    assert PlanRevision.objects.get().state == "requested"
    assert Budget.objects.count() == 2
    for number in range(30):
        enrol(external_id=f"d-{number}", at=now - timedelta(days=20), by=STAFF)
    officers.run_round(SMALL, made, now=now + timedelta(days=9))
    assert OfficerRound.objects.get().seats_taken == 7
    assert DiaryEntry.objects.count() >= 7
    assert_books_whole()
