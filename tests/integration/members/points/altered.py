"""SQL functions with a piece replaced: for negative controls, and to make the rare frequent."""

from django.db import connection


def alter_function(function: str, old: str, new: str) -> None:
    """Replace a piece of a SQL function, in the test's own schema or transaction only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [function])
        (source,) = cursor.fetchone()
        assert source.count(old) == 1, f"{old!r} stands there {source.count(old)} times"
        cursor.execute(source.replace(old, new))
