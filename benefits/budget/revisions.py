"""Revisions of a budget's plan: drafted, applied at once or after somebody else's approval.

A revision says what each line is to have, not what to add, so that the same file or form sent
twice changes nothing. All of it is applied or none.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from benefits.budget import _allowance
from benefits.budget._book import Kind, append, lock_open, require_person, total_of
from benefits.budget.errors import (
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
from benefits.budget.models import Budget, BudgetLine, PlanRevision
from benefits.budget.operations import APPROVED_PLAN, approval_needed
from benefits.budget.plan_files import PlannedLine, read_plan
from benefits.budget.queries import line_summaries
from core.actors import Actor
from core.ids import derived_uuid
from tenants.audit.operations import record

State = PlanRevision.State


def draft_revision(
    *,
    budget: Budget,
    lines: Sequence[PlannedLine],
    by: Actor,
    at: datetime,
    reason: str = "",
    file_name: str = "",
) -> PlanRevision:
    """Write down a revision without applying it: what `submit_revision` would do.

    Lines that are not named stay as they are.

    :raises UnknownLineError: if a new line lacks its name or kind.
    :raises NothingToChangeError: if the plan is like this already.
    :raises NotPlannableError, LineExhaustedError: as `operations.plan`.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        locked = lock_open(budget.pk)
        changes = _changes(locked, lines)
        if not changes:
            raise NothingToChangeError
        increase, decrease = _moved(changes)
        _check_room(locked, changes, increase - decrease)
        number = PlanRevision.objects.filter(budget=locked).aggregate(n=Max("number"))["n"] or 0
        return PlanRevision.objects.create(
            budget=locked,
            number=number + 1,
            reason=reason[:300],
            changes=changes,
            increase_minor=increase,
            decrease_minor=decrease,
            file_name=file_name[:120],
            asked_by=by.key,
            asked_by_label=by.label[:120],
            asked_at=at,
        )


def draft_from_file(
    *, budget: Budget, content: bytes, file_name: str, by: Actor, at: datetime
) -> PlanRevision:
    """Draft the plan that a CSV file holds: whole, or not at all.

    :raises BadPlanFileError: with every bad line in `problems`, or the `reason` why it cannot be
        read.
    :raises NothingToChangeError, NotPlannableError, LineExhaustedError, BudgetClosedError: as
        `draft_revision`.
    """
    known = list(budget.lines.values_list("code", flat=True))
    lines, problems = read_plan(content, currency=budget.currency, known=known)
    if problems:
        raise BadPlanFileError(
            problems=[{"line": one.line, "code": one.code, "value": one.value} for one in problems],
            count=len(problems),
        )
    return draft_revision(budget=budget, lines=lines, file_name=file_name, by=by, at=at)


def submit_revision(*, revision: PlanRevision, by: Actor, at: datetime) -> PlanRevision:
    """Apply one's draft, or have it wait for somebody else where it passes the brand's limit.

    :raises NotYoursError: if somebody else drafted it.
    :raises RevisionDecidedError: if it is no draft any more.
    :raises RevisionStaleError: if a line's plan has changed since.
    :raises NotPlannableError, LineExhaustedError, BudgetClosedError: as `operations.plan`.
    """
    with transaction.atomic():
        budget = lock_open(revision.budget_id)
        row = _lock(revision, State.DRAFT)
        if row.asked_by != by.key:
            raise NotYoursError
        limit = approval_needed(budget=budget, increase_minor=row.increase_minor, by=by, at=at)
        if limit is None:
            return _apply(row, budget, by=by, at=at)
        require_person(by)
        _check_fresh(budget, row)
        row.state, row.needs_approval, row.asked_at = State.REQUESTED, True, at
        row.save(update_fields=["state", "needs_approval", "asked_at"])
        _note(row, "asked", by=by, at=at, reason=row.reason)
    return row


def revise_plan(
    *, budget: Budget, lines: Sequence[PlannedLine], by: Actor, at: datetime, reason: str = ""
) -> PlanRevision:
    """Draft a revision and submit it in one step; errors as of both."""
    with transaction.atomic():
        draft = draft_revision(budget=budget, lines=lines, reason=reason, by=by, at=at)
        return submit_revision(revision=draft, by=by, at=at)


def approve_revision(
    *, revision: PlanRevision, by: Actor, at: datetime, note: str = ""
) -> PlanRevision:
    """Apply a revision that somebody else asked for.

    :raises FourEyesError: if the asker approves, or no person of staff does.
    :raises RevisionDecidedError: if it was decided before.
    :raises RevisionStaleError: if a line's plan has changed since it was asked for.
    :raises NotPlannableError, LineExhaustedError, BudgetClosedError: as `operations.plan`.
    """
    with transaction.atomic():
        budget = lock_open(revision.budget_id)
        row = _decide(revision, by=by, at=at, note=note)
        return _apply(row, budget, by=by, at=at)


def refuse_revision(
    *, revision: PlanRevision, by: Actor, at: datetime, note: str = ""
) -> PlanRevision:
    """Refuse a revision; nothing changes.

    :raises FourEyesError: if the asker decides, or no person of staff does.
    :raises RevisionDecidedError: if it was decided before.
    """
    with transaction.atomic():
        row = _decide(revision, by=by, at=at, note=note)
        row.state = State.REFUSED
        row.save(
            update_fields=["state", "decided_by", "decided_by_label", "decided_at", "decision_note"]
        )
        _note(row, "refused", by=by, at=at, reason=note)
    return row


