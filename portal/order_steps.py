"""What happened to a booking, in the member's words: how we look for a provider is our matter."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from partners.orders.models import OrderTransition

_WORDS: dict[str, tuple[str | Promise, str, str]] = {
    "offered": (_("We ask a provider"), "send", "info"),
    "unassigned": (_("No provider is free yet"), "hourglass", "warn"),
    "accepted": (_("A provider has accepted"), "check", "ok"),
    "scheduled": (_("The appointment is set"), "calendar-event", "info"),
    "started": (_("It has begun"), "player-play", "info"),
    "fulfilled": (_("Done"), "circle-check", "ok"),
    "handed_back": (_("We look for another provider"), "refresh", "info"),
    "disputed": (_("We look into your objection"), "message-2", "warn"),
    "confirmed": (_("We have answered your objection"), "circle-check", "ok"),
    "undone": (_("You have the benefit back"), "refresh", "ok"),
    "failed": (_("It did not take place"), "circle-x", "bad"),
    "cancelled": (_("Called off"), "ban", "muted"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline."""

    title: str | Promise
    icon: str
    tone: str
    at: datetime


def steps_of(transitions: Iterable[OrderTransition]) -> list[Step]:
    """Return the steps that say something to the member, newest first; repeats count once."""
    found: list[Step] = []
    last = ""
    for transition in transitions:
        words = _WORDS.get(transition.event)
        if words is None or transition.event == last:
            continue
        last = transition.event
        found.append(Step(*words, at=transition.at))
    return found[::-1]
