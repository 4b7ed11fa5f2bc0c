"""Pools of codes: filled by import, each code handed out at most once."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils.translation import gettext as _

from benefits.catalogue.code_files import MAX_LENGTH, LineProblem, read_lines
from benefits.catalogue.errors import (
    BadCodeFileError,
    CodeTakenError,
    DuplicateCodesError,
    InvalidBenefitError,
    PoolEmptyError,
)
from benefits.catalogue.models import CODE, CodeImport, CodePool, PoolCode
from core.actors import Actor
from tenants.audit.operations import record
from tenants.events.operations import emit

_SHOWN = 20
_LISTED = 1_000
_CHUNK = 10_000
# A CTE with FOR UPDATE runs once; as a subquery the planner could run it again per row.
TAKE_CODES = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM benefits_poolcode
         WHERE pool_id = %(pool)s AND taken_at IS NULL AND id >= %(start)s
         ORDER BY id LIMIT %(count)s FOR UPDATE SKIP LOCKED)
    UPDATE benefits_poolcode code SET taken_at = %(at)s, taken_for = %(taken_for)s
      FROM picked WHERE code.id = picked.id
    RETURNING code.code
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """What a file of codes holds: the good ones, the bad lines, or that it went in before."""

    digest: str
    codes: list[str]
    problems: list[LineProblem]
    is_known: bool


def create_pool(
    *, code: str, name: str, by: Actor, at: datetime, low_at: int | None = None
) -> CodePool:
    """Make an empty pool; with `low_at` the brand is told when fewer codes are free.

    :raises InvalidBenefitError: if code, name or `low_at` is wrong; `pointer` names it.
    :raises CodeTakenError: if another pool has the code.
    """
    try:
        CODE(code)
    except ValidationError:
        raise InvalidBenefitError(
            _("A code has small letters, digits, - and _, at most 40."), pointer="/code"
        ) from None
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidBenefitError(_("A name of 1 to 120 characters is needed."), pointer="/name")
    _check_low_at(low_at)
    with transaction.atomic():
        if CodePool.objects.filter(code=code).exists():
            raise CodeTakenError(pool=code)
        pool = CodePool.objects.create(code=code, name=name.strip(), low_at=low_at, created_at=at)
        record(by=by, at=at, action="pool.created", target_type="code_pool", target_id=pool.pk)
    return pool


def set_low_at(*, pool: CodePool, low_at: int | None, by: Actor, at: datetime) -> CodePool:
    """Say at how many free codes the brand is told; empty: never.

    :raises InvalidBenefitError: if it is out of range.
    """
    _check_low_at(low_at)
    with transaction.atomic():
        row = CodePool.objects.select_for_update().get(pk=pool.pk)
        before, row.low_at = row.low_at, low_at
        if before != low_at:
            row.save(update_fields=["low_at"])
            record(
                by=by,
                at=at,
                action="pool.changed",
                target_type="code_pool",
                target_id=row.pk,
                changes={"low_at": [before, low_at]},
            )
        _watch(row, at)
    return row


def import_codes(*, pool: CodePool, codes: Sequence[str], by: Actor, at: datetime) -> int:
    """Add codes to a pool, all or none; return how many.

    :raises DuplicateCodesError: if a code is there already or twice in the list; `codes` in the
        data shows the first twenty.
    :raises InvalidBenefitError: if a code is empty or too long; `pointer` names its place.
    """
    for index, code in enumerate(codes):
        if not code.strip() or len(code) > MAX_LENGTH:
            raise InvalidBenefitError(
                _("A code has 1 to 120 characters."), pointer=f"/codes/{index}"
            )
    cleaned = [code.strip() for code in codes]
    twice = [code for code, count in Counter(cleaned).items() if count > 1]
    with transaction.atomic():
        row = CodePool.objects.select_for_update().get(pk=pool.pk)
        bad = sorted({*twice, *_known(row, cleaned)})
        if bad:
            raise DuplicateCodesError(codes=bad[:_SHOWN], count=len(bad))
        _add(row, cleaned, file_name="", digest=_digest(cleaned), by=by, at=at)
    return len(cleaned)


def check_file(*, pool: CodePool, content: bytes) -> FileCheck:
    """Read a file of codes, one a line, and say what is wrong with each bad line; changes nothing.

    A code that is in the pool already is told apart from one that was handed out.

    :raises BadCodeFileError: if the file as a whole cannot be read.
    """
    digest = hashlib.sha256(content).hexdigest()
    if CodeImport.objects.filter(pool=pool, digest=digest).exists():
        return FileCheck(digest=digest, codes=[], problems=[], is_known=True)
    codes, problems = read_lines(content)
    taken = _known(pool, [code for _line, code in codes])
    good = []
    for line, code in codes:
        if code not in taken:
            good.append(code)
        else:
            problems.append(LineProblem(line, "handed_out" if taken[code] else "in_pool"))
    problems.sort(key=lambda problem: problem.line)
    return FileCheck(digest=digest, codes=good, problems=problems, is_known=False)


def import_file(
    *, pool: CodePool, content: bytes, file_name: str, by: Actor, at: datetime
) -> FileCheck:
    """Add all codes of a file, or none. The same file again changes nothing.

    :raises BadCodeFileError: if the file cannot be read or has a bad line; `problems` in the data
        lists every one of them by line, the first thousand.
    """
    with transaction.atomic():
        row = CodePool.objects.select_for_update().get(pk=pool.pk)
        found = check_file(pool=row, content=content)
        if found.is_known:
            return found
        if found.problems:
            raise BadCodeFileError(
                count=len(found.problems),
                problems=[
                    {"line": problem.line, "code": problem.code}
                    for problem in found.problems[:_LISTED]
                ],
            )
        _add(row, found.codes, file_name=file_name[:120], digest=found.digest, by=by, at=at)
    return found


def watch_pools(*, at: datetime) -> list[CodePool]:
    """Look at each pool with a mark; tell once when it falls below, return those that are low."""
    low = []
    for pool in CodePool.objects.filter(low_at__isnull=False).order_by("pk"):
        with transaction.atomic():
            row = CodePool.objects.select_for_update().get(pk=pool.pk)
            _watch(row, at)
            if row.low_since_at is not None:
                low.append(row)
    return low


def _watch(pool: CodePool, at: datetime) -> None:
    free = PoolCode.objects.filter(pool=pool, taken_at__isnull=True)
    is_low = pool.low_at is not None and free[: pool.low_at].count() < pool.low_at
    if is_low == (pool.low_since_at is not None):
        return
    pool.low_since_at = at if is_low else None
    pool.save(update_fields=["low_since_at"])
    if is_low:
        emit(
            type="code_pool.low",
            subject=f"code_pool:{pool.pk}",
            data={"pool": pool.pk, "code": pool.code, "free": free.count()},
            at=at,
        )


def _add(
    pool: CodePool,
    codes: Sequence[str],
    *,
    file_name: str,
    digest: str,
    by: Actor,
    at: datetime,
) -> None:
    if not codes:
        return
    PoolCode.objects.bulk_create(
        (PoolCode(pool=pool, code=code) for code in codes), batch_size=5_000
    )
    bounds = PoolCode.objects.filter(pool=pool).aggregate(first=Min("id"), last=Max("id"))
    pool.first_id, pool.last_id = bounds["first"], bounds["last"]
    pool.save(update_fields=["first_id", "last_id"])
    CodeImport.objects.create(
        pool=pool, digest=digest, file_name=file_name, codes=len(codes), actor=by.key, at=at
    )
    record(
        by=by,
        at=at,
        action="pool.codes_imported",
        target_type="code_pool",
        target_id=pool.pk,
        changes={"codes": [None, len(codes)]},
    )
    emit(
        type="code_pool.filled",
        subject=f"code_pool:{pool.pk}",
        data={"pool": pool.pk, "code": pool.code, "added": len(codes)},
        at=at,
    )
    _watch(pool, at)


def _known(pool: CodePool, codes: Sequence[str]) -> dict[str, bool]:
    """Return which of the codes are in the pool, and whether each was handed out."""
    found: dict[str, bool] = {}
    for start in range(0, len(codes), _CHUNK):
        rows = PoolCode.objects.filter(pool=pool, code__in=codes[start : start + _CHUNK])
        found |= {code: at is not None for code, at in rows.values_list("code", "taken_at")}
    return found


def _digest(codes: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(codes).encode()).hexdigest()


def _check_low_at(low_at: int | None) -> None:
    if low_at is not None and not 1 <= low_at <= 10**6:
        raise InvalidBenefitError(
            _("A whole number from 1 to 1000000 is needed."), pointer="/low_at"
        )


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
                TAKE_CODES,
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
