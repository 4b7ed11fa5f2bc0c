"""How each room's rows follow when two members become one: filled in `AppConfig.ready`.

A merge calls all movers in the order of registration, in its transaction, after the points; an
undo calls them in the opposite order, before the points. Moving may happen again for a merge that
holds: rows that were written late, by someone who had read the member before, then follow.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from core.actors import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """One merge at work, or its undoing: who stays, who goes, on whose behalf and when."""

    merge_id: int
    survivor_id: int
    merged_id: int
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """How the rows of one kind move.

    `move` takes to the survivor what is the merged member's and returns how many rows; `give_back`
    returns what that merge took. `left` gives the merged members, of those that are merged, who
    still have rows. `tables` names the tables whose references to members this takes care of.
    """

    name: str
    tables: frozenset[str]
    move: Callable[[Merging], int]
    give_back: Callable[[Merging], int]
    left: Callable[[], Iterable[int]]


_movers: dict[str, Mover] = {}
# Tables whose rows stay with the merged member, and why.
_staying: dict[str, str] = {}

_MOVE = """
WITH moved AS (
    UPDATE {table} SET {column} = %(survivor)s
    WHERE {column} = %(merged)s AND {only} RETURNING {key}
)
INSERT INTO members_mergemove (merge_id, mover, row_id) SELECT %(merge)s, %(name)s, {key} FROM moved
ON CONFLICT DO NOTHING
"""
_GIVE_BACK = """
UPDATE {table} SET {column} = %(merged)s FROM members_mergemove AS move
WHERE move.merge_id = %(merge)s AND move.mover = %(name)s AND move.row_id = {table}.{key}
    AND {table}.{column} = %(survivor)s
"""
_LEFT = """
SELECT DISTINCT {column} FROM {table}
WHERE {column} IN (SELECT id FROM members_member WHERE status = 'merged')
"""


def register_mover(mover: Mover) -> None:
    """Register how rows move; registering the name again replaces it."""
    _movers[mover.name] = mover


def register_rows(
    name: str, *, table: str, column: str = "member_id", key: str = "id", only: str = "TRUE"
) -> None:
    """Register a table whose rows move by changing one column, which has an index.

    `only` is a condition of trusted SQL on the rows that move, where `%(survivor)s` is the
    survivor; the others stay, so nobody can tell which were written late.
    """
    names = {"table": table, "column": column, "key": key}

    def move(merging: Merging) -> int:
        return run(_MOVE.format(only=only, **names), merging, name=name)

    def give_back(merging: Merging) -> int:
        return run(_GIVE_BACK.format(**names), merging, name=name)

    def left() -> list[int]:
        return ids(_LEFT.format(**names)) if only == "TRUE" else []

    register_mover(
        Mover(name=name, tables=frozenset({table}), move=move, give_back=give_back, left=left)
    )


def register_staying(table: str, *, why: str) -> None:
    """Say that the rows of a table stay with the member who was merged, and why."""
    _staying[table] = why


def list_movers() -> list[Mover]:
    """Return all movers in the order of registration."""
    return list(_movers.values())


def list_covered() -> set[str]:
    """Return the tables of which a room has said what becomes of their rows."""
    return set(_staying).union(*(mover.tables for mover in _movers.values()))


def run(statement: str, merging: Merging, **more: str | int) -> int:
    """Run a statement with the keys of a merge as parameters; return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "merge": merging.merge_id,
                "survivor": merging.survivor_id,
                "merged": merging.merged_id,
                **more,
            },
        )
        return int(cursor.rowcount)


def ids(statement: str) -> list[int]:
    """Return the first column of a query."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]
