"""What must hold for the events of a brand, at any time."""

from collections.abc import Callable
from datetime import timedelta

from core import clock
from tenants.events.models import Event
from tenants.events.queries import list_given_up

DEADLINE = timedelta(minutes=15)


def check_delivery() -> list[str]:
    """I8: no event waits long without a failure on record, and no handler was given up."""
    waiting = Event.objects.raw(
        "SELECT * FROM events_event e WHERE delivered_at IS NULL AND at < %s AND NOT EXISTS ("
        "SELECT 1 FROM events_eventhandling h WHERE h.event_uuid = e.uuid AND NOT h.done)",
        [clock.now() - DEADLINE],
    )
    return [
        *(f"event {event.pk} ({event}) waits since {event.at}" for event in waiting),
        *(f"handler {one.handler} gave up event {one.event_uuid}" for one in list_given_up()),
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {"I8 events": check_delivery}
