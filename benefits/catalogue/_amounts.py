"""Amounts in force over time: what a unit costs, what a benefit is worth.

Rows of one benefit are half-open periods that never overlap; an exclusion constraint is behind.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from benefits.catalogue.errors import (
    AmountGoneError,
    CostExistsError,
    InvalidBenefitError,
    PeriodsOverlapError,
)
from benefits.catalogue.models import Benefit, BenefitCost, BenefitPrice
from core.money import MAX_MINOR


@dataclass(frozen=True, slots=True)
class Ledger:
    """Which table holds the amounts, and under which name."""

    model: Any
    field: str


COSTS = Ledger(BenefitCost, "unit_cost_minor")
PRICES = Ledger(BenefitPrice, "list_price_minor")


def put(
    ledger: Ledger,
    *,
    benefit: Benefit,
    amount_minor: int,
    valid_from: date,
    valid_to: date | None,
    may_correct: bool = False,
) -> tuple[Any, int | None]:
    """Set an amount from a day on; return its row and the amount before it.

    Without `valid_to` it holds until the next amount that is known. With `valid_to` the amount
    before holds again from that day. The same again changes nothing. Needs the transaction.

    :raises CostExistsError: if another amount starts on that day, unless it may be corrected.
    :raises PeriodsOverlapError: if another one begins within the period.
    :raises InvalidBenefitError: if an amount or a period is wrong; `pointer` names it.
    """
    if not 0 <= amount_minor <= MAX_MINOR:
        raise InvalidBenefitError("The amount is out of range.", pointer=f"/{ledger.field}")
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidBenefitError("It must end after it starts.", pointer="/valid_to")
    # The benefit's row serialises changes of its amounts.
    Benefit.objects.select_for_update().get(pk=benefit.pk)
    rows: list[Any] = list(ledger.model.objects.filter(benefit=benefit).order_by("valid_from"))
    same = next((row for row in rows if row.valid_from == valid_from), None)
    if same is not None:
        return _again(ledger, same, amount_minor, may_correct=may_correct)
    after = [row for row in rows if row.valid_from > valid_from]
    if valid_to is not None and after and after[0].valid_from < valid_to:
        raise PeriodsOverlapError(pointer="/valid_to", valid_from=after[0].valid_from.isoformat())
    until = valid_to or (after[0].valid_from if after else None)
    before = next((row for row in rows[::-1] if row.valid_from < valid_from), None)
    resumes = None
    if before is not None and (before.valid_to is None or before.valid_to > valid_from):
        resumes, before.valid_to = before.valid_to, valid_from
        before.save(update_fields=["valid_to"])
        if valid_to is not None and (resumes is None or resumes > valid_to):
            ledger.model.objects.create(
                benefit=benefit,
                valid_from=valid_to,
                valid_to=resumes,
                **{ledger.field: getattr(before, ledger.field)},
            )
    made = ledger.model.objects.create(
        benefit=benefit, valid_from=valid_from, valid_to=until, **{ledger.field: amount_minor}
    )
    return made, getattr(before, ledger.field) if before is not None else None


def _again(
    ledger: Ledger, row: Any, amount_minor: int, *, may_correct: bool
) -> tuple[Any, int | None]:
    now = getattr(row, ledger.field)
    if now != amount_minor:
        if not may_correct:
            raise CostExistsError(pointer="/valid_from", valid_from=row.valid_from.isoformat())
        setattr(row, ledger.field, amount_minor)
        row.save(update_fields=[ledger.field])
    return row, now


def close(ledger: Ledger, *, benefit: Benefit, valid_from: date, valid_to: date) -> Any:
    """End the amount that starts on a day earlier than it would; return its row.

    Afterwards no amount is known until the next one. Needs the transaction.

    :raises AmountGoneError: if no amount starts on that day.
    :raises InvalidBenefitError: if the end lies before its start, or behind its end.
    """
    row = _find(ledger, benefit, valid_from)
    if valid_to <= row.valid_from:
        raise InvalidBenefitError("It must end after it starts.", pointer="/valid_to")
    if row.valid_to is not None and valid_to > row.valid_to:
        raise PeriodsOverlapError(pointer="/valid_to", valid_from=row.valid_to.isoformat())
    row.valid_to = valid_to
    row.save(update_fields=["valid_to"])
    return row


def call_off(ledger: Ledger, *, benefit: Benefit, valid_from: date) -> Any:
    """Remove an amount that starts on a day to come; what held before it goes on instead.

    :raises AmountGoneError: if no amount starts on that day.
    """
    row = _find(ledger, benefit, valid_from)
    before = ledger.model.objects.filter(benefit=benefit, valid_to=valid_from).first()
    row.delete()
    if before is not None:
        before.valid_to = row.valid_to
        before.save(update_fields=["valid_to"])
    return row


def _find(ledger: Ledger, benefit: Benefit, valid_from: date) -> Any:
    Benefit.objects.select_for_update().get(pk=benefit.pk)
    row = ledger.model.objects.filter(benefit=benefit, valid_from=valid_from).first()
    if row is None:
        raise AmountGoneError(valid_from=valid_from.isoformat())
    return row
