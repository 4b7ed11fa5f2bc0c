"""Movements of a budget. Each is an entry and, with it, a change of the line's allowance.

Locks: staff operations (plan, draws, closing) lock the budget row; what members set in motion
(commit, release, spend) never does, see `_allowance`.
"""

from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Sum

from benefits.budget import _allowance
from benefits.budget.errors import (
    BudgetClosedError,
    BudgetOverlapError,
    DrawDecidedError,
    FourEyesError,
    InvalidPeriodError,
    KeyReusedError,
    LineExhaustedError,
    NotPlannableError,
    ReserveExhaustedError,
)
from benefits.budget.models import Budget, BudgetAllowance, BudgetEntry, BudgetLine, ReserveDraw
from core import clock, money
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

Kind = BudgetEntry.Kind


def create_budget(
    *,
    name: str,
    starts_on: date,
    ends_on: date,
    total_minor: int,
    by: Actor,
    at: datetime,
    reserve_share_bp: int = 2000,
    floor_minor: int = 0,
) -> Budget:
    """Open a budget for `[starts_on, ends_on)`; its opening reserve is fixed here.

    :raises InvalidPeriodError: if the period is empty.
    :raises BudgetOverlapError: if another budget covers one of the days.
    """
    if starts_on >= ends_on:
        raise InvalidPeriodError(pointer="/ends_on")
    try:
        with transaction.atomic():
            budget = Budget.objects.create(
                name=name,
                starts_on=starts_on,
                ends_on=ends_on,
                currency=current_brand().currency,
                total_minor=total_minor,
                reserve_share_bp=reserve_share_bp,
                opening_reserve_minor=money.share(total_minor, basis_points=reserve_share_bp),
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
    """Add a line without money; `plan` gives it some."""
    with transaction.atomic():
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

    :raises NotPlannableError: if all plans together would pass the total without the reserve.
    :raises LineExhaustedError: if more is taken back than the line has left.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        budget = _lock_open(line.budget_id)
        entry, new = _append(
            line=line, kind=Kind.PLAN, amount_minor=amount_minor, key=key, by=by, at=at
        )
        if not new:
            return entry
        planned = _sum(budget, Kind.PLAN)
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
        entry, new = _append(
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
                _tell_overrun(line, at)
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
        entry, new = _append(
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
            entry, new_spend = _append(
                line=line,
                kind=Kind.SPEND,
                amount_minor=amount_minor,
                key=key,
                by=by,
                at=at,
                source=source,
            )
        if committed_minor:
            _, new_release = _append(
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
            _tell_overrun(line, at)
    return entry


def ask_draw(
    *,
    line: BudgetLine,
    purpose: str,
    reason: str,
    amount_minor: int,
    exit_on: date,
    by: Actor,
    at: datetime,
) -> ReserveDraw:
    """Ask for reserve money for a pilot line; nothing moves until somebody else approves.

    :raises InvalidPeriodError: if the exit date is past or after the budget's end.
    """
    budget = line.budget
    today = clock.local_date(at, current_brand().timezone)
    if not today < exit_on <= budget.ends_on:
        raise InvalidPeriodError(pointer="/exit_on")
    with transaction.atomic():
        draw = ReserveDraw.objects.create(
            budget=budget,
            line=line,
            purpose=purpose,
            reason=reason,
            amount_minor=amount_minor,
            exit_on=exit_on,
            asked_by=by.key,
            asked_by_label=by.label,
            asked_at=at,
        )
        record(
            by=by,
            at=at,
            action="reserve.asked",
            target_type="reserve_draw",
            target_id=draw.pk,
            changes={"amount_minor": [None, amount_minor]},
            reason=reason,
        )
    return draw


def approve_draw(*, draw: ReserveDraw, by: Actor, at: datetime, note: str = "") -> ReserveDraw:
    """Move the money of a draw from the reserve to its line.

    :raises FourEyesError: if the asker approves.
    :raises DrawDecidedError: if it was decided before.
    :raises ReserveExhaustedError: if less is left in reserve.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        budget = _lock_open(draw.budget_id)
        row = _decide(draw, state=ReserveDraw.State.APPROVED, by=by, at=at, note=note)
        left = reserve_left(budget)
        if left < row.amount_minor:
            raise ReserveExhaustedError(left_minor=left)
        _append(
            line=row.line,
            kind=Kind.RESERVE_DRAW,
            amount_minor=row.amount_minor,
            key=derived_uuid("reserve-draw", row.pk),
            by=by,
            at=at,
            source=("reserve_draw", row.pk),
        )
        _allowance.give(row.line_id, row.amount_minor)
        if left - row.amount_minor < budget.floor_minor:
            emit(
                type="budget.reserve_low",
                subject=f"budget:{budget.pk}",
                data={"left_minor": left - row.amount_minor, "floor_minor": budget.floor_minor},
                at=at,
            )
    return row


def refuse_draw(*, draw: ReserveDraw, by: Actor, at: datetime, note: str = "") -> ReserveDraw:
    """Refuse a draw; nothing moves.

    :raises FourEyesError: if the asker decides.
    :raises DrawDecidedError: if it was decided before.
    """
    with transaction.atomic():
        return _decide(draw, state=ReserveDraw.State.REFUSED, by=by, at=at, note=note)


def return_unspent(*, draw: ReserveDraw, by: Actor, at: datetime) -> int:
    """End a draw: what its line has left, up to the amount drawn, goes back to the reserve.

    Returns the amount returned, in minor units; 0 when it was returned before.
    """
    with transaction.atomic():
        budget = Budget.objects.select_for_update().get(pk=draw.budget_id)
        row = ReserveDraw.objects.select_for_update().get(pk=draw.pk)
        if row.state != ReserveDraw.State.APPROVED:
            return 0
        left = sum(
            BudgetAllowance.objects.select_for_update()
            .filter(line_id=row.line_id)
            .order_by("shard")
            .values_list("left_minor", flat=True)
        )
        amount = max(min(left, row.amount_minor), 0)
        if amount:
            _append(
                line=row.line,
                kind=Kind.RESERVE_RETURN,
                amount_minor=amount,
                key=derived_uuid("reserve-return", row.pk),
                by=by,
                at=at,
                source=("reserve_draw", row.pk),
            )
            _allowance.take(row.line_id, amount)
        row.state = ReserveDraw.State.RETURNED
        row.returned_minor = amount
        row.save(update_fields=["state", "returned_minor"])
        record(
            by=by,
            at=at,
            action="reserve.returned",
            target_type="reserve_draw",
            target_id=row.pk,
            changes={"amount_minor": [None, amount], "budget": [None, budget.pk]},
        )
    return amount


def return_due(*, at: datetime) -> int:
    """Return what is unspent of every draw whose exit date has come; the number of draws ended."""
    today = clock.local_date(at, current_brand().timezone)
    due = ReserveDraw.objects.filter(state=ReserveDraw.State.APPROVED, exit_on__lte=today)
    ended = 0
    for draw in due.order_by("pk"):
        return_unspent(draw=draw, by=SYSTEM, at=at)
        ended += 1
    return ended


def close_period(*, budget: Budget, by: Actor, at: datetime) -> Budget:
    """Close a budget after its last day; the reserve left is written down, never carried over.

    :raises InvalidPeriodError: if the period has not ended.
    :raises BudgetClosedError: if it is closed already.
    """
    if clock.local_date(at, current_brand().timezone) < budget.ends_on:
        raise InvalidPeriodError(next_date=budget.ends_on)
    with transaction.atomic():
        row = _lock_open(budget.pk)
        for draw in row.draws.filter(state=ReserveDraw.State.APPROVED).order_by("pk"):
            return_unspent(draw=draw, by=by, at=at)
        row.status = Budget.Status.CLOSED
        row.closed_at = at
        row.closed_reserve_minor = reserve_left(row)
        row.save(update_fields=["status", "closed_at", "closed_reserve_minor"])
        record(
            by=by,
            at=at,
            action="budget.closed",
            target_type="budget",
            target_id=row.pk,
            changes={"closed_reserve_minor": [None, row.closed_reserve_minor]},
        )
    return row


def reserve_left(budget: Budget) -> int:
    """Return opening reserve − draws + returns, in minor units (I5)."""
    return (
        budget.opening_reserve_minor
        - _sum(budget, Kind.RESERVE_DRAW)
        + _sum(budget, Kind.RESERVE_RETURN)
    )


def _sum(budget: Budget, kind: str) -> int:
    total = BudgetEntry.objects.filter(budget=budget, kind=kind).aggregate(t=Sum("amount_minor"))
    return int(total["t"] or 0)


def _lock_open(budget_id: int) -> Budget:
    budget = Budget.objects.select_for_update().get(pk=budget_id)
    if budget.status != Budget.Status.OPEN:
        raise BudgetClosedError
    return budget


def _append(
    *,
    line: BudgetLine,
    kind: str,
    amount_minor: int,
    key: UUID,
    by: Actor,
    at: datetime,
    source: tuple[str, int | None] = ("", None),
) -> tuple[BudgetEntry, bool]:
    entry, created = BudgetEntry.objects.get_or_create(
        key=key,
        defaults={
            "budget_id": line.budget_id,
            "line": line,
            "kind": kind,
            "amount_minor": amount_minor,
            "at": at,
            "on_date": clock.local_date(at, current_brand().timezone),
            "source_type": source[0],
            "source_id": source[1],
            "by": by.key,
        },
    )
    if not created and (entry.line_id, entry.kind, entry.amount_minor) != (
        line.pk,
        kind,
        amount_minor,
    ):
        raise KeyReusedError(key=str(key))
    return entry, created


def _decide(draw: ReserveDraw, *, state: str, by: Actor, at: datetime, note: str) -> ReserveDraw:
    row = ReserveDraw.objects.select_for_update(of=("self",)).select_related("line").get(pk=draw.pk)
    if row.asked_by == by.key:
        raise FourEyesError
    if row.state != ReserveDraw.State.REQUESTED:
        raise DrawDecidedError(state=row.state)
    row.state = state
    row.decided_by = by.key
    row.decided_by_label = by.label
    row.decided_at = at
    row.decision_note = note
    row.save(
        update_fields=["state", "decided_by", "decided_by_label", "decided_at", "decision_note"]
    )
    record(
        by=by,
        at=at,
        action=f"reserve.{state}",
        target_type="reserve_draw",
        target_id=row.pk,
        changes={"state": [ReserveDraw.State.REQUESTED, state]},
        reason=note,
    )
    return row


def _tell_overrun(line: BudgetLine, at: datetime) -> None:
    emit(
        type="budget.line_overrun",
        subject=f"budget_line:{line.pk}",
        data={"line": line.code},
        at=at,
    )
