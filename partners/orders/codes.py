"""Verification codes: kept as digests, compared in constant time, tries counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.crypto import constant_time_compare, salted_hmac

from partners.orders.errors import TooManyCodesError, WrongCodeError
from partners.orders.models import FulfilmentOrder
from tenants.brands.context import current_schema

LIMIT = 5
WINDOW = timedelta(minutes=15)
# Letters of a code that people mistake for digits never occur in ours; what they type may.
_IGNORED = str.maketrans("", "", " -\t\n")


def digest(*, number: str, code: str, key: str | bytes | None = None) -> str:
    """Return the keyed digest of a code for one order of this brand.

    A code is short, so a plain hash could be searched through; without the key it cannot.
    """
    normal = code.translate(_IGNORED).upper()
    salt = f"partners.orders.code:{current_schema()}:{number}"
    return salted_hmac(salt, normal, secret=key, algorithm="sha256").hexdigest()


def check(*, order: FulfilmentOrder, code: str, at: datetime) -> None:
    """Pass when the code is the member's.

    Each try is counted before the code is looked at, so that parallel guesses cannot pass the
    limit; a right code clears the count.

    :raises WrongCodeError: if it is another code.
    :raises TooManyCodesError: after five wrong ones in 15 minutes, also for a right one.
    """
    with _own_cursor() as cursor:
        attempts = _count(cursor, order.pk, at)
        for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]:
            if constant_time_compare(
                digest(number=order.number, code=code, key=key), order.verification_digest
            ):
                cursor.execute(
                    "UPDATE partners_codeattempts SET attempts = 0 WHERE order_id = %s", [order.pk]
                )
                return
    raise WrongCodeError(attempts_left=LIMIT - attempts, pointer="/code")


def _count(cursor: Any, order_id: int, at: datetime) -> int:
    """Count one more try and return how many there are now; refuse when they are used up."""
    cursor.execute(
        "INSERT INTO partners_codeattempts AS c (order_id, window_started_at, attempts)"
        " VALUES (%(order)s, %(at)s, 1)"
        " ON CONFLICT (order_id) DO UPDATE SET"
        " attempts = CASE WHEN c.window_started_at > %(since)s THEN c.attempts + 1 ELSE 1 END,"
        " window_started_at ="
        " CASE WHEN c.window_started_at > %(since)s THEN c.window_started_at ELSE %(at)s END"
        " WHERE c.attempts < %(limit)s OR c.window_started_at <= %(since)s"
        " RETURNING attempts",
        {"order": order_id, "at": at, "since": at - WINDOW, "limit": LIMIT},
    )
    row = cursor.fetchone()
    if row is not None:
        return int(row[0])
    cursor.execute(
        "SELECT window_started_at FROM partners_codeattempts WHERE order_id = %s", [order_id]
    )
    (started_at,) = cursor.fetchone()
    wait = started_at + WINDOW - at
    raise TooManyCodesError(retry_after=max(int(wait.total_seconds()), 1))


@contextmanager
def _own_cursor() -> Iterator[Any]:
    """Open a cursor whose work stays when the caller's transaction is rolled back.

    Inside a transaction that takes a second connection for two short statements. They touch no
    row that a transaction of ours keeps locked, so the two cannot wait for each other.
    """
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            yield cursor
        return
    own: Any = connection.copy()
    own.set_schema(current_schema())
    try:
        with own.cursor() as cursor:
            yield cursor
    finally:
        own.close()
