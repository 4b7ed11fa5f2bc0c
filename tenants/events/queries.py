"""Reading what happened: `GET …/events`, so that a receiver can catch up for 30 days."""

from collections.abc import Collection

from tenants.events.models import Event, EventHandling
from tenants.events.registry import list_audience


def list_events(
    *,
    after: int | None = None,
    types: Collection[str] = (),
    subject: str | None = None,
    owner_id: int | None = None,
    limit: int = 50,
) -> list[Event]:
    """Return events oldest first, those after the key `after`; `owner_id` limits to one partner's."""
    found = Event.objects.exclude(type="endpoint.test").order_by("id")
    if after is not None:
        found = found.filter(pk__gt=after)
    if types:
        found = found.filter(type__in=types)
    if subject is not None:
        found = found.filter(subject=subject)
    if owner_id is None:
        return list(found[:limit])
    mine: list[Event] = []
    for event in found.iterator(chunk_size=500):
        if owner_id in list_audience(event):
            mine.append(event)
            if len(mine) == limit:
                break
    return mine


def list_given_up(*, limit: int = 50) -> list[EventHandling]:
    """Return the handlings that failed ten times and wait for a person, newest first."""
    return list(
        EventHandling.objects.filter(done=False, retry_at__isnull=True).order_by("-id")[:limit]
    )
