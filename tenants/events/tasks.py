"""Celery tasks of this room."""

import time
from datetime import datetime

from celery import shared_task
from django.db import connection

from core import clock
from tenants.brands.context import current_schema
from tenants.brands.queries import list_brands
from tenants.events import operations, webhooks
from tenants.jobs.publishing import publish, take_up
from tenants.jobs.tasks import BrandTask, PlatformTask

_SCHEMAS_PER_QUERY = 200
# How long one brand may keep a worker that others wait for.
_TURN_SECONDS = 5.0


@shared_task(base=BrandTask, name=operations.RELAY_TASK)
def relay() -> None:
    """Bring the brand's events to their handlers, until none is left or other brands' turn comes."""
    schema = current_schema()
    take_up(operations.RELAY_TASK, schema=schema)
    until = time.monotonic() + _TURN_SECONDS
    while operations.deliver_pending(at=clock.now()):
        if time.monotonic() > until:
            publish(operations.RELAY_TASK, schema=schema, queue=operations.RELAY_QUEUE)
            return


@shared_task(base=BrandTask, name=webhooks.SEND_TASK)
def send_webhooks() -> None:
    """Call the endpoints of the brand's due deliveries."""
    webhooks.deliver_due(at=clock.now())


@shared_task(base=BrandTask, name=webhooks.PROBE_TASK)
def probe_webhooks() -> None:
    """Call the brand's failing endpoints, each once."""
    webhooks.probe_failing(at=clock.now())


@shared_task(base=PlatformTask, name="events.sweep")
def sweep() -> None:
    """Find brands with undelivered events or due webhooks, whose pokes were lost or are later.

    One query for many brands: the indexes it reads hold nothing but what waits.
    """
    schemas = [brand.schema_name for brand in list_brands()]
    for first in range(0, len(schemas), _SCHEMAS_PER_QUERY):
        for schema, has_events, has_webhooks in _waiting(
            schemas[first : first + _SCHEMAS_PER_QUERY]
        ):
            if has_events:
                publish(operations.RELAY_TASK, schema=schema, queue=operations.RELAY_QUEUE)
            if has_webhooks:
                for task in (webhooks.SEND_TASK, webhooks.PROBE_TASK):
                    publish(task, schema=schema, queue=webhooks.QUEUE)


def _waiting(schemas: list[str]) -> list[tuple[str, bool, bool]]:
    quote = connection.ops.quote_name
    parts = [
        f"SELECT %s, EXISTS (SELECT 1 FROM {quote(schema)}.events_event "  # noqa: S608
        "WHERE delivered_at IS NULL), "
        f"EXISTS (SELECT 1 FROM {quote(schema)}.events_webhookdelivery "
        "WHERE state = 'pending' AND due_at <= %s)"
        for schema in schemas
    ]
    parameters: list[str | datetime] = []
    for schema in schemas:
        parameters += [schema, clock.now()]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        found: list[tuple[str, bool, bool]] = cursor.fetchall()
        return found
