"""Movements of a budget. Each is an entry and, with it, a change of the line's allowance.

Locks: staff operations (plan, draws, closing) lock the budget row; what members set in motion
(commit, release, spend) never does, see `_allowance`.
"""

from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Sum

from benefits.budget import _allowance, settings
from benefits.budget._book import (
    Kind,
    append,
    lock_open,
    require_person,
    reserve_left,
    tell_overrun,
    total_of,
)
from benefits.budget._draws import (
    approve_draw,
    ask_draw,
    refuse_draw,
    return_due,
    return_unspent,
    withdraw,
    withdraw_draw,
)
from benefits.budget.errors import (
    ApprovalNeededError,
    BudgetOverlapError,
    InvalidPeriodError,
    LineExhaustedError,
    LineExistsError,
    NotPlannableError,
)
from benefits.budget.models import (
    Budget,
    BudgetEntry,
    BudgetLine,
    PlanRevision,
    ReserveDraw,
)
from core import clock, money
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from tenants.audit.operations import record
from tenants.brands.context import current_brand

# Source of plan entries that a second person approved.
APPROVED_PLAN = "approved_plan"


def create_budget(
    *,
    name: str,
    starts_on: date,
    ends_on: date,
    total_minor: int,
    by: Actor,
    at: datetime,
    reserve_share_bp: int | None = None,
    floor_minor: int | None = None,
) -> Budget:
    """Open a budget for `[starts_on, ends_on)`; its opening reserve is fixed here.

    Share and floor are the brand's (`settings.get_policy`) unless given.

    :raises InvalidPeriodError: if the period is empty.
    :raises BudgetOverlapError: if another budget covers one of the days.
    """
    if starts_on >= ends_on:
        raise InvalidPeriodError(pointer="/ends_on")
    policy = settings.get_policy()
    share_bp = policy.reserve_share_bp if reserve_share_bp is None else reserve_share_bp
    if floor_minor is None:
        floor_minor = money.share(total_minor, basis_points=policy.floor_share_bp)
    try:
        with transaction.atomic():
            budget = Budget.objects.create(
                name=name,
                starts_on=starts_on,
                ends_on=ends_on,
                currency=current_brand().currency,
                total_minor=total_minor,
                reserve_share_bp=share_bp,
                opening_reserve_minor=money.share(total_minor, basis_points=share_bp),
                floor_minor=floor_minor,
                created_at=at,
            )
            record(
                by=by,
                at=at,
                action="budget.created",
                target_type="budget",
                target_id=budget.pk,
                changes={
                    "total_minor": [None, total_minor],
                    "opening_reserve_minor": [None, budget.opening_reserve_minor],
                },
            )
    except IntegrityError as error:
        if "budget_period_no_overlap" in str(error):
            raise BudgetOverlapError(pointer="/starts_on") from None
        raise
    return budget


