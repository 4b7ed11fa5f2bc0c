"""Writes that can be repeated: the first answer is kept in the transaction of its effect."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection, transaction

from tenants.brands.context import current_schema
from tenants.events.errors import IdempotencyInFlightError, IdempotencyMismatchError
from tenants.events.models import IdempotencyKey


class Answer(Protocol):
    """What a write answered."""

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer, given again byte for byte."""

    status: int
    content_type: str
    body: bytes


def idempotent(
    *, scope: str, key: str, digest: str, at: datetime, produce: Callable[[], Answer]
) -> tuple[Answer, bool]:
    """Do a write once; return its answer, and whether that was given before.

    `scope` is the credential, `digest` the SHA-256 of method, path and body. The answer is stored
    in the transaction that `produce` runs in: after a crash either both its effect and the key
    exist, or neither. What `produce` raises leaves no trace of the key.

    :raises IdempotencyMismatchError: if the key came before with another digest.
    :raises IdempotencyInFlightError: if another request with the key is still running.
    """
    with transaction.atomic():
        _lock(scope, key)
        stored = IdempotencyKey.objects.filter(scope=scope, key=key).first()
        if stored is not None:
            if stored.digest != digest:
                raise IdempotencyMismatchError
            return StoredAnswer(stored.status, stored.content_type, bytes(stored.body)), True
        answer = produce()
        IdempotencyKey.objects.create(
            scope=scope,
            key=key,
            digest=digest,
            status=answer.status,
            content_type=answer.content_type,
            body=answer.body,
            created_at=at,
        )
        return answer, False


def _lock(scope: str, key: str) -> None:
    """Take a lock that ends with the transaction; brands, credentials and keys differ in it."""
    text = f"{current_schema()}\0{scope}\0{key}".encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise IdempotencyInFlightError
