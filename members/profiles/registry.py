"""What the rooms hold about members: for the export of a member's data, and for erasing it.

Each room registers its tables in `AppConfig.ready`; this room does so for lower ones, which know
no members. A test holds that no table with a reference to a member is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from django.apps import apps
from django.db.models import Q, QuerySet
from django.utils.functional import Promise

from members.profiles._traces import Traces

__all__ = ["DELETE", "KEEP", "MemberTable", "Obstacle", "TraceStep", "Traces"]

# A row that stays as it is: a fact of the programme in which nothing names the person.
KEEP: Final = "keep"
# A row that goes as a whole.
DELETE: Final = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTable:
    """One table with rows about members.

    `member` is the path from a row to the member's key; `rows` replaces it where there is no
    such path. `erase` is `KEEP`, `DELETE`, or the fields that name the person with what they
    become; `erase_where` limits that. `also` are paths to what a row's keys stand for, such as
    `benefit__code`, with what people call it. `hidden` fields are left out of the export: digests and
    the like, which tell a person nothing.
    """

    model: str
    title: str | Promise
    member: str = "member_id"
    erase: str | Mapping[str, Any] = KEEP
    erase_where: Q = field(default_factory=Q)
    hidden: frozenset[str] = frozenset()
    also: Mapping[str, str | Promise] = field(default_factory=dict)
    rows: Callable[[int], "QuerySet[Any]"] | None = None

    def rows_of(self, member_id: int) -> "QuerySet[Any]":
        """Return the rows about one member, oldest first."""
        if self.rows is not None:
            return self.rows(member_id).order_by("pk")
        manager: Any = apps.get_model(self.model)._default_manager  # noqa: SLF001  (any model's)
        found: QuerySet[Any] = manager.filter(**{self.member: member_id}).order_by("pk")
        return found


class TraceStep(Protocol):
    """Looks for traces in what has no reference to a member; returns how many places it emptied.

    Runs in a transaction of its own and may run again.
    """

    def __call__(self, *, traces: Traces, at: datetime) -> int: ...


# Says why a member can not be erased yet, such as goods under way; None when nothing is in the way.
Obstacle = Callable[[int], str | Promise | None]

_tables: dict[str, MemberTable] = {}
_steps: dict[str, TraceStep] = {}
_obstacles: list[Obstacle] = []


def register_member_table(table: MemberTable) -> None:
    """Tell what a table holds about members. A second registration of it is a mistake."""
    if _tables.setdefault(table.model, table) is not table:
        raise ValueError(f"{table.model} is registered twice")


def register_trace_step(name: str, step: TraceStep) -> None:
    """Add a place where erased values are looked for; the name appears in the report."""
    if _steps.setdefault(name, step) is not step:
        raise ValueError(f"{name} is registered twice")


def register_obstacle(obstacle: Obstacle) -> None:
    """Add a function that says why a member can not be erased yet."""
    if obstacle not in _obstacles:
        _obstacles.append(obstacle)


def list_member_tables() -> list[MemberTable]:
    """Return all tables, those of lower rooms first."""
    return list(_tables.values())


def list_trace_steps() -> dict[str, TraceStep]:
    """Return the places where erased values are looked for."""
    return dict(_steps)


def list_obstacles() -> list[Obstacle]:
    """Return the functions that may hold an erasure up."""
    return list(_obstacles)
