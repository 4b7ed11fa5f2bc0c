"""Pieces of a benefit: put in, taken one per redemption, given back. Never oversold."""

import secrets
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Q

from benefits.catalogue.errors import InvalidBenefitError, OutOfStockError, StockUsedError
from benefits.catalogue.models import Benefit, BenefitUnit
from core.actors import Actor
from tenants.audit.operations import record

_MOST_AT_ONCE = 1_000_000
# Callers skip what another holds; the row is changed only where it is still free.
_TAKE = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM benefits_benefitunit
         WHERE benefit_id = %(benefit)s AND taken_at IS NULL
         ORDER BY id OFFSET %(skip)s LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE benefits_benefitunit piece SET taken_at = %(at)s, taken_for = %(taken_for)s
      FROM picked WHERE piece.id = picked.id
    RETURNING piece.id
"""
_SPREAD = 8


def add_units(*, benefit: Benefit, quantity: int, by: Actor, at: datetime) -> int:
    """Put pieces into a benefit's stock and count them from now on; return how many are free.

    :raises InvalidBenefitError: if the quantity is no reasonable number.
    """
    _check(quantity)
    with transaction.atomic():
        row = Benefit.objects.select_for_update().get(pk=benefit.pk)
        BenefitUnit.objects.bulk_create(
            (BenefitUnit(benefit=row) for _one in range(quantity)), batch_size=5_000
        )
        if not row.is_stocked:
            row.is_stocked = True
            row.save(update_fields=["is_stocked"])
        record(
            by=by,
            at=at,
            action="benefit.stock_added",
            target_type="benefit",
            target_id=row.pk,
            changes={"units": [None, quantity]},
        )
    return count_units(benefit=row)[1]


def remove_units(*, benefit: Benefit, quantity: int, reason: str, by: Actor, at: datetime) -> int:
    """Take free pieces out of the stock; return how many are left free.

    :raises StockUsedError: if fewer are free; nothing has changed.
    :raises InvalidBenefitError: if the quantity is no reasonable number, or no reason is given.
    """
    _check(quantity)
    if not reason.strip():
        raise InvalidBenefitError("A reason is needed.", pointer="/reason")
    with transaction.atomic():
        Benefit.objects.select_for_update().get(pk=benefit.pk)
        keys = list(
            BenefitUnit.objects.select_for_update(skip_locked=True)
            .filter(benefit=benefit, taken_at__isnull=True)
            .order_by("-pk")
            .values_list("pk", flat=True)[:quantity]
        )
        if len(keys) < quantity:
            raise StockUsedError(pointer="/quantity", free=len(keys))
        BenefitUnit.objects.filter(pk__in=keys).delete()
        record(
            by=by,
            at=at,
            action="benefit.stock_removed",
            target_type="benefit",
            target_id=benefit.pk,
            changes={"units": [quantity, None]},
            reason=reason,
        )
    return count_units(benefit=benefit)[1]


def take_unit(*, benefit_id: int, taken_for: str, at: datetime) -> None:
    """Take one free piece for a redemption, in the caller's transaction.

    :raises OutOfStockError: if none is left.
    """
    for skip in (secrets.randbelow(_SPREAD), 0):
        with connection.cursor() as cursor:
            cursor.execute(
                _TAKE, {"benefit": benefit_id, "at": at, "taken_for": taken_for, "skip": skip}
            )
            if cursor.fetchone() is not None:
                return
    raise OutOfStockError


def give_back(*, taken_for: str) -> None:
    """Free the piece of a redemption that came to nothing; again changes nothing."""
    BenefitUnit.objects.filter(taken_for=taken_for).update(taken_at=None, taken_for="")


def count_units(*, benefit: Benefit) -> tuple[int, int]:
    """Return how many pieces a benefit has in all, and how many of them are free."""
    found = BenefitUnit.objects.filter(benefit=benefit).aggregate(
        units=Count("pk"), free=Count("pk", filter=Q(taken_at__isnull=True))
    )
    return found["units"], found["free"]


def list_taken_units(*, benefit: Benefit, limit: int = 15) -> list[BenefitUnit]:
    """Return the pieces taken last; `taken_for` names the redemption that got each."""
    taken = BenefitUnit.objects.filter(benefit=benefit, taken_at__isnull=False)
    return list(taken.order_by("-taken_at", "-pk")[:limit])


def _check(quantity: int) -> None:
    if isinstance(quantity, bool) or not 1 <= quantity <= _MOST_AT_ONCE:
        raise InvalidBenefitError(
            f"A whole number from 1 to {_MOST_AT_ONCE} is needed.", pointer="/quantity"
        )
