"""Webhook endpoints and the feed of events: the same for both APIs, by owner."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, BrandView, PartnerView, int_cursor, key_of, page, page_limit, write
from api.fields import StrictSerializer, StrictText
from api.openapi import PROBLEMS, ListOf
from core import clock
from tenants.events import webhooks
from tenants.events.models import Event, WebhookDelivery, WebhookEndpoint
from tenants.events.queries import list_events


class EndpointIn(StrictSerializer):
    """Where events are sent; without types, all of them."""

    url = StrictText(max_length=500)
    description = StrictText(max_length=120, required=False, allow_blank=True, default="")
    event_types = serializers.ListField(
        child=StrictText(max_length=60), required=False, default=list, max_length=100
    )


class EndpointOut(serializers.Serializer[Any]):
    """An endpoint; `secret` only when it was just made."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    event_types = serializers.ListField(child=serializers.CharField())
    is_enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_blank=True)
    secret = serializers.CharField(required=False)


class DeliveryOut(serializers.Serializer[Any]):
    """One event on its way to one endpoint."""

    id = serializers.IntegerField()
    event = serializers.UUIDField()
    type = serializers.CharField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    last_status = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)
    due_at = serializers.DateTimeField()


class EventOut(serializers.Serializer[Any]):
    """Something that happened, with its data; kept for 30 days."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    subject = serializers.CharField()
    timestamp = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]


def _endpoint(row: WebhookEndpoint, *, secret: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": row.pk,
        "url": row.url,
        "description": row.description,
        "event_types": row.event_types,
        "is_enabled": row.is_enabled,
        "disabled_reason": row.disabled_reason,
    }
    if secret:
        body["secret"] = secret
    return body


def _delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event": str(row.event.uuid),
        "type": row.event.type,
        "state": row.state,
        "attempts": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "due_at": row.due_at.isoformat(),
    }


def _event(row: Event) -> dict[str, Any]:
    return {
        "id": str(row.uuid),
        "type": row.type,
        "subject": row.subject,
        "timestamp": row.at.isoformat(),
        "data": row.data,
    }


class _Owned(ApiView):
    """An endpoint of either API; the owner is the caller."""

    @property
    def owner_id(self) -> int | None:
        return key_of(self.request).owner_id


class Endpoints(_Owned):
    """Where events are sent."""

    scopes = {"GET": "webhooks:read", "POST": "webhooks:write"}

    @extend_schema(operation_id="endpoints_list", responses={200: ListOf(EndpointOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List your endpoints."""
        rows = webhooks.list_endpoints(owner_id=self.owner_id)
        return Response({"items": [_endpoint(row) for row in rows], "next": None})

    @extend_schema(
        operation_id="endpoints_create",
        request=EndpointIn,
        responses={201: EndpointOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Add an endpoint; its signing secret is in the answer and nowhere else."""
        checked = EndpointIn(data=request.data)
        checked.is_valid(raise_exception=True)
        row = webhooks.create_endpoint(
            owner_id=self.owner_id,
            by=self.actor(request),
            at=clock.now(),
            **checked.validated_data,
        )
        return Response(_endpoint(row, secret=row.secret), status=201)


class EndpointDetail(_Owned):
    """One endpoint."""

    scopes = {"GET": "webhooks:read", "PUT": "webhooks:write", "DELETE": "webhooks:write"}

    @extend_schema(operation_id="endpoints_get", responses={200: EndpointOut, **PROBLEMS})
    def get(self, request: Request, endpoint_id: int) -> Response:
        """Return an endpoint of yours."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        return Response(_endpoint(row))

    @extend_schema(
        operation_id="endpoints_put", request=EndpointIn, responses={200: EndpointOut, **PROBLEMS}
    )
    @write()
    def put(self, request: Request, endpoint_id: int) -> Response:
        """Change address, description and types."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        checked = EndpointIn(data=request.data)
        checked.is_valid(raise_exception=True)
        row = webhooks.update_endpoint(
            endpoint=row, by=self.actor(request), at=clock.now(), **checked.validated_data
        )
        return Response(_endpoint(row))

    @extend_schema(operation_id="endpoints_delete", request=None, responses={204: None, **PROBLEMS})
    def delete(self, request: Request, endpoint_id: int) -> Response:
        """Remove an endpoint with its deliveries."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        webhooks.delete_endpoint(endpoint=row, by=self.actor(request), at=clock.now())
        return Response(status=204)


class EndpointSecret(_Owned):
    """The signing secret."""

    scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="endpoints_rotate_secret",
        request=None,
        responses={200: EndpointOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, endpoint_id: int) -> Response:
        """Rotate the secret; both are signed with for 24 hours."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        secret = webhooks.rotate_secret(endpoint=row, by=self.actor(request), at=clock.now())
        return Response(_endpoint(row, secret=secret))


class EndpointTest(_Owned):
    """A trial."""

    scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="endpoints_test", request=None, responses={202: DeliveryOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, endpoint_id: int) -> Response:
        """Send a test event to the endpoint."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        delivery = webhooks.send_test(endpoint=row, by=self.actor(request), at=clock.now())
        return Response(_delivery(delivery), status=202)


class Deliveries(_Owned):
    """What was sent to an endpoint."""

    scopes = {"GET": "webhooks:read"}

    @extend_schema(operation_id="deliveries_list", responses={200: ListOf(DeliveryOut), **PROBLEMS})
    def get(self, request: Request, endpoint_id: int) -> Response:
        """List the last deliveries with their tries, newest first."""
        row = webhooks.get_endpoint(endpoint_id=endpoint_id, owner_id=self.owner_id)
        rows = webhooks.list_deliveries(endpoint=row, limit=page_limit(request))
        return Response({"items": [_delivery(found) for found in rows], "next": None})


class DeliveryReplay(_Owned):
    """Sending again."""

    scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="deliveries_replay", request=None, responses={202: DeliveryOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, delivery_id: int) -> Response:
        """Send a delivery again, also one that was given up."""
        row = webhooks.get_delivery(delivery_id=delivery_id, owner_id=self.owner_id)
        return Response(
            _delivery(webhooks.replay(delivery=row, by=self.actor(request), at=clock.now())),
            status=202,
        )


class Events(_Owned):
    """What happened."""

    scopes = {"GET": "events:read"}

    @extend_schema(
        operation_id="events_list",
        parameters=[
            OpenApiParameter("type", str, description="Types, separated by commas."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(EventOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List events of the last 30 days, oldest first: reconcile from here."""
        limit = page_limit(request)
        types = [t for t in request.query_params.get("type", "").split(",") if t]
        found = list_events(
            after=int_cursor(request.query_params.get("cursor")),
            types=types,
            owner_id=self.owner_id,
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda event: event.pk)
        body["items"] = [_event(event) for event in body["items"]]
        return Response(body)


def for_brand(view: type[_Owned]) -> type[ApiView]:
    """Return the view for a brand's own systems."""
    return type(f"Brand{view.__name__}", (view, BrandView), {"__doc__": view.__doc__})


def for_partner(view: type[_Owned]) -> type[ApiView]:
    """Return the view for one partner."""
    return type(f"Partner{view.__name__}", (view, PartnerView), {"__doc__": view.__doc__})
