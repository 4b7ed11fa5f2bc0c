"""Alerts: once per episode, closed by recovery or with an outcome."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.catalogue.models import Benefit
from benefits.insights import operations, queries
from benefits.insights.errors import AlertClosedError, OutcomeMissingError, SnoozeError
from benefits.insights.models import Alert, BenefitMonth, ProgrammeMonth
from benefits.insights.months import first_of
from tenants.events.models import Event
from tests.integration.benefits.world import STAFF, World

NOTHING: dict[str, Any] = dict.fromkeys(
    ("units_issued", "units_used", "units_fulfilled", "unit_cost_minor", "partner_cost_minor",
     "points_cost_minor", "ratings", "rating_sum", "nps_answers", "nps_promoters",
     "nps_detractors", "user_buyers", "user_repeaters"), 0,
)  # fmt: skip


def _month(benefit: Benefit, back: int, users: int, target: int, at: datetime) -> None:
    BenefitMonth.objects.update_or_create(
        benefit=benefit,
        month=first_of(at.date(), back=back),
        defaults=NOTHING | {"users": users, "target_members": target, "computed_at": at},
    )


def test_two_low_months_open_one_alert_and_a_third_none(world: World, at: datetime) -> None:
    benefit = world.benefit()
    _month(benefit, 2, 14, 100, at)
    assert operations.check_alerts(at=at) == 0
    _month(benefit, 1, 14, 100, at)
    assert operations.check_alerts(at=at) == 1
    alert = Alert.objects.get()
    assert (alert.rule, alert.subject_id, alert.period) == (
        "penetration_low",
        benefit.pk,
        "2026-02",
    )
    assert alert.figures == {"2026-01": [14, 100], "2026-02": [14, 100]}
    assert alert.due_on == date(2026, 3, 29)
    benefit.refresh_from_db()
    assert benefit.stage == Benefit.Stage.WATCH
    assert operations.check_alerts(at=at) == 0
    april = at + timedelta(days=31)
    _month(benefit, 1, 14, 100, april)
    assert operations.check_alerts(at=april) == 0
    assert Event.objects.filter(type="alert.opened").count() == 1


def test_exactly_the_limit_is_not_low(world: World, at: datetime) -> None:
    benefit = world.benefit()
    for back in (1, 2):
        _month(benefit, back, 15, 100, at)
    assert operations.check_alerts(at=at) == 0


def test_recovery_closes_the_episode_and_another_opens_anew(world: World, at: datetime) -> None:
    benefit = world.benefit()
    for back, users in ((2, 5), (1, 5)):
        _month(benefit, back, users, 100, at)
    operations.check_alerts(at=at)
    april = at + timedelta(days=31)
    _month(benefit, 1, 40, 100, april)
    operations.check_alerts(at=april)
    assert Alert.objects.get().state == "closed"
    june = at + timedelta(days=92)
    for back in (1, 2):
        _month(benefit, back, 5, 100, june)
    assert operations.check_alerts(at=june) == 1
    assert Alert.objects.count() == 2


def test_pilots_and_months_without_target_are_not_judged(world: World, at: datetime) -> None:
    pilot, empty = world.benefit(stage="pilot"), world.benefit()
    for back in (1, 2):
        _month(pilot, back, 1, 100, at)
        _month(empty, back, 0, 0, at)
    assert operations.check_alerts(at=at) == 0


@pytest.mark.parametrize(
    ("cost", "revenue", "opened"), [(7_000, 100_000, 0), (7_001, 100_000, 1), (1, 0, 0), (1, -5, 0)]
)
def test_the_seven_per_cent_line(
    brand: Any, at: datetime, cost: int, revenue: int, opened: int
) -> None:
    names = (
        "orders", "active_members", "new_members", "members", "buyers_90d", "repeaters_90d",
        "units_issued", "units_used", "points_issued", "points_spent", "points_expired",
        "liability_points", "liability_minor",
    )  # fmt: skip
    ProgrammeMonth.objects.create(
        month=date(2026, 2, 1), cost_minor=cost, revenue_minor=revenue, computed_at=at,
        **dict.fromkeys(names, 0),
    )  # fmt: skip
    for _again in range(2):
        operations.check_alerts(at=at)
    assert Alert.objects.filter(rule="cost_ratio_high").count() == opened


def test_an_alert_is_closed_once_with_an_outcome(world: World, at: datetime) -> None:
    alert = operations.open_alert(
        rule="reserve_low", subject=("budget", 1), period="2026-03", severity="critical",
        figures={}, at=at,
    )  # fmt: skip
    assert alert is not None
    with pytest.raises(OutcomeMissingError):
        operations.close_alert(alert=alert, outcome="  ", by=STAFF, at=at)
    operations.assign_alert(alert=alert, owner_id=3, due_on=date(2026, 4, 1), by=STAFF, at=at)
    operations.close_alert(alert=alert, outcome="Topped up", by=STAFF, at=at)
    with pytest.raises(AlertClosedError):
        operations.close_alert(alert=alert, outcome="Again", by=STAFF, at=at)
    with pytest.raises(AlertClosedError):
        operations.assign_alert(alert=alert, owner_id=4, due_on=date(2026, 4, 1), by=STAFF, at=at)
    found = queries.get_alert(alert_id=alert.pk)
    assert (found.owner_id, found.outcome, found.closed_by) == (3, "Topped up", "staff:7")


def test_an_alert_put_off_comes_back_on_its_day(world: World, at: datetime) -> None:
    alert = operations.open_alert(
        rule="reserve_low", subject=("budget", 1), period="2026-03", severity="critical",
        figures={}, at=at,
    )  # fmt: skip
    assert alert is not None
    today = date(2026, 3, 15)
    for until, reason in (
        (today, "x"), (today + timedelta(days=91), "x"), (date(2026, 3, 20), " "),
    ):  # fmt: skip
        with pytest.raises(SnoozeError):
            operations.snooze_alert(alert=alert, until=until, reason=reason, by=STAFF, at=at)
    alert.refresh_from_db()
    assert alert.snoozed_until is None
    operations.snooze_alert(
        alert=alert, until=date(2026, 3, 20), reason="Waiting for finance", by=STAFF, at=at
    )
    assert queries.list_todos(at=at)[0] == []
    assert queries.list_todos(at=at + timedelta(days=5))[0] == [alert]
    assert queries.list_alerts(state="open") == [alert]
    operations.close_alert(alert=alert, outcome="Done", by=STAFF, at=at)
    with pytest.raises(AlertClosedError):
        operations.snooze_alert(alert=alert, until=date(2026, 3, 20), reason="x", by=STAFF, at=at)
