"""Expected breakage, worked by hand."""

from datetime import date, timedelta

from members.points.breakage import Breakage, Cohort, expected_breakage
from members.points.models import NEVER, WHILE_ACTIVE

ON = date(2026, 6, 15)


def cohort(days: int, credited: int, outstanding: int, **given: int) -> Cohort:
    facts = {"taken_back": 0, "lapsed": 0, **given}
    return Cohort(
        expires_on=ON + timedelta(days=days), credited=credited, outstanding=outstanding, **facts
    )


def test_the_share_that_ended_unused_is_expected_of_what_was_credited() -> None:
    cohorts = [
        cohort(-40, 1_000, 0, lapsed=150),
        cohort(-10, 700, 0, lapsed=90, taken_back=100),  # (150 + 90) ÷ (1,000 + 600) = 15 %
        cohort(20, 2_000, 1_200),  # 300
        cohort(50, 1_000, 100),  # 150, but only 100 are left
        cohort(80, 500, 480, taken_back=100),  # 60
    ]
    assert expected_breakage(cohorts=cohorts, on=ON) == Breakage(1_600, 240, 300 + 100 + 60)


def test_history_is_of_one_year_and_does_not_know_today() -> None:
    cohorts = [
        cohort(-366, 100, 0, lapsed=100),
        cohort(-365, 100, 0, lapsed=10),
        cohort(-1, 100, 0, lapsed=30),
        cohort(0, 50, 8),  # its last day is over: all of it
        cohort(1, 100, 100),
    ]
    assert expected_breakage(cohorts=cohorts, on=ON) == Breakage(200, 40, 8 + 20)


def test_without_history_nothing_is_expected() -> None:
    assert expected_breakage(cohorts=[cohort(30, 100, 100)], on=ON) == Breakage(0, 0, 0)
    assert expected_breakage(cohorts=[], on=ON) == Breakage(0, 0, 0)


def test_points_without_a_last_day() -> None:
    never = Cohort(NEVER, credited=900, taken_back=0, lapsed=0, outstanding=900)
    idle = Cohort(
        WHILE_ACTIVE, credited=900, taken_back=0, lapsed=200, outstanding=500,
        lapsed_lately=50, spent_lately=150,
    )  # fmt: skip
    assert expected_breakage(cohorts=[never, idle], on=ON) == Breakage(0, 0, 125)
