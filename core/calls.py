"""Several short statements in one way to the database and back.

On a busy machine each way there and back costs as much as the statement. Each of them sees what
those before it did, as if they were sent alone. They are sent as one text, with the values in it:
Django's default (`server_side_binding` would have to stay off).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Call:
    """A statement that returns one row, and its values."""

    sql: str
    values: Sequence[Any]


def run_calls(*calls: Call) -> list[tuple[Any, ...]]:
    """Run statements in their order, inside a transaction; return the row of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            ";\n".join(call.sql for call in calls),
            [value for call in calls for value in call.values],
        )
        rows: list[tuple[Any, ...]] = [cursor.fetchone()]
        while cursor.nextset():
            rows.append(cursor.fetchone())
    return rows
