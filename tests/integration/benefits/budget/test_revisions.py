"""Plans are revised whole, by hand or by file, and above a limit by two people."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from benefits.budget import operations, queries, revisions
from benefits.budget.errors import (
    ApprovalNeededError,
    BadPlanFileError,
    FourEyesError,
    LineExhaustedError,
    NothingToChangeError,
    NotPlannableError,
    NotYoursError,
    RevisionDecidedError,
    RevisionStaleError,
    UnknownLineError,
)
from benefits.budget.models import Budget, BudgetEntry, BudgetLine, PlanRevision
from benefits.budget.plan_files import PlannedLine
from benefits.budget.settings import get_policy, set_policy
from core.actors import SYSTEM, Actor
from core.ids import uuid7
from tenants.brands.models import Brand
from tests.integration.benefits.budget.world import (
    ANNA,
    BEN,
    assert_books_whole,
    make_budget,
    make_line,
)


@pytest.fixture
def budget(brand: Brand, at: datetime) -> Budget:
    return make_budget(at)


@pytest.fixture
def line(budget: Budget, at: datetime) -> BudgetLine:
    return make_line(budget, at)


def _limit(limit: int | None, at: datetime, by: Actor = BEN) -> None:
    set_policy(reserve_share_bp=2000, floor_share_bp=500, approval_limit_minor=limit, by=by, at=at)


def _to(code: str, planned: int, **new: str) -> PlannedLine:
    return PlannedLine(code=code, planned_minor=planned, **new)


def _planned(budget: Budget) -> dict[str, int]:
    return {found.line.code: found.planned for found in queries.line_summaries(budget=budget)}


def test_a_shift_between_lines_is_applied_whole(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.plan(line=line, amount_minor=70_000, key=uuid7(), by=ANNA, at=at)
    done = revisions.revise_plan(
        budget=budget,
        lines=[_to("tea", 30_000, name="Tea", kind="benefit"), _to("spa", 50_000)],
        by=ANNA,
        at=at,
    )
    assert (done.state, done.number) == ("applied", 1)
    assert (done.increase_minor, done.decrease_minor) == (30_000, 30_000)
    assert _planned(budget) == {"spa": 50_000, "tea": 30_000}
    assert_books_whole()
    with pytest.raises(NothingToChangeError):
        revisions.revise_plan(budget=budget, lines=[_to("spa", 50_000)], by=ANNA, at=at)


def test_a_revision_that_does_not_fit_changes_nothing(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    operations.commit(line=line, amount_minor=4_000, key=uuid7(), at=at)
    for wrong, error in (
        ([_to("spa", 80_001)], NotPlannableError),
        ([_to("spa", 3_999)], LineExhaustedError),
        ([_to("spa", 11_000), _to("tea", 1)], UnknownLineError),
    ):
        with pytest.raises(error):
            revisions.revise_plan(budget=budget, lines=wrong, by=ANNA, at=at)
    assert _planned(budget) == {"spa": 10_000}
    assert not PlanRevision.objects.exists()


def test_above_the_limit_somebody_else_decides(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    _limit(1_000, at)
    asked = revisions.revise_plan(budget=budget, lines=[_to("spa", 11_001)], by=BEN, at=at)
    assert (asked.state, asked.needs_approval) == ("requested", True)
    assert _planned(budget) == {"spa": 10_000}
    key = Actor(kind="api", id=9, label="Shop")
    for nobody in (BEN, key, SYSTEM, Actor(kind="staff"), Actor(kind="operator", id=1)):
        with pytest.raises(FourEyesError):
            revisions.approve_revision(revision=asked, by=nobody, at=at)
        with pytest.raises(FourEyesError):
            revisions.refuse_revision(revision=asked, by=nobody, at=at)
    with pytest.raises(NotYoursError):
        revisions.withdraw_revision(revision=asked, by=ANNA, at=at)
    assert _planned(budget) == {"spa": 10_000}
    done = revisions.approve_revision(revision=asked, by=ANNA, at=at)
    assert (done.state, done.decided_by) == ("applied", "staff:1")
    assert _planned(budget) == {"spa": 11_001}
    with pytest.raises(RevisionDecidedError):
        revisions.approve_revision(revision=asked, by=ANNA, at=at)
    assert_books_whole()


def test_small_steps_are_one_large_one(line: BudgetLine, budget: Budget, at: datetime) -> None:
    _limit(1_000, at)
    operations.plan(line=line, amount_minor=600, key=uuid7(), by=BEN, at=at)
    with pytest.raises(ApprovalNeededError) as refused:
        operations.plan(line=line, amount_minor=401, key=uuid7(), by=BEN, at=at)
    assert refused.value.data == {"limit_minor": 1_000}
    asked = revisions.revise_plan(budget=budget, lines=[_to("spa", 11_001)], by=BEN, at=at)
    assert asked.state == "requested"
    operations.plan(line=line, amount_minor=400, key=uuid7(), by=BEN, at=at)
    assert _planned(budget) == {"spa": 11_000}
    with pytest.raises(RevisionStaleError):
        revisions.approve_revision(revision=asked, by=ANNA, at=at)
    next_day = at + timedelta(days=1)
    operations.plan(line=line, amount_minor=1_000, key=uuid7(), by=BEN, at=next_day)


def test_what_another_approved_does_not_count_as_ones_own(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    """Ben approves 5,000 of Anna's; his own 1,000 of the day is still his."""
    _limit(1_000, at, by=Actor(kind="staff", id=3))
    asked = revisions.revise_plan(
        budget=budget, lines=[_to("spa", 15_000)], by=Actor(kind="staff", id=4), at=at
    )
    revisions.approve_revision(revision=asked, by=BEN, at=at)
    operations.plan(line=line, amount_minor=1_000, key=uuid7(), by=BEN, at=at)
    assert _planned(budget) == {"spa": 16_000}


