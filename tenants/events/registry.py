"""Who wants to know of what happened; filled in `AppConfig.ready`."""

from collections.abc import Callable
from dataclasses import dataclass

from tenants.events.models import Event

# Runs inside the brand in a transaction of its own, together with the note that it has run: at
# most one effect for each event. Must not call other machines.
EventHandler = Callable[[Event], None]
# Gives the owners (partners) who may hear of an event; the brand itself hears of all.
Audience = Callable[[Event], list[int]]


@dataclass(frozen=True, slots=True)
class RegisteredHandler:
    """A handler, its stable name, and the event types that it wants."""

    name: str
    types: frozenset[str]
    handle: EventHandler


_handlers: dict[str, RegisteredHandler] = {}
_audiences: list[Audience] = []


def on_event(*types: str, name: str) -> Callable[[EventHandler], EventHandler]:
    """Register a handler for event types; the name is stored and must never change."""

    def decorate(handler: EventHandler) -> EventHandler:
        known = _handlers.get(name)
        if known is not None and known.handle is not handler:
            raise ValueError(f"The handler {name!r} is registered twice.")
        _handlers[name] = RegisteredHandler(name=name, types=frozenset(types), handle=handler)
        return handler

    return decorate


def list_handlers(event_type: str) -> list[RegisteredHandler]:
    """Return the handlers of an event type, by name."""
    return [handler for name, handler in sorted(_handlers.items()) if event_type in handler.types]


def register_audience(audience: Audience) -> Audience:
    """Register who, besides the brand, may hear of an event at their webhook endpoints."""
    if audience not in _audiences:
        _audiences.append(audience)
    return audience


def list_audience(event: Event) -> set[int]:
    """Return the owners who may hear of an event."""
    return {owner for audience in _audiences for owner in audience(event)}
