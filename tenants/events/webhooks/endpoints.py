"""Endpoints, their secrets, and the deliveries that wait for them."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.ids import signing_secret, uuid7
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events import outbound
from tenants.events.errors import (
    EndpointDisabledError,
    InvalidEndpointError,
    UnknownEndpointError,
)
from tenants.events.models import Event, WebhookDelivery, WebhookEndpoint
from tenants.events.registry import list_audience
from tenants.jobs.publishing import publish

SEND_TASK = "events.send_webhooks"
PROBE_TASK = "events.probe_webhooks"
QUEUE = "outbound"
TEST_TYPE = "endpoint.test"
OVERLAP = timedelta(hours=24)
_TYPE = re.compile(r"[a-z][a-z_]*\.([a-z][a-z_]*|\*)")


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
        secret=signing_secret(),
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
    endpoint.secret = signing_secret()
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
