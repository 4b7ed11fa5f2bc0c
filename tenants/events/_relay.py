"""Bringing events to their handlers: in batches where a handler can, one by one where not.

What a handler can do for many events at once it does first, for all that wait, so that it is not
held up by those that take their events one at a time.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import structlog
from django.db import connection, transaction

from tenants.events import webhooks
from tenants.events.models import Event, EventHandling
from tenants.events.registry import RegisteredHandler, list_batch_handlers, list_handlers

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 10
# Events that are read, and given to batch handlers, in one go.
_ROUND = 200
# So many may wait for handlers that take one at a time before new ones have to wait too.
_MOST_WAITING = 5_000
# After so long with events one by one, it looks whether there are new ones for batch handlers.
_SLICE_SECONDS = 0.05


def deliver_pending(*, at: datetime, limit: int = 500) -> int:
    """Bring the current brand's undelivered events to their handlers; return how many are done.

    Each handler runs in a transaction of its own with the note that it has run, so it has its
    effect at most once, also with several relays at work. A handler that fails is tried again
    later, ten times in all; the others do not wait for it.
    """
    # Taken up, and seen by the batch handlers; and those to be left for another time.
    waiting: dict[int, Event] = {}
    left: set[int] = set()
    done = 0
    while done < limit:
        room = min(_MOST_WAITING - len(waiting), _ROUND)
        events = _read(at, besides=[*waiting, *left], limit=room) if room > 0 else []
        if events:
            webhooks.queue_deliveries(events=events, at=at)
            failed = _deliver_together(events, at)
            left |= failed
            waiting |= {event.pk: event for event in events}
        if not waiting:
            break
        delivered = _deliver_some(waiting, left, at)
        Event.objects.filter(pk__in=delivered, delivered_at__isnull=True).update(delivered_at=at)
        done += len(delivered)
    return done


def _read(at: datetime, *, besides: Collection[int], limit: int) -> list[Event]:
    """Return undelivered events, oldest first, but not those whose handlers wait for a retry."""
    return list(
        Event.objects.raw(
            "SELECT * FROM events_event e WHERE delivered_at IS NULL AND id <> ALL(%s) "
            "AND NOT EXISTS (SELECT 1 FROM events_eventhandling h WHERE h.event_uuid = e.uuid "
            "AND NOT h.done AND h.retry_at > %s) ORDER BY id LIMIT %s",
            [list(besides), at, limit],
        )
    )


def _deliver_some(waiting: dict[int, Event], left: set[int], at: datetime) -> list[int]:
    """Run the handlers of one event after the other, for a moment; return what is delivered.

    Events that are done with are taken out of those that wait.
    """
    until = time.monotonic() + _SLICE_SECONDS
    delivered = []
    for key in sorted(waiting):
        if _deliver(waiting.pop(key), at) and key not in left:
            delivered.append(key)
        else:
            left.add(key)
        if time.monotonic() > until:
            break
    return delivered


def _deliver_together(events: Sequence[Event], at: datetime) -> set[int]:
    """Run all batch handlers; return the keys of events that one of them must be given again."""
    unfinished: set[int] = set()
    for handler in list_batch_handlers():
        mine = [event for event in events if event.type in handler.types]
        if not mine:
            continue
        try:
            with transaction.atomic():
                taken = _take_all(mine, handler, at)
                if taken:
                    handler.handle_many(taken)
        except Exception as error:
            logger.warning("event_batch_failed", handler=handler.name, exc_info=error)
            unfinished |= {event.pk for event in mine if not _run(event, handler, at)}
        else:
            if len(taken) < len(mine):
                unfinished |= _still_waiting(mine, handler)
    return unfinished


def _take_all(events: Sequence[Event], handler: RegisteredHandler, at: datetime) -> list[Event]:
    """Note that the handler has run for these; return those for which it had not.

    In the order of the events, so that two relays wait for each other and never in a circle.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_eventhandling AS h "
            "(event_uuid, handler, at, attempts, done, error) "
            "SELECT e.uuid, %(handler)s, %(at)s, 1, true, '' "
            "FROM unnest(%(uuids)s::uuid[]) WITH ORDINALITY AS e (uuid, number) ORDER BY e.number "
            "ON CONFLICT (event_uuid, handler) DO UPDATE SET done = true, at = excluded.at, "
            "attempts = h.attempts + 1, error = '', retry_at = NULL "
            "WHERE NOT h.done AND h.retry_at <= excluded.at RETURNING event_uuid",
            {"handler": handler.name, "at": at, "uuids": [event.uuid for event in events]},
        )
        taken = {row[0] for row in cursor.fetchall()}
    return [event for event in events if event.uuid in taken]


def _still_waiting(events: Sequence[Event], handler: RegisteredHandler) -> set[int]:
    """Return the keys of those for which the handler has failed and will be tried again."""
    uuids = EventHandling.objects.filter(
        event_uuid__in=[event.uuid for event in events],
        handler=handler.name,
        done=False,
        retry_at__isnull=False,
    ).values_list("event_uuid", flat=True)
    found = set(uuids)
    return {event.pk for event in events if event.uuid in found}


def _deliver(event: Event, at: datetime) -> bool:
    """Run the handlers of one event that take it alone; return whether none is to be tried again."""
    return _all_of(_run(event, handler, at) for handler in list_handlers(event.type))


def _all_of(outcomes: Iterable[bool]) -> bool:
    """Go through all of them, also past one that is not true."""
    return all([*outcomes])


def _run(event: Event, handler: RegisteredHandler, at: datetime) -> bool:
    """Run one handler for one event; return whether it need not be tried again."""
    try:
        with transaction.atomic():
            if _take(event, handler, at):
                handler.handle(event)
                return True
            return not _is_waiting(event, handler)
    except Exception as error:  # noqa: BLE001 - the edge: one handler must not stop the rest
        return _note_failure(event, handler, error, at)


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
