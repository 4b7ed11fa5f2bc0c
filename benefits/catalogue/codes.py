"""Pools of codes: filled by import, each code handed out at most once."""

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max, Min

from benefits.catalogue.errors import (
    CodeTakenError,
    DuplicateCodesError,
    InvalidBenefitError,
    PoolEmptyError,
)
from benefits.catalogue.models import CodePool, PoolCode
from core.actors import Actor
from tenants.audit.operations import record

_SHOWN = 20
# A CTE with FOR UPDATE runs once; as a subquery the planner could run it again per row.
_TAKE = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM benefits_poolcode
         WHERE pool_id = %(pool)s AND taken_at IS NULL AND id >= %(start)s
         ORDER BY id LIMIT %(count)s FOR UPDATE SKIP LOCKED)
    UPDATE benefits_poolcode code SET taken_at = %(at)s, taken_for = %(taken_for)s
      FROM picked WHERE code.id = picked.id
    RETURNING code.code
"""


def create_pool(*, code: str, name: str, by: Actor, at: datetime) -> CodePool:
    """Make an empty pool. :raises CodeTakenError: if another pool has the code."""
    with transaction.atomic():
        if CodePool.objects.filter(code=code).exists():
            raise CodeTakenError(pool=code)
        pool = CodePool.objects.create(code=code, name=name, created_at=at)
        record(by=by, at=at, action="pool.created", target_type="code_pool", target_id=pool.pk)
    return pool


def import_codes(*, pool: CodePool, codes: Sequence[str], by: Actor, at: datetime) -> int:
    """Add codes to a pool, all or none; return how many.

    :raises DuplicateCodesError: if a code is there already or twice in the list; `codes` in the
        data shows the first twenty.
    :raises InvalidBenefitError: if a code is empty or too long; `pointer` names its place.
    """
    for index, code in enumerate(codes):
        if not code.strip() or len(code) > 120:
            raise InvalidBenefitError("A code has 1 to 120 characters.", pointer=f"/codes/{index}")
    cleaned = [code.strip() for code in codes]
    twice = [code for code, count in Counter(cleaned).items() if count > 1]
    with transaction.atomic():
        row = CodePool.objects.select_for_update().get(pk=pool.pk)
        known = PoolCode.objects.filter(pool=row, code__in=cleaned).values_list("code", flat=True)
        bad = sorted({*twice, *known})
        if bad:
            raise DuplicateCodesError(codes=bad[:_SHOWN], count=len(bad))
        PoolCode.objects.bulk_create(
            (PoolCode(pool=row, code=code) for code in cleaned), batch_size=5_000
        )
        bounds = PoolCode.objects.filter(pool=row).aggregate(first=Min("id"), last=Max("id"))
        row.first_id, row.last_id = bounds["first"], bounds["last"]
        row.save(update_fields=["first_id", "last_id"])
        record(
            by=by,
            at=at,
            action="pool.codes_imported",
            target_type="code_pool",
            target_id=row.pk,
            changes={"codes": [None, len(cleaned)]},
        )
    return len(cleaned)


def take_codes(*, pool_id: int, count: int, taken_for: str, at: datetime) -> list[str]:
    """Hand out free codes of a pool for one redemption or order, in the caller's transaction.

    Callers do not queue: each starts at a random key of the pool and skips rows that another
    holds; only when nothing is found from there on does it look from the beginning.

    :raises PoolEmptyError: if fewer than `count` are free.
    """
    bounds = CodePool.objects.values_list("first_id", "last_id").get(pk=pool_id)
    first, last = bounds
    if first is None or last is None:
        raise PoolEmptyError(pool=pool_id)
    found: list[str] = []
    for start in (first + secrets.randbelow(last - first + 1), first):
        with connection.cursor() as cursor:
            cursor.execute(
                _TAKE,
                {
                    "at": at,
                    "taken_for": taken_for,
                    "pool": pool_id,
                    "start": start,
                    "count": count - len(found),
                },
            )
            found += [row[0] for row in cursor.fetchall()]
        if len(found) == count:
            return found
    raise PoolEmptyError(pool=pool_id)


def hand_over_codes(*, taken_for: str, to: str) -> list[str]:
    """Pass codes that were kept under one name on to another; return them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE benefits_poolcode SET taken_for = %s WHERE taken_for = %s RETURNING code",
            [to, taken_for],
        )
        return [row[0] for row in cursor.fetchall()]


def give_back_codes(*, taken_for: str) -> int:
    """Free codes that were kept for somebody who never saw them; return how many.

    Codes that were handed out stay handed out: never call this for a redemption or an order.
    """
    return PoolCode.objects.filter(taken_for=taken_for).update(taken_at=None, taken_for=None)