def withdraw_revision(*, revision: PlanRevision, by: Actor, at: datetime) -> PlanRevision:
    """Take back one's own draft or request.

    :raises NotYoursError: if somebody else asked.
    :raises RevisionDecidedError: if it was decided before.
    """
    with transaction.atomic():
        row = _lock(revision, State.DRAFT, State.REQUESTED)
        if row.asked_by != by.key:
            raise NotYoursError
        row.state, row.decided_at = State.WITHDRAWN, at
        row.save(update_fields=["state", "decided_at"])
        _note(row, "withdrawn", by=by, at=at)
    return row


def _lock(revision: PlanRevision, *states: str) -> PlanRevision:
    row = PlanRevision.objects.select_for_update().get(pk=revision.pk)
    if row.state not in states:
        raise RevisionDecidedError(state=row.state)
    return row


def _decide(revision: PlanRevision, *, by: Actor, at: datetime, note: str) -> PlanRevision:
    require_person(by)
    row = _lock(revision, State.REQUESTED)
    if row.asked_by == by.key:
        raise FourEyesError
    row.decided_by, row.decided_by_label = by.key, by.label[:120]
    row.decided_at, row.decision_note = at, note[:200]
    return row


def _changes(budget: Budget, lines: Sequence[PlannedLine]) -> list[dict[str, Any]]:
    planned = {found.line.code: found.planned for found in line_summaries(budget=budget)}
    changes = []
    for line in lines:
        if line.code not in planned and not (
            line.name.strip() and line.kind in BudgetLine.Kind.values
        ):
            raise UnknownLineError(line=line.code)
        is_new = line.code not in planned
        before = planned.get(line.code, 0)
        if before == line.planned_minor and not is_new:
            continue
        change: dict[str, Any] = {
            "code": line.code,
            "before_minor": before,
            "after_minor": line.planned_minor,
        }
        if is_new:
            change["new"] = {
                "name": line.name.strip()[:80],
                "kind": line.kind,
                "policy": line.policy,
                "target_id": line.target_id,
            }
        changes.append(change)
    return changes


def _moved(changes: Sequence[dict[str, Any]]) -> tuple[int, int]:
    steps = [change["after_minor"] - change["before_minor"] for change in changes]
    return sum(step for step in steps if step > 0), -sum(step for step in steps if step < 0)


def _check_room(budget: Budget, changes: Sequence[dict[str, Any]], step: int) -> None:
    planned = total_of(budget, Kind.PLAN)
    if planned + step > budget.plannable_minor:
        raise NotPlannableError(left_minor=budget.plannable_minor - planned)
    left = {found.line.code: found.left for found in line_summaries(budget=budget)}
    for change in changes:
        less = change["before_minor"] - change["after_minor"]
        if less > 0 and less > left[change["code"]]:
            raise LineExhaustedError(left_minor=left[change["code"]], line=change["code"])


def _check_fresh(budget: Budget, row: PlanRevision) -> None:
    planned = {found.line.code: found.planned for found in line_summaries(budget=budget)}
    stale = [
        change["code"]
        for change in row.changes
        if planned.get(change["code"], 0) != change["before_minor"]
        or ("new" in change) == (change["code"] in planned)
    ]
    if stale:
        raise RevisionStaleError(lines=stale)


def _apply(row: PlanRevision, budget: Budget, *, by: Actor, at: datetime) -> PlanRevision:
    """Write the entries, takings back first; the budget row is locked."""
    _check_fresh(budget, row)
    if (
        total_of(budget, Kind.PLAN) + row.increase_minor - row.decrease_minor
        > budget.plannable_minor
    ):
        raise NotPlannableError(left_minor=budget.plannable_minor - total_of(budget, Kind.PLAN))
    lines = {line.code: line for line in budget.lines.order_by("pk")}
    for change in sorted(row.changes, key=lambda one: one["after_minor"] - one["before_minor"]):
        line = lines.get(change["code"]) or _new_line(budget, change)
        step = change["after_minor"] - change["before_minor"]
        if not step:
            continue
        append(
            line=line,
            kind=Kind.PLAN,
            amount_minor=step,
            key=derived_uuid("plan-revision", row.pk, line.pk),
            by=by,
            at=at,
            source=(APPROVED_PLAN if row.needs_approval else "plan_revision", row.pk),
        )
        if step < 0:
            left = _allowance.take(line.pk, -step)
            if left is not None:
                raise LineExhaustedError(left_minor=left, line=line.code)
        else:
            _allowance.give(line.pk, step)
    row.state, row.applied_at = State.APPLIED, at
    row.save()
    _note(row, "applied", by=by, at=at, reason=row.decision_note or row.reason)
    return row


def _new_line(budget: Budget, change: dict[str, Any]) -> BudgetLine:
    line = BudgetLine.objects.create(budget=budget, code=change["code"], **change["new"])
    _allowance.open_shards(line)
    return line


def _note(row: PlanRevision, what: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    record(
        by=by,
        at=at,
        action=f"budget.revision_{what}",
        target_type="plan_revision",
        target_id=row.pk,
        changes={
            change["code"]: [change["before_minor"], change["after_minor"]]
            for change in row.changes
        },
        reason=reason,
    )
