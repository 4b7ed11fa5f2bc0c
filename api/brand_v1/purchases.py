"""Purchases, refunds and activity events from the brand's shop systems."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import BatchIn, EventIn, PurchaseIn, RefundIn, clean
from api.openapi import PROBLEMS
from core import clock
from core.actors import Actor
from core.errors import DomainError
from core.money import UnsupportedCurrencyError
from members.activity.operations import Line, record_event
from members.earning.operations import record_purchase, record_refund
from members.earning.values import PurchaseOutcome
from tenants.brands.context import current_brand


def _record(data: dict[str, Any], *, by: Actor) -> PurchaseOutcome:
    return record_purchase(
        external_id=data["external_id"],
        member=member_of(data["member"]),
        occurred_at=data["occurred_at"],
        amount_minor=data["amount"]["amount"],
        currency=data["amount"]["currency"],
        channel=data["channel"],
        store_code=data["store"],
        associate=data["associate"],
        lines=[
            Line(
                sku=line["sku"],
                quantity=line["quantity"],
                amount_minor=line["amount"],
                category=line["category"],
                cost_minor=line.get("cost"),
            )
            for line in data["lines"]
        ],
        by=by,
        at=clock.now(),
    )


class Purchases(BrandView):
    """Purchases of members."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="purchases_create",
        request=PurchaseIn,
        responses={200: shapes.PurchaseOut, 201: shapes.PurchaseOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record a purchase: points, growth and tier follow at once. The same id counts once."""
        outcome = _record(clean(PurchaseIn, request.data), by=self.actor(request))
        return Response(shapes.purchase(outcome), status=201 if outcome.created else 200)


class PurchaseBatch(BrandView):
    """Many purchases at once."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="purchases_batch",
        request=BatchIn,
        responses={200: shapes.PurchaseBatchOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record up to 1,000 purchases, all or none; an error names the place in the list."""
        items = []
        for index, data in enumerate(clean(BatchIn, request.data)["purchases"]):
            try:
                items.append(shapes.purchase(_record(data, by=self.actor(request))))
            except DomainError as error:
                place = str(error.data.get("pointer", ""))
                error.data["pointer"] = f"/purchases/{index}{place}"
                raise
        return Response({"items": items})


class Refunds(BrandView):
    """Money given back for a purchase."""

    scopes = {"POST": "purchases:write"}

    @extend_schema(
        operation_id="refunds_create",
        request=RefundIn,
        responses={200: shapes.RefundOut, 201: shapes.RefundOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, external_id: str) -> Response:
        """Refund a purchase, wholly or in part; points and growth go back in proportion."""
        data = clean(RefundIn, request.data)
        if data["amount"]["currency"] != current_brand().currency:
            raise UnsupportedCurrencyError(pointer="/amount/currency")
        outcome = record_refund(
            purchase_external_id=external_id,
            external_id=data["external_id"],
            amount_minor=data["amount"]["amount"],
            occurred_at=data["occurred_at"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(shapes.refund(outcome), status=201 if outcome.created else 200)


class ActivityEvents(BrandView):
    """Named things that members did."""

    scopes = {"POST": "events:write", "GET": "events:read"}

    @extend_schema(
        operation_id="events_create",
        request=EventIn,
        responses={200: shapes.ActivityOut, 201: shapes.ActivityOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Record a visit, a check-in, a survey or anything else with a name."""
        data = clean(EventIn, request.data)
        event, created = record_event(
            member=member_of(data["member"]),
            name=data["name"],
            occurred_at=data["occurred_at"],
            properties=data["properties"],
            external_id=data.get("external_id"),
            at=clock.now(),
        )
        body = {
            "id": event.pk,
            "member": data["member"],
            "name": event.name,
            "occurred_at": shapes.time(event.at),
        }
        return Response(body, status=201 if created else 200)
