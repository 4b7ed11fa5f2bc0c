"""Telling other systems of events, as Standard Webhooks: signed, at least once, ten tries.

A delivery is a row per endpoint and event. It is claimed by pushing its due time ahead, then
called outside any transaction, then noted: a sender that dies in between sends it again.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import connection, transaction
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from core.actors import SYSTEM, Actor
from core.ids import uuid7
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events import outbound
from tenants.events._secrets import new_secret
from tenants.events.errors import (
    EndpointDisabledError,
    InvalidEndpointError,
    UnknownEndpointError,
)
from tenants.events.models import Event, WebhookDelivery, WebhookEndpoint
from tenants.events.registry import list_audience
from tenants.jobs.publishing import publish

logger = structlog.get_logger(__name__)

SEND_TASK = "events.send_webhooks"
QUEUE = "outbound"
TEST_TYPE = "endpoint.test"
# After the first try; with it ten tries in three days. Each ± 20 %.
RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
MAX_ATTEMPTS = len(RETRY_DELAYS) + 1
OVERLAP = timedelta(hours=24)
DISABLE_AFTER = timedelta(days=5)
# Longer than one call can take: a claimed delivery is not taken by another sender meanwhile.
_CLAIM = timedelta(seconds=120)
_TYPE = re.compile(r"[a-z][a-z_]*\.([a-z][a-z_]*|\*)")
_GONE = 410
_jitter = random.Random()  # noqa: S311 - spreads load, hides nothing


def create_endpoint(
    *,
    owner_id: int | None,
    url: str,
    event_types: Sequence[str] = (),
    description: str = "",
    by: Actor,
    at: datetime,
) -> WebhookEndpoint:
    """Add an address that is told of events; empty `event_types` means all.

    `owner_id` is a partner's key, or none for the brand. Types may end in `.*`.

    :raises InvalidEndpointError: for an address that we never call, or a type of another form.
    """
    _check_endpoint(url, event_types)
    endpoint = WebhookEndpoint.objects.create(
        owner_id=owner_id,
        url=url,
        description=description[:120],
        event_types=sorted(set(event_types)),
        secret=new_secret(),
    )
    _audit(endpoint, "webhook_endpoint.created", by, at, url=[None, url])
    return endpoint


def update_endpoint(
    *,
    endpoint: WebhookEndpoint,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    description: str | None = None,
    by: Actor,
    at: datetime,
) -> WebhookEndpoint:
    """Change an endpoint; what is not named stays.

    :raises InvalidEndpointError: as for `create_endpoint`.
    """
    new_url = endpoint.url if url is None else url
    new_types = endpoint.event_types if event_types is None else sorted(set(event_types))
    _check_endpoint(new_url, new_types)
    changes = {
        name: [old, new]
        for name, old, new in (
            ("url", endpoint.url, new_url),
            ("event_types", endpoint.event_types, new_types),
        )
        if old != new
    }
    endpoint.url, endpoint.event_types = new_url, new_types
    if description is not None:
        endpoint.description = description[:120]
    endpoint.save(update_fields=["url", "event_types", "description"])
    _audit(endpoint, "webhook_endpoint.changed", by, at, **changes)
    return endpoint


def rotate_secret(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> str:
    """Give an endpoint a new secret; for 24 hours calls carry both signatures."""
    endpoint.previous_secret = endpoint.secret
    endpoint.previous_secret_until = at + OVERLAP
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    _audit(endpoint, "webhook_endpoint.secret_rotated", by, at)
    return endpoint.secret


def disable_endpoint(
    *, endpoint: WebhookEndpoint, reason: str = "", by: Actor, at: datetime
) -> None:
    """Send nothing more to an endpoint; what waited for it becomes a dead letter."""
    with transaction.atomic():
        changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_enabled=True).update(
            is_enabled=False, disabled_reason=reason[:200]
        )
        if changed:
            WebhookDelivery.objects.filter(
                endpoint_id=endpoint.pk, state=WebhookDelivery.State.PENDING
            ).update(state=WebhookDelivery.State.DEAD, last_error="endpoint switched off")
            _audit(endpoint, "webhook_endpoint.disabled", by, at, reason=[None, reason])
    endpoint.refresh_from_db()


def enable_endpoint(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> None:
    """Send to an endpoint again; dead letters are replayed one by one."""
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_enabled=False).update(
        is_enabled=True, disabled_reason="", failing_since=None
    )
    if changed:
        _audit(endpoint, "webhook_endpoint.enabled", by, at)
    endpoint.refresh_from_db()


def delete_endpoint(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> None:
    """Remove an endpoint with its deliveries."""
    _audit(endpoint, "webhook_endpoint.deleted", by, at, url=[endpoint.url, None])
    endpoint.delete()


def send_test(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> WebhookDelivery:
    """Queue a call of type `endpoint.test` for this endpoint alone.

    :raises EndpointDisabledError: if it is switched off.
    """
    _refuse_disabled(endpoint)
    with transaction.atomic():
        event = Event.objects.create(
            uuid=uuid7(),
            type=TEST_TYPE,
            subject=f"webhook_endpoint:{endpoint.pk}",
            data={"asked_by": by.key},
            at=at,
            delivered_at=at,
        )
        delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, due_at=at)
        _send_after_commit()
    return delivery


def replay(*, delivery: WebhookDelivery, by: Actor, at: datetime) -> WebhookDelivery:
    """Send a delivery again with fresh tries: the same id and body, a new time and signature.

    :raises EndpointDisabledError: if the endpoint is switched off.
    """
    _refuse_disabled(delivery.endpoint)
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            state=WebhookDelivery.State.PENDING, attempts=0, due_at=at, delivered_at=None
        )
        _audit(delivery.endpoint, "webhook_delivery.replayed", by, at, delivery=[None, delivery.pk])
        _send_after_commit()
    delivery.refresh_from_db()
    return delivery


def queue_deliveries(*, events: Iterable[Event], at: datetime) -> int:
    """Make the delivery rows of events, once per endpoint and event; return how many are new."""
    endpoints = list(WebhookEndpoint.objects.filter(is_enabled=True))
    if not endpoints:
        return 0
    rows = []
    for event in events:
        audience: set[int] | None = None
        for endpoint in endpoints:
            if not _wants(endpoint, event.type):
                continue
            if endpoint.owner_id is not None:
                audience = list_audience(event) if audience is None else audience
                if endpoint.owner_id not in audience:
                    continue
            rows.append(WebhookDelivery(endpoint=endpoint, event=event, due_at=at))
    if not rows:
        return 0
    with transaction.atomic():
        before = WebhookDelivery.objects.filter(event__in=[row.event_id for row in rows]).count()
        WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
        after = WebhookDelivery.objects.filter(event__in=[row.event_id for row in rows]).count()
        _send_after_commit()
    return after - before


def deliver_due(*, at: datetime, limit: int = 100) -> int:
    """Call the endpoints of all due deliveries; return how many calls were made.

    Call it outside any transaction of your own: it waits for other machines.
    """
    count = 0
    for delivery_id in _claim(at, limit):
        delivery = WebhookDelivery.objects.select_related("endpoint", "event").get(pk=delivery_id)
        if not delivery.endpoint.is_enabled:
            _note(delivery, _Outcome(error="endpoint switched off", gives_up=True), at)
            continue
        _note(delivery, _call(delivery, at), at)
        count += 1
    return count


def get_endpoint(*, endpoint_id: int, owner_id: int | None) -> WebhookEndpoint:
    """Return an endpoint of this owner.

    :raises UnknownEndpointError: if there is none, or it is another owner's.
    """
    found = WebhookEndpoint.objects.filter(pk=endpoint_id, owner_id=owner_id).first()
    if found is None:
        raise UnknownEndpointError
    return found


def list_endpoints(*, owner_id: int | None) -> list[WebhookEndpoint]:
    """Return an owner's endpoints, oldest first."""
    return list(WebhookEndpoint.objects.filter(owner_id=owner_id).order_by("id"))


