"""Where values of an erased person may linger in the rooms below: events, answers, sessions."""

import json
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection

from members.profiles import _traces
from members.profiles._traces import Traces
from tenants.brands.context import current_brand

_CHUNK = 1_000
_STORE = import_module(settings.SESSION_ENGINE).SessionStore


def clean_events(*, traces: Traces, at: datetime) -> int:
    """Take the values out of the outbox, from which webhooks are written; and out of its errors."""
    count = 0
    wanted = _patterns(traces)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, data FROM events_event WHERE data::text LIKE ANY(%s)", [wanted])
        for key, data in cursor.fetchall():
            cleaned = traces.clean_json(_parsed(data))
            if cleaned != _parsed(data):
                cursor.execute(
                    "UPDATE events_event SET data = %s::jsonb WHERE id = %s",
                    [json.dumps(cleaned), key],
                )
                count += 1
    for table, column in (
        ("events_eventhandling", "error"),
        ("events_webhookdelivery", "last_error"),
    ):
        count += _clean_column(table, column, wanted, traces)
    return count


def clean_answers(*, traces: Traces, at: datetime) -> int:
    """Take the values out of the answers kept for repeated writes."""
    count = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.id, k.body FROM events_idempotencykey k WHERE EXISTS ("
            "SELECT 1 FROM unnest(%s::bytea[]) AS v (value) WHERE position(v.value IN k.body) > 0)",
            [[_traces.as_written(value).encode() for value in traces.all]],
        )
        for key, body in cursor.fetchall():
            content = json.loads(bytes(body))
            cleaned = traces.clean_json(content)
            if cleaned != content:
                text = json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
                cursor.execute(
                    "UPDATE events_idempotencykey SET body = %s WHERE id = %s",
                    [text.encode(), key],
                )
                count += 1
    return count


def clean_sessions(*, traces: Traces, at: datetime) -> int:
    """End the sessions that know the person's address, such as one that waits for its code."""
    gone = [
        session.session_key
        for session in _sessions()
        if any(
            _traces.as_written(value) in json.dumps(session.get_decoded(), ensure_ascii=False)
            for value in traces.names
            if _traces.is_telling(value)
        )
    ]
    for key in gone:
        # By its store, which may keep a copy in the cache.
        _STORE(key).delete()
    return len(gone)


def clean_jobs(*, traces: Traces, at: datetime) -> int:
    """Take the values out of what this brand's jobs were asked, answered and failed with."""
    count = 0
    wanted = _patterns(traces)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, parameters, result, error FROM public.jobs_job WHERE brand_id = %s "
            "AND (parameters::text LIKE ANY(%s) OR result::text LIKE ANY(%s) "
            "OR error LIKE ANY(%s))",
            [current_brand().pk, wanted, wanted, wanted],
        )
        for key, parameters, result, error in cursor.fetchall():
            cursor.execute(
                "UPDATE public.jobs_job SET parameters = %s::jsonb, result = %s::jsonb, "
                "error = %s WHERE id = %s",
                [
                    json.dumps(traces.clean_json(_parsed(parameters))),
                    json.dumps(traces.clean_json(_parsed(result))),
                    traces.clean_text(error),
                    key,
                ],
            )
            count += 1
    return count


def _sessions() -> Iterator[Session]:
    return Session.objects.iterator(chunk_size=_CHUNK)


def _patterns(traces: Traces) -> list[str]:
    return [
        "%"
        + _traces.as_written(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        + "%"
        for value in traces.all
    ]


def _clean_column(table: str, column: str, wanted: list[str], traces: Traces) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {column} FROM {table} WHERE {column} LIKE ANY(%s)",  # noqa: S608
            [wanted],
        )
        found = [
            (key, cleaned)
            for key, text in cursor.fetchall()
            if (cleaned := traces.clean_text(text)) != text
        ]
        for key, cleaned in found:
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE id = %s",  # noqa: S608
                [cleaned[:300], key],
            )
    return len(found)


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
