"""The outbox: writing down what happened, and bringing it to those who want to know."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction

from core.ids import uuid7
from tenants.brands.context import current_brand
from tenants.events import webhooks
from tenants.events.errors import InvalidEventError
from tenants.events.models import Event, EventHandling
from tenants.events.registry import RegisteredHandler, list_handlers
from tenants.jobs.publishing import poke
from tenants.jobs.registry import JobRun

logger = structlog.get_logger(__name__)

RELAY_TASK = "events.relay"
KEEP = timedelta(days=30)
MAX_ATTEMPTS = 10
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
        cursor.execute(
            "INSERT INTO events_event (uuid, type, subject, data, at) "
            "SELECT uuidv7(), e.type, e.subject, e.data::jsonb, %s "
            "FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY "
            "AS e (type, subject, data, number) ORDER BY e.number",
            [at, *(list(column) for column in zip(*given, strict=True))],
        )
    _poke_after_commit(brand.schema_name)
    return len(given)


def deliver_pending(*, at: datetime, limit: int = 500) -> int:
    """Bring the current brand's undelivered events to their handlers; return how many are done.

    Each handler runs in a transaction of its own with the note that it has run, so it has its
    effect at most once, also with several relays at work. A handler that fails is tried again
    later, ten times in all; the others do not wait for it.
    """
    done = 0
    while done < limit:
        events = list(
            Event.objects.raw(
                "SELECT * FROM events_event e WHERE delivered_at IS NULL AND NOT EXISTS ("
                "SELECT 1 FROM events_eventhandling h WHERE h.event_uuid = e.uuid "
                "AND NOT h.done AND h.retry_at > %s) ORDER BY id LIMIT %s",
                [at, limit - done],
            )
        )
        if not events:
            break
        webhooks.queue_deliveries(events=events, at=at)
        delivered = [event.pk for event in events if _deliver(event, at)]
        Event.objects.filter(pk__in=delivered, delivered_at__isnull=True).update(delivered_at=at)
        # Those that failed wait for their next try: another round makes headway.
        done += len(delivered)
    return done


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


def _deliver(event: Event, at: datetime) -> bool:
    """Run all handlers of one event; return whether none is left to be tried again."""
    finished = True
    for handler in list_handlers(event.type):
        try:
            with transaction.atomic():
                if _take(event, handler, at):
                    handler.handle(event)
                elif _is_waiting(event, handler):
                    finished = False
        except Exception as error:  # noqa: BLE001 - the edge: one handler must not stop the rest
            finished = _note_failure(event, handler, error, at) and finished
    return finished


def _take(event: Event, handler: RegisteredHandler, at: datetime) -> bool:
    """Note that the handler has run; False when it already has (another relay waits here)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventhandling AS h "
            "(event_uuid, handler, at, attempts, done, error) VALUES (%s, %s, %s, 1, true, '') "
            "ON CONFLICT (event_uuid, handler) DO UPDATE SET done = true, at = excluded.at, "
            "attempts = h.attempts + 1, error = '', retry_at = NULL "
            "WHERE NOT h.done AND h.retry_at <= excluded.at RETURNING id",
            [event.uuid, handler.name, at],
        )
        return cursor.fetchone() is not None


def _is_waiting(event: Event, handler: RegisteredHandler) -> bool:
    """Tell whether the handler failed, with another relay just now, and will be tried again."""
    return EventHandling.objects.filter(
        event_uuid=event.uuid, handler=handler.name, done=False, retry_at__isnull=False
    ).exists()


def _note_failure(event: Event, handler: RegisteredHandler, error: Exception, at: datetime) -> bool:
    """Note a failure and when to try again; return whether it is given up."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventhandling AS h "
            "(event_uuid, handler, at, attempts, done, error, retry_at) "
            "VALUES (%(uuid)s, %(handler)s, %(at)s, 1, false, %(error)s, "
            "%(at)s + interval '10 seconds') "
            "ON CONFLICT (event_uuid, handler) DO UPDATE SET attempts = h.attempts + 1, "
            "at = excluded.at, error = excluded.error, retry_at = CASE "
            "WHEN h.attempts + 1 >= %(most)s THEN NULL "
            "ELSE excluded.at + interval '10 seconds' * 2 ^ h.attempts END "
            "WHERE NOT h.done RETURNING attempts",
            {
                "uuid": event.uuid,
                "handler": handler.name,
                "at": at,
                "error": f"{type(error).__name__}: {error}"[:2000],
                "most": MAX_ATTEMPTS,
            },
        )
        found = cursor.fetchone()
    attempts = found[0] if found else 0
    logger.error(
        "event_handler_failed",
        event_type=event.type,
        event_uuid=str(event.uuid),
        handler=handler.name,
        attempts=attempts,
        exc_info=error,
    )
    return bool(attempts >= MAX_ATTEMPTS or not found)


class _Poke:
    """Asks a worker to relay a brand's events; equal pokes are made once per transaction."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    def __call__(self) -> None:
        poke(RELAY_TASK, schema=self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Poke) and other.schema == self.schema

    def __hash__(self) -> int:
        return hash(self.schema)


def _poke_after_commit(schema: str) -> None:
    poke = _Poke(schema)
    if all(func != poke for _sids, func, *_ in connection.run_on_commit):
        transaction.on_commit(poke)
