"""SQL of the rooms of this wing, kept in files of their own and read by migrations."""

import hashlib
from pathlib import Path

from django.db.migrations import RunSQL

_WING = Path(__file__).parents[1]


class ChangedSqlError(RuntimeError):
    """A file of SQL differs from what its migration was written for."""


def run_sql_file(name: str, *, digest: str, room: str = "points") -> RunSQL:
    """Return the migration step that runs a file of a room's SQL.

    `digest` is the start of the file's SHA-256. It makes the migration's own text change with the
    file, which the template of new brands is keyed by, and keeps a released file from being
    edited: brands that have run it would never get the change.

    :raises ChangedSqlError: if the file differs.
    """
    sql = (_WING / room / "sql" / name).read_bytes()
    found = hashlib.sha256(sql).hexdigest()
    if not digest or not found.startswith(digest):
        raise ChangedSqlError(f"{name} has digest {found[:16]}, its migration says {digest!r}")
    return RunSQL(sql=sql.decode(), reverse_sql=RunSQL.noop)
