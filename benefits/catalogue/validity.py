"""Writes that end what a unit costs or is worth, or call off what was to come."""

from datetime import date, datetime

from django.db import transaction

from benefits.catalogue import _amounts
from benefits.catalogue.errors import AmountInForceError, InvalidBenefitError
from benefits.catalogue.models import Benefit
from core import clock
from core.actors import Actor
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_LEDGERS = {"cost": _amounts.COSTS, "price": _amounts.PRICES}


def close_amount(
    *, benefit: Benefit, what: str, valid_from: date, valid_to: date, by: Actor, at: datetime
) -> None:
    """End the cost or price that starts on a day; `what` is `cost` or `price`.

    Days that have passed stay as they were counted, so the end is today or later. Afterwards no
    amount is known until the next one begins: without a cost the benefit's rules are refused.

    :raises AmountGoneError: if none starts on that day.
    :raises PeriodsOverlapError: if it ends before that day anyway.
    :raises InvalidBenefitError: if the end lies before its start or in the past.
    """
    ledger = _ledger(what)
    if valid_to < clock.local_date(at, current_brand().timezone):
        raise InvalidBenefitError("Days that have passed stay as they were.", pointer="/valid_to")
    with transaction.atomic():
        row = _amounts.close(ledger, benefit=benefit, valid_from=valid_from, valid_to=valid_to)
        record(
            by=by,
            at=at,
            action=f"benefit.{what}_closed",
            target_type="benefit",
            target_id=benefit.pk,
            changes={
                ledger.field: [getattr(row, ledger.field), None],
                "valid_from": [valid_from.isoformat(), valid_from.isoformat()],
                "valid_to": [None, valid_to.isoformat()],
            },
        )


def call_off_amount(
    *, benefit: Benefit, what: str, valid_from: date, by: Actor, at: datetime
) -> None:
    """Take back a cost or price that was to begin on a day to come; the one before goes on.

    :raises AmountGoneError: if none starts on that day.
    :raises AmountInForceError: if it began already.
    """
    ledger = _ledger(what)
    if valid_from <= clock.local_date(at, current_brand().timezone):
        raise AmountInForceError(valid_from=valid_from.isoformat())
    with transaction.atomic():
        row = _amounts.call_off(ledger, benefit=benefit, valid_from=valid_from)
        record(
            by=by,
            at=at,
            action=f"benefit.{what}_called_off",
            target_type="benefit",
            target_id=benefit.pk,
            changes={
                ledger.field: [getattr(row, ledger.field), None],
                "valid_from": [valid_from.isoformat(), None],
            },
        )


def _ledger(what: str) -> _amounts.Ledger:
    try:
        return _LEDGERS[what]
    except KeyError:
        raise InvalidBenefitError("Give cost or price.", pointer="/what") from None
