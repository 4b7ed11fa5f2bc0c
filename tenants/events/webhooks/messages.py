"""What is sent: bodies, headers, signatures, and when to try again."""

import json
import random
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from tenants.events.models import Event, WebhookDelivery

# After the first try; with it ten tries in three days. Each ± 20 %.
RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
MAX_ATTEMPTS = len(RETRY_DELAYS) + 1
_jitter = random.Random()  # noqa: S311 - spreads load, hides nothing


def build_body(event: Event) -> bytes:
    """Return the body of an event's calls: the same bytes at each try."""
    body = {
        "type": event.type,
        "timestamp": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "data": event.data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def build_headers(*, delivery: WebhookDelivery, body: bytes, at: datetime) -> dict[str, str]:
    """Return the Standard Webhooks headers; two signatures while a secret is being rotated."""
    endpoint = delivery.endpoint
    message_id = f"msg_{delivery.event.uuid.hex}"
    secrets = [endpoint.secret]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret and until is not None and at < until:
        secrets.append(endpoint.previous_secret)
    moment = at.astimezone(UTC)
    signatures = [Webhook(one).sign(message_id, moment, body.decode()) for one in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def retry_delay(*, attempts: int) -> timedelta:
    """Return how long to wait after so many tries, ± 20 %."""
    delay = RETRY_DELAYS[min(attempts, len(RETRY_DELAYS)) - 1]
    return delay * _jitter.uniform(0.8, 1.2)
