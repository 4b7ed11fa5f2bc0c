"""Who wants to know of what happened; filled in `AppConfig.ready`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenants.events.models import Event

# Runs inside the brand in a transaction of its own, together with the note that it has run: at
# most one effect for each event. Must not call other machines.
EventHandler = Callable[[Event], None]
# The same for many events at once, oldest first, in one transaction for all of them. When it
# fails, nothing is kept and the events are given to it one by one.
EventsHandler = Callable[[Sequence[Event]], None]
# Gives the owners (partners) who may hear of an event; the brand itself hears of all.
Audience = Callable[[Event], list[int]]


@dataclass(frozen=True, slots=True)
class RegisteredHandler:
    """A handler, its stable name, and the event types that it wants."""

    name: str
    types: frozenset[str]
    handle_many: EventsHandler
    takes_many: bool
    given: object

    def handle(self, event: Event) -> None:
        """Handle one event."""
        self.handle_many([event])


_handlers: dict[str, RegisteredHandler] = {}
_audiences: list[Audience] = []


def on_event(*types: str, name: str) -> Callable[[EventHandler], EventHandler]:
    """Register a handler for event types; the name is stored and must never change."""

    def decorate(handler: EventHandler) -> EventHandler:
        def one_by_one(events: Sequence[Event]) -> None:
            for event in events:
                handler(event)

        _add(types, name, one_by_one, takes_many=False, given=handler)
        return handler

    return decorate


def on_events(*types: str, name: str) -> Callable[[EventsHandler], EventsHandler]:
    """Register a handler that takes many events at once; otherwise the same."""

    def decorate(handler: EventsHandler) -> EventsHandler:
        _add(types, name, handler, takes_many=True, given=handler)
        return handler

    return decorate


def list_handlers(event_type: str) -> list[RegisteredHandler]:
    """Return the handlers of an event type that take their events one by one, by name."""
    return [
        handler
        for name, handler in sorted(_handlers.items())
        if event_type in handler.types and not handler.takes_many
    ]


def list_batch_handlers() -> list[RegisteredHandler]:
    """Return the handlers that take many events at once, by name."""
    return [handler for name, handler in sorted(_handlers.items()) if handler.takes_many]


def _add(
    types: tuple[str, ...], name: str, handler: EventsHandler, *, takes_many: bool, given: object
) -> None:
    known = _handlers.get(name)
    if known is not None and known.given is not given:
        raise ValueError(f"The handler {name!r} is registered twice.")
    _handlers[name] = RegisteredHandler(
        name=name, types=frozenset(types), handle_many=handler, takes_many=takes_many, given=given
    )


def register_audience(audience: Audience) -> Audience:
    """Register who, besides the brand, may hear of an event at their webhook endpoints."""
    if audience not in _audiences:
        _audiences.append(audience)
    return audience


def list_audience(event: Event) -> set[int]:
    """Return the owners who may hear of an event."""
    return {owner for audience in _audiences for owner in audience(event)}