def add_line(
    *,
    budget: Budget,
    code: str,
    name: str,
    kind: str,
    by: Actor,
    at: datetime,
    target_id: int | None = None,
    policy: str = BudgetLine.Policy.REFUSE,
) -> BudgetLine:
    """Add a line without money; `plan` gives it some.

    :raises LineExistsError: if the budget has a line with this code.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        lock_open(budget.pk)
        if BudgetLine.objects.filter(budget=budget, code=code).exists():
            raise LineExistsError(pointer="/code", line=code)
        line = BudgetLine.objects.create(
            budget=budget, code=code, name=name, kind=kind, target_id=target_id, policy=policy
        )
        _allowance.open_shards(line)
        record(
            by=by, at=at, action="budget.line_added", target_type="budget_line", target_id=line.pk
        )
    return line


def plan(*, line: BudgetLine, amount_minor: int, key: UUID, by: Actor, at: datetime) -> BudgetEntry:
    """Allocate money to a line; a negative amount takes back what is neither spent nor committed.

    Steps of one person on one day count together: above the brand's limit, `revisions` asks
    somebody else.

    :raises NotPlannableError: if all plans together would pass the total without the reserve.
    :raises LineExhaustedError: if more is taken back than the line has left.
    :raises ApprovalNeededError: if it passes what one person may plan in a day.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        budget = lock_open(line.budget_id)
        needed = approval_needed(budget=budget, increase_minor=amount_minor, by=by, at=at)
        entry, new = append(
            line=line, kind=Kind.PLAN, amount_minor=amount_minor, key=key, by=by, at=at
        )
        if not new:
            return entry
        if needed is not None:
            raise ApprovalNeededError(limit_minor=needed)
        planned = total_of(budget, Kind.PLAN)
        if planned > budget.plannable_minor:
            raise NotPlannableError(left_minor=budget.plannable_minor - planned + amount_minor)
        if amount_minor < 0:
            left = _allowance.take(line.pk, -amount_minor)
            if left is not None:
                raise LineExhaustedError(left_minor=left)
        else:
            _allowance.give(line.pk, amount_minor)
        record(
            by=by,
            at=at,
            action="budget.planned",
            target_type="budget_line",
            target_id=line.pk,
            changes={"amount_minor": [None, amount_minor]},
        )
    return entry


def approval_needed(*, budget: Budget, increase_minor: int, by: Actor, at: datetime) -> int | None:
    """Return the limit that planning so much more would pass, or None where nobody else is needed.

    Counted are a person's own steps of the day, so that many small ones are one large one.
    """
    limit = settings.limit_for(by=by, at=at)
    if limit is None or increase_minor <= 0:
        return None
    own = BudgetEntry.objects.filter(
        budget=budget,
        kind=Kind.PLAN,
        by=by.key,
        on_date=clock.local_date(at, current_brand().timezone),
        amount_minor__gt=0,
    ).exclude(source_type=APPROVED_PLAN)
    before = int(own.aggregate(t=Sum("amount_minor"))["t"] or 0)
    return limit if before + increase_minor > limit else None


def commit(
    *,
    line: BudgetLine,
    amount_minor: int,
    key: UUID,
    at: datetime,
    source: tuple[str, int | None] = ("", None),
    by: Actor = SYSTEM,
) -> BudgetEntry:
    """Promise money of a line, such as for the grants of a rule and period, or one order.

    A second call with the same key changes nothing.

    :raises LineExhaustedError: if the line refuses what passes its plan.
    """
    with transaction.atomic():
        entry, new = append(
            line=line,
            kind=Kind.COMMIT,
            amount_minor=amount_minor,
            key=key,
            by=by,
            at=at,
            source=source,
        )
        if new:
            if line.policy == BudgetLine.Policy.REFUSE:
                left = _allowance.take(line.pk, amount_minor)
                if left is not None:
                    raise LineExhaustedError(left_minor=left, line=line.code)
            elif _allowance.force(line.pk, amount_minor):
                tell_overrun(line, at)
    return entry


def release(
    *,
    line: BudgetLine,
    amount_minor: int,
    key: UUID,
    at: datetime,
    source: tuple[str, int | None] = ("", None),
    by: Actor = SYSTEM,
) -> BudgetEntry:
    """Give back what was committed and will not be spent."""
    with transaction.atomic():
        entry, new = append(
            line=line,
            kind=Kind.RELEASE,
            amount_minor=amount_minor,
            key=key,
            by=by,
            at=at,
            source=source,
        )
        if new:
            _allowance.give(line.pk, amount_minor)
    return entry


