"""The outbox: writing down what happened, and bringing it to those who want to know."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.ids import uuid7
from tenants.brands.context import current_brand
from tenants.events._relay import MAX_ATTEMPTS, deliver_pending
from tenants.events.errors import InvalidEventError
from tenants.events.models import Event
from tenants.jobs.publishing import poke
from tenants.jobs.registry import JobRun

__all__ = [
    "KEEP",
    "MAX_ATTEMPTS",
    "RELAY_QUEUE",
    "RELAY_TASK",
    "deliver_pending",
    "emit",
    "emit_each",
    "emit_many",
    "purge",
    "purge_job",
]

RELAY_TASK = "events.relay"
# Its own queue, so that what just happened does not wait behind long jobs.
RELAY_QUEUE = "events"
KEEP = timedelta(days=30)
_TYPE = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_CHUNK = 5000
_PURGES = (
    (
        "WITH old AS (SELECT id FROM events_event WHERE at < %(before)s "
        "AND delivered_at IS NOT NULL ORDER BY id LIMIT %(chunk)s), "
        "gone AS (DELETE FROM events_webhookdelivery d USING old WHERE d.event_id = old.id) "
        "DELETE FROM events_event e USING old WHERE e.id = old.id"
    ),
    (
        "DELETE FROM events_eventhandling WHERE id IN (SELECT id FROM events_eventhandling "
        "WHERE at < %(before)s AND (done OR retry_at IS NULL) ORDER BY id LIMIT %(chunk)s)"
    ),
    (
        "DELETE FROM events_idempotencykey WHERE id IN (SELECT id FROM events_idempotencykey "
        "WHERE created_at < %(before)s ORDER BY created_at LIMIT %(chunk)s)"
    ),
)


def emit(*, type: str, subject: str, data: Mapping[str, Any], at: datetime) -> Event:  # noqa: A002
    """Write an event in the caller's transaction; it is delivered after the commit.

    `subject` is an opaque key such as `member:12`; `data` holds JSON values without personal
    data.

    :raises NoBrandError: outside a brand.
    :raises InvalidEventError: for a type or subject of another form.
    """
    brand = current_brand()
    if not _TYPE.fullmatch(type) or len(type) > 60 or not subject or len(subject) > 80:
        raise InvalidEventError(f"{type!r} {subject!r}")
    event = Event.objects.create(uuid=uuid7(), type=type, subject=subject, data=dict(data), at=at)
    _poke_after_commit(brand.schema_name)
    return event


def emit_many(
    *,
    type: str,  # noqa: A002
    events: Iterable[tuple[str, Mapping[str, Any]]],
    at: datetime,
) -> int:
    """Write many events of one type, each a subject and its data, in one statement.

    Otherwise the same as `emit` for each of them, in their order. Return how many.

    :raises NoBrandError: outside a brand.
    :raises InvalidEventError: for a type or subject of another form; nothing is written then.
    """
    brand = current_brand()
    subjects: list[str] = []
    bodies: list[str] = []
    for subject, data in events:
        if not subject or len(subject) > 80:
            raise InvalidEventError(f"{type!r} {subject!r}")
        subjects.append(subject)
        bodies.append(json.dumps(data))
    if not _TYPE.fullmatch(type) or len(type) > 60:
        raise InvalidEventError(f"{type!r}")
    if not subjects:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (uuid, type, subject, data, at) "
            "SELECT uuidv7(), %s, e.subject, e.data::jsonb, %s "
            "FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS e (subject, data, number) "
            "ORDER BY e.number",
            [type, at, subjects, bodies],
        )
    _poke_after_commit(brand.schema_name)
    return len(subjects)


def emit_each(*, events: Iterable[tuple[str, str, Mapping[str, Any]]], at: datetime) -> int:
    """Write events of different types (type, subject, data) in one statement, in their order.

    :raises NoBrandError: outside a brand.
    :raises InvalidEventError: for a type or subject of another form; nothing is written then.
    """
    brand = current_brand()
    given = [(kind, subject, json.dumps(data)) for kind, subject, data in events]
    for kind, subject, _body in given:
        if not _TYPE.fullmatch(kind) or len(kind) > 60 or not subject or len(subject) > 80:
            raise InvalidEventError(f"{kind!r} {subject!r}")
    if not given:
        return 0
    with connection.cursor() as cursor:
        # Few rows, which every purchase writes: plain values are planned in no time.
        rows = ", ".join(["(uuidv7(), %s, %s, %s, %s)"] * len(given))
        cursor.execute(
            f"INSERT INTO events_event (uuid, type, subject, data, at) VALUES {rows}",  # noqa: S608
            [value for event in given for value in (*event, at)],
        )
    _poke_after_commit(brand.schema_name)
    return len(given)


def purge(*, at: datetime) -> int:
    """Delete events, their notes and idempotency keys older than 30 days; return how many."""
    count = 0
    for statement in _PURGES:
        while True:
            with connection.cursor() as cursor:
                cursor.execute(statement, {"before": at - KEEP, "chunk": _CHUNK})
                count += cursor.rowcount
                if cursor.rowcount < _CHUNK:
                    break
    return count


def purge_job(run: JobRun) -> None:
    """Job `events.purge`."""
    count = purge(at=run.at)
    run.complete({"deleted": count})


class _Poke:
    """Asks a worker to relay a brand's events; equal pokes are made once per transaction."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    def __call__(self) -> None:
        poke(RELAY_TASK, schema=self.schema, queue=RELAY_QUEUE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Poke) and other.schema == self.schema

    def __hash__(self) -> int:
        return hash(self.schema)


def _poke_after_commit(schema: str) -> None:
    poke = _Poke(schema)
    if all(func != poke for _sids, func, *_ in connection.run_on_commit):
        transaction.on_commit(poke)
