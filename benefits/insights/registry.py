"""What higher rooms add: cards on the console's to-do list, and which partner did what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Todo:
    """Something that waits for a person.

    `kind` and `subject_id` let the console make the link; `count` says how many there are.
    """

    kind: str
    text: str | Promise
    badge: str | Promise
    severity: str = "warning"
    subject_id: int | None = None
    count: int = 1


_sources: list[Callable[[datetime], list[Todo]]] = []


def register_todo(source: Callable[[datetime], list[Todo]]) -> None:
    """Add a function that returns what waits now; at most one query each."""
    _sources.append(source)


def collect(at: datetime) -> list[Todo]:
    """Return all cards, in the order of registration."""
    return [todo for source in _sources for todo in source(at)]


_partner_sources: dict[str, str] = {}


def register_partner_source(name: str, sql: str) -> None:
    """Let a room say who fulfilled a redemption: a query that gives (redemption_id, value)."""
    _partner_sources[name] = sql


def list_partner_sources() -> list[str]:
    """Return the queries, by the names of their rooms."""
    return [sql for _name, sql in sorted(_partner_sources.items())]