def spend(
    *,
    line: BudgetLine,
    amount_minor: int,
    key: UUID,
    at: datetime,
    committed_minor: int = 0,
    source: tuple[str, int | None] = ("", None),
    by: Actor = SYSTEM,
) -> BudgetEntry | None:
    """Book a cost that has arisen; `committed_minor` of it had been promised and is released.

    A cost is never refused: it has been incurred. Where it passes the plan, the event
    `budget.line_overrun` tells. Nothing is booked for a cost of zero, only the release.
    """
    with transaction.atomic():
        entry: BudgetEntry | None = None
        new_spend = new_release = False
        if amount_minor:
            entry, new_spend = append(
                line=line,
                kind=Kind.SPEND,
                amount_minor=amount_minor,
                key=key,
                by=by,
                at=at,
                source=source,
            )
        if committed_minor:
            _, new_release = append(
                line=line,
                kind=Kind.RELEASE,
                amount_minor=committed_minor,
                key=derived_uuid(str(key), "release"),
                by=by,
                at=at,
                source=source,
            )
        # One change of the allowance for both: two could deadlock with a taker of all shards.
        net = (committed_minor if new_release else 0) - (amount_minor if new_spend else 0)
        if net > 0:
            _allowance.give(line.pk, net)
        elif net < 0 and _allowance.force(line.pk, -net):
            tell_overrun(line, at)
    return entry


def credit(
    *,
    line: BudgetLine,
    amount_minor: int,
    key: UUID,
    at: datetime,
    source: tuple[str, int | None] = ("", None),
    by: Actor = SYSTEM,
) -> BudgetEntry:
    """Book money that came back after it had been spent, such as a disputed statement's.

    The spend of the line falls by it, and the line may commit it again.
    """
    with transaction.atomic():
        entry, new = append(
            line=line,
            kind=Kind.SPEND,
            amount_minor=-amount_minor,
            key=key,
            by=by,
            at=at,
            source=source,
        )
        if new:
            _allowance.give(line.pk, amount_minor)
    return entry


def close_period(*, budget: Budget, by: Actor, at: datetime) -> Budget:
    """Close a budget after its last day; the reserve left is written down, never carried over.

    Open draws end, what still waits for approval is withdrawn. What is promised stays promised:
    its cost, when it comes, is booked here and shown as come after the close. There is no way
    back.

    :raises InvalidPeriodError: if the period has not ended.
    :raises BudgetClosedError: if it is closed already.
    """
    if clock.local_date(at, current_brand().timezone) < budget.ends_on:
        raise InvalidPeriodError(next_date=budget.ends_on)
    with transaction.atomic():
        row = lock_open(budget.pk)
        for draw in row.draws.filter(state=ReserveDraw.State.APPROVED).order_by("pk"):
            return_unspent(draw=draw, by=by, at=at)
        for draw in row.draws.filter(state=ReserveDraw.State.REQUESTED).order_by("pk"):
            withdraw(draw, by=by, at=at, note="period closed")
        waiting = (PlanRevision.State.DRAFT, PlanRevision.State.REQUESTED)
        row.revisions.filter(state__in=waiting).update(
            state=PlanRevision.State.WITHDRAWN, decided_at=at, decision_note="period closed"
        )
        row.status = Budget.Status.CLOSED
        row.closed_at = at
        row.closed_reserve_minor = reserve_left(row)
        row.closed_spent_minor = total_of(row, Kind.SPEND)
        row.closed_committed_minor = total_of(row, Kind.COMMIT) - total_of(row, Kind.RELEASE)
        row.save(
            update_fields=[
                "status",
                "closed_at",
                "closed_reserve_minor",
                "closed_spent_minor",
                "closed_committed_minor",
            ]
        )
        record(
            by=by,
            at=at,
            action="budget.closed",
            target_type="budget",
            target_id=row.pk,
            changes={"closed_reserve_minor": [None, row.closed_reserve_minor]},
        )
    return row


__all__ = [
    "APPROVED_PLAN",
    "add_line",
    "approval_needed",
    "approve_draw",
    "ask_draw",
    "close_period",
    "commit",
    "create_budget",
    "credit",
    "plan",
    "refuse_draw",
    "release",
    "require_person",
    "reserve_left",
    "return_due",
    "return_unspent",
    "spend",
    "withdraw_draw",
]
