"""A connection of one's own, beside Django's: not pooled, in no transaction, on `public`."""

from typing import Any

import psycopg
from django.db import connection


def connect_directly(*, database: str | None = None, settings: str = "") -> psycopg.Connection[Any]:
    """Open a connection in autocommit; the caller closes it.

    `settings` replaces the time limits of requests: `-c name=value …`. The search path is the
    server's own, so that tables named without a schema are those of `public`.
    """
    parameters = dict(connection.get_connection_params())
    for name in ("pool", "context", "cursor_factory"):
        parameters.pop(name, None)
    if database is not None:
        parameters["dbname"] = database
    if settings:
        parameters["options"] = settings
    return psycopg.connect(**parameters, autocommit=True)