def get_delivery(*, delivery_id: int, owner_id: int | None) -> WebhookDelivery:
    """Return a delivery to one of this owner's endpoints.

    :raises UnknownEndpointError: if there is none, or it is another owner's.
    """
    found = (
        WebhookDelivery.objects.select_related("endpoint", "event")
        .filter(pk=delivery_id, endpoint__owner_id=owner_id)
        .first()
    )
    if found is None:
        raise UnknownEndpointError
    return found


def list_deliveries(
    *, endpoint: WebhookEndpoint, state: str | None = None, limit: int = 50
) -> list[WebhookDelivery]:
    """Return an endpoint's deliveries with their events, newest first."""
    found = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")
    if state is not None:
        found = found.filter(state=state)
    return list(found.order_by("-id")[:limit])


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one call."""

    status: int | None = None
    error: str = ""
    gives_up: bool = False

    @property
    def is_ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def _call(delivery: WebhookDelivery, at: datetime) -> _Outcome:
    body = build_body(delivery.event)
    headers = build_headers(delivery=delivery, body=body, at=at)
    try:
        reply = outbound.post(delivery.endpoint.url, body=body, headers=headers)
    except outbound.RefusedAddressError as refusal:
        return _Outcome(error=f"refused: {refusal}")
    except outbound.CallFailedError as failure:
        return _Outcome(error=str(failure))
    return _Outcome(status=reply.status)


def _claim(at: datetime, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_webhookdelivery SET attempts = attempts + 1, last_attempt_at = %s, "
            "due_at = %s WHERE id IN (SELECT id FROM events_webhookdelivery "
            "WHERE state = 'pending' AND due_at <= %s ORDER BY due_at, id LIMIT %s "
            "FOR UPDATE SKIP LOCKED) RETURNING id",
            [at, at + _CLAIM, at, limit],
        )
        return sorted(row[0] for row in cursor.fetchall())


def _note(delivery: WebhookDelivery, outcome: _Outcome, at: datetime) -> None:
    """Note what became of a call, unless the delivery has been claimed anew meanwhile."""
    endpoint = delivery.endpoint
    mine = WebhookDelivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, state=WebhookDelivery.State.PENDING
    )
    if outcome.is_ok:
        mine.update(
            state=WebhookDelivery.State.DELIVERED,
            last_status=outcome.status,
            last_error="",
            delivered_at=at,
        )
        WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=False).update(
            failing_since=None
        )
        return
    gives_up = outcome.gives_up or delivery.attempts >= MAX_ATTEMPTS
    mine.update(
        state=WebhookDelivery.State.DEAD if gives_up else WebhookDelivery.State.PENDING,
        due_at=at if gives_up else at + retry_delay(attempts=delivery.attempts),
        last_status=outcome.status,
        last_error=(outcome.error or f"answered {outcome.status}")[:300],
    )
    logger.warning(
        "webhook_failed",
        endpoint=endpoint.pk,
        delivery=delivery.pk,
        attempts=delivery.attempts,
        status=outcome.status,
        error=outcome.error,
        gives_up=gives_up,
    )
    if outcome.status == _GONE:
        disable_endpoint(endpoint=endpoint, reason="answered 410 Gone", by=SYSTEM, at=at)
        return
    WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=True).update(
        failing_since=at
    )
    if endpoint.failing_since is not None and endpoint.failing_since < at - DISABLE_AFTER:
        disable_endpoint(endpoint=endpoint, reason="failing for five days", by=SYSTEM, at=at)


def retry_delay(*, attempts: int) -> timedelta:
    """Return how long to wait after so many tries, ± 20 %."""
    delay = RETRY_DELAYS[min(attempts, len(RETRY_DELAYS)) - 1]
    return delay * _jitter.uniform(0.8, 1.2)


def _wants(endpoint: WebhookEndpoint, event_type: str) -> bool:
    if not endpoint.event_types:
        return True
    return event_type in endpoint.event_types or (
        f"{event_type.partition('.')[0]}.*" in endpoint.event_types
    )


def _check_endpoint(url: str, event_types: Sequence[str]) -> None:
    try:
        outbound.check_url(url)
    except outbound.RefusedAddressError as refusal:
        raise InvalidEndpointError(
            _("This address can not be called: %(reason)s.") % {"reason": refusal}, pointer="/url"
        ) from None
    for place, event_type in enumerate(event_types):
        if not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
            raise InvalidEndpointError(
                _("This is not an event type."), pointer=f"/event_types/{place}"
            )


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_enabled:
        raise EndpointDisabledError


def _audit(
    endpoint: WebhookEndpoint, action: str, by: Actor, at: datetime, **changes: list[object]
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="webhook_endpoint",
        target_id=endpoint.pk,
        changes=changes,
    )


def _send_after_commit() -> None:
    schema = current_brand().schema_name
    transaction.on_commit(lambda: publish(SEND_TASK, schema=schema, queue=QUEUE))
