"""Telling other systems of events, as Standard Webhooks: signed, at least once, ten tries."""

from tenants.events.webhooks.endpoints import (
    PROBE_TASK,
    QUEUE,
    SEND_TASK,
    create_endpoint,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    get_delivery,
    get_endpoint,
    list_deliveries,
    list_endpoints,
    queue_deliveries,
    replay,
    rotate_secret,
    send_test,
    update_endpoint,
)
from tenants.events.webhooks.messages import (
    MAX_ATTEMPTS,
    RETRY_DELAYS,
    build_body,
    build_headers,
    retry_delay,
)
from tenants.events.webhooks.sending import deliver_due, probe_failing

__all__ = [
    "MAX_ATTEMPTS",
    "PROBE_TASK",
    "QUEUE",
    "RETRY_DELAYS",
    "SEND_TASK",
    "build_body",
    "build_headers",
    "create_endpoint",
    "delete_endpoint",
    "deliver_due",
    "disable_endpoint",
    "enable_endpoint",
    "get_delivery",
    "get_endpoint",
    "list_deliveries",
    "list_endpoints",
    "probe_failing",
    "queue_deliveries",
    "replay",
    "retry_delay",
    "rotate_secret",
    "send_test",
    "update_endpoint",
]
