"""Draws on the reserve: asked for by one person, decided by another, ended by their exit date."""

from datetime import date, datetime

from django.db import transaction

from benefits.budget import _allowance
from benefits.budget._book import Kind, append, lock_open, require_person, reserve_left
from benefits.budget.errors import (
    DrawDecidedError,
    FourEyesError,
    InvalidPeriodError,
    NotYoursError,
    ReserveExhaustedError,
)
from benefits.budget.models import Budget, BudgetAllowance, BudgetLine, ReserveDraw
from core import clock
from core.actors import SYSTEM, Actor
from core.ids import derived_uuid
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit


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
    """Ask for reserve money for a line; nothing moves until somebody else approves.

    :raises FourEyesError: if no person of staff asks.
    :raises InvalidPeriodError: if the exit date is past or after the budget's end.
    :raises BudgetClosedError: if the period is closed.
    """
    require_person(by)
    budget = line.budget
    today = clock.local_date(at, current_brand().timezone)
    if not today < exit_on <= budget.ends_on:
        raise InvalidPeriodError(pointer="/exit_on")
    with transaction.atomic():
        lock_open(budget.pk)
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
    :raises InvalidPeriodError: if its exit date has come meanwhile.
    :raises BudgetClosedError: if the period is closed.
    """
    with transaction.atomic():
        budget = lock_open(draw.budget_id)
        if draw.exit_on <= clock.local_date(at, current_brand().timezone):
            raise InvalidPeriodError(exit_on=draw.exit_on.isoformat())
        row = _decide(draw, state=ReserveDraw.State.APPROVED, by=by, at=at, note=note)
        left = reserve_left(budget)
        if left < row.amount_minor:
            raise ReserveExhaustedError(left_minor=left)
        append(
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


def withdraw_draw(*, draw: ReserveDraw, by: Actor, at: datetime) -> ReserveDraw:
    """Take back one's own request.

    :raises NotYoursError: if somebody else asked.
    :raises DrawDecidedError: if it was decided before.
    """
    with transaction.atomic():
        row = ReserveDraw.objects.select_for_update().get(pk=draw.pk)
        if row.asked_by != by.key:
            raise NotYoursError
        return withdraw(row, by=by, at=at)


def withdraw(row: ReserveDraw, *, by: Actor, at: datetime, note: str = "") -> ReserveDraw:
    if row.state != ReserveDraw.State.REQUESTED:
        raise DrawDecidedError(state=row.state)
    row.state, row.decided_at, row.decision_note = ReserveDraw.State.WITHDRAWN, at, note
    row.save(update_fields=["state", "decided_at", "decision_note"])
    record(
        by=by,
        at=at,
        action="reserve.withdrawn",
        target_type="reserve_draw",
        target_id=row.pk,
        changes={"state": [ReserveDraw.State.REQUESTED, row.state]},
        reason=note,
    )
    return row


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
            append(
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


def _decide(draw: ReserveDraw, *, state: str, by: Actor, at: datetime, note: str) -> ReserveDraw:
    require_person(by)
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
