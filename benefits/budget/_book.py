"""Entries, sums and the lock of a budget row: what every movement is made of."""

from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from benefits.budget.errors import (
    BudgetClosedError,
    CurrencyChangedError,
    FourEyesError,
    KeyReusedError,
)
from benefits.budget.models import Budget, BudgetEntry, BudgetLine
from core import clock
from core.actors import Actor
from tenants.brands.context import current_brand
from tenants.events.operations import emit

Kind = BudgetEntry.Kind


def reserve_left(budget: Budget) -> int:
    """Return opening reserve − draws + returns, in minor units (I5)."""
    return (
        budget.opening_reserve_minor
        - total_of(budget, Kind.RESERVE_DRAW)
        + total_of(budget, Kind.RESERVE_RETURN)
    )


def total_of(budget: Budget, kind: str) -> int:
    total = BudgetEntry.objects.filter(budget=budget, kind=kind).aggregate(t=Sum("amount_minor"))
    return int(total["t"] or 0)


def lock_open(budget_id: int) -> Budget:
    budget = Budget.objects.select_for_update().get(pk=budget_id)
    if budget.status != Budget.Status.OPEN:
        raise BudgetClosedError(closed_at=budget.closed_at)
    if budget.currency != current_brand().currency:
        raise CurrencyChangedError(budget=budget.currency, brand=current_brand().currency)
    return budget


def require_person(by: Actor) -> None:
    """Pass if a person of staff acts. :raises FourEyesError: for keys, jobs, members."""
    if by.kind != "staff" or by.id is None:
        raise FourEyesError


def append(
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


def tell_overrun(line: BudgetLine, at: datetime) -> None:
    emit(
        type="budget.line_overrun",
        subject=f"budget_line:{line.pk}",
        data={"line": line.code},
        at=at,
    )