def test_who_raises_the_limit_gains_nothing_by_it_for_a_day(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    _limit(1_000, at, by=ANNA)
    _limit(None, at, by=BEN)
    _limit(90_000, at, by=BEN)
    assert get_policy().approval_limit_minor == 90_000
    with pytest.raises(ApprovalNeededError):
        operations.plan(line=line, amount_minor=1_001, key=uuid7(), by=BEN, at=at)
    other = Actor(kind="staff", id=5)
    operations.plan(line=line, amount_minor=1_001, key=uuid7(), by=other, at=at)
    operations.plan(line=line, amount_minor=1_001, key=uuid7(), by=BEN, at=at + timedelta(hours=24))


def test_the_database_itself_wants_two_people(
    line: BudgetLine, budget: Budget, at: datetime
) -> None:
    _limit(0, at)
    asked = revisions.revise_plan(budget=budget, lines=[_to("spa", 10_001)], by=BEN, at=at)
    for changes in (
        {"state": "applied", "applied_at": at},
        {"state": "applied", "applied_at": at, "decided_by": BEN.key},
        {"state": "applied", "applied_at": at, "decided_by": "api:3"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            PlanRevision.objects.filter(pk=asked.pk).update(**changes)
    assert PlanRevision.objects.get().state == "requested"


FILE = "code,name,kind,amount,policy\nspa,,,150.00,\ntea,Tea,benefit,20.5,alert\n"


def test_a_file_is_drafted_then_applied(line: BudgetLine, budget: Budget, at: datetime) -> None:
    draft = revisions.draft_from_file(
        budget=budget, content=FILE.encode("utf-16"), file_name="plan.csv", by=ANNA, at=at
    )
    assert (draft.state, _planned(budget)) == ("draft", {"spa": 10_000})
    with pytest.raises(NotYoursError):
        revisions.submit_revision(revision=draft, by=BEN, at=at)
    revisions.submit_revision(revision=draft, by=ANNA, at=at)
    assert _planned(budget) == {"spa": 15_000, "tea": 2_050}
    assert budget.lines.get(code="tea").policy == "alert"
    with pytest.raises(RevisionDecidedError):
        revisions.submit_revision(revision=draft, by=ANNA, at=at)
    with pytest.raises(NothingToChangeError):
        revisions.draft_from_file(
            budget=budget, content=FILE.encode(), file_name="plan.csv", by=ANNA, at=at
        )
    assert_books_whole()


def test_every_bad_line_of_a_file_is_named(line: BudgetLine, budget: Budget, at: datetime) -> None:
    content = (
        "代码,名称,类型,金额\n"
        "spa,,,100\n"
        "spa,,,200\n"
        "A B,X,benefit,1\n"
        "tea,茶,benefit,1.005\n"
        "tea2,茶,gift,1\n"
        "tea3,,benefit,1\n"
        "tea4,茶,benefit,-1\n"
        "tea5,茶,benefit,1,2\n"
        "\n"
    )
    with pytest.raises(BadPlanFileError) as refused:
        revisions.draft_from_file(
            budget=budget, content=content.encode("gb18030"), file_name="p", by=ANNA, at=at
        )
    found = [(row["line"], row["code"]) for row in refused.value.data["problems"]]
    assert found == [
        (3, "twice"), (4, "code"), (5, "amount"), (6, "kind"), (7, "name"), (8, "amount"),
        (9, "width"),
    ]  # fmt: skip
    assert not PlanRevision.objects.exists()
    assert BudgetEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"\n\n", "empty"), (b"code,amount\n", "empty"), (b"code,name\na,b\n", "columns"),
     (b"code,code,amount\na,a,1\n", "columns"), (b"\xff\xfe\x00", "encoding"),
     (b'code,amount\n"a,1\n', "encoding"), (b"code,amount\n\x00,1\n", "encoding")],
)  # fmt: skip
def test_what_is_no_plan_is_refused(
    budget: Budget, at: datetime, content: bytes, reason: str
) -> None:
    with pytest.raises(BadPlanFileError) as refused:
        revisions.draft_from_file(budget=budget, content=content, file_name="p", by=ANNA, at=at)
    assert refused.value.data == {"reason": reason}


def test_one_minor_unit_is_told_from_the_next(budget: Budget, at: datetime) -> None:
    """The plannable 80,000 to the last unit, and not one more."""
    revisions.revise_plan(
        budget=budget, lines=[_to("a", 80_000, name="A", kind="mall")], by=ANNA, at=at
    )
    with pytest.raises(NotPlannableError) as refused:
        revisions.revise_plan(
            budget=budget, lines=[_to("b", 1, name="B", kind="mall")], by=ANNA, at=at
        )
    assert refused.value.data == {"left_minor": 0}
    assert_books_whole()
