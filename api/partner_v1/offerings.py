"""What a partner offers, its capacity, and how it is doing."""

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PartnerView, int_cursor, page, page_limit, write
from api.brand_v1.shapes import MoneyOut
from api.fields import money
from api.openapi import PROBLEMS, ListOf
from api.partner_v1.serializers import CapacityIn, OfferingIn
from core import clock
from partners.orders.queries import get_scorecard
from partners.pool import operations, queries
from partners.pool.queries import OfferingView
from tenants.brands.context import current_brand


class OfferingOut(serializers.Serializer[Any]):
    """That you deliver a benefit: where, how much a day, at what price."""

    id = serializers.IntegerField()
    benefit = serializers.CharField()
    status = serializers.CharField()
    regions = serializers.ListField(child=serializers.CharField())
    capacity_per_day = serializers.IntegerField()
    lead_time_hours = serializers.IntegerField()
    sla_hours = serializers.IntegerField()
    price = MoneyOut(allow_null=True)
    next_price = MoneyOut(allow_null=True)
    next_price_from = serializers.DateField(allow_null=True)


class DayOut(serializers.Serializer[Any]):
    """One day of an offering."""

    date = serializers.DateField()
    capacity = serializers.IntegerField()
    reserved = serializers.IntegerField()


class ScorecardOut(serializers.Serializer[Any]):
    """Your last 90 days; null where there is nothing yet."""

    acceptance = serializers.FloatField(allow_null=True)
    on_time = serializers.FloatField(allow_null=True)
    failure = serializers.FloatField(allow_null=True)
    rating = serializers.FloatField(allow_null=True)
    days = serializers.IntegerField()


def _offering(view: OfferingView) -> dict[str, Any]:
    row, currency = view.offering, current_brand().currency
    return {
        "id": row.pk,
        "benefit": row.benefit.code,
        "status": row.status,
        "regions": row.regions,
        "capacity_per_day": row.capacity_per_day,
        "lead_time_hours": row.lead_time_hours,
        "sla_hours": row.sla_hours,
        "price": money(view.price_minor, currency),
        "next_price": money(view.next_price_minor, currency),
        "next_price_from": view.next_price_from.isoformat() if view.next_price_from else None,
    }


def _one(offering_id: int, partner_id: int) -> dict[str, Any]:
    queries.get_offering(offering_id=offering_id, partner_id=partner_id)
    found = queries.list_offerings(
        on=clock.today(current_brand().timezone),
        partner_id=partner_id,
        after=offering_id - 1,
        limit=1,
    )
    return _offering(found[0])


class OfferingList(PartnerView):
    """Your offerings."""

    scopes = {"GET": "offerings:read"}

    @extend_schema(operation_id="offerings_list", responses={200: ListOf(OfferingOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List your offerings with today's price and the next one."""
        limit = page_limit(request)
        found = queries.list_offerings(
            on=clock.today(current_brand().timezone),
            partner_id=self.partner_id,
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda view: view.offering.pk)
        body["items"] = [_offering(view) for view in body["items"]]
        return Response(body)


class OfferingDetail(PartnerView):
    """One offering."""

    scopes = {"GET": "offerings:read", "PATCH": "offerings:write"}

    @extend_schema(operation_id="offerings_get", responses={200: OfferingOut, **PROBLEMS})
    def get(self, request: Request, offering_id: int) -> Response:
        """Return an offering of yours."""
        return Response(_one(offering_id, self.partner_id))

    @extend_schema(
        operation_id="offerings_patch", request=OfferingIn, responses={200: OfferingOut, **PROBLEMS}
    )
    @write()
    def patch(self, request: Request, offering_id: int) -> Response:
        """Change capacity, notice, promise or status; prices are agreed with the brand."""
        row = queries.get_offering(offering_id=offering_id, partner_id=self.partner_id)
        checked = OfferingIn(data=request.data)
        checked.is_valid(raise_exception=True)
        operations.change_offering(
            offering=row, by=self.actor(request), at=clock.now(), **checked.validated_data
        )
        return Response(_one(offering_id, self.partner_id))


class Capacity(PartnerView):
    """One day of an offering."""

    scopes = {"PUT": "offerings:write"}

    @extend_schema(
        operation_id="capacity_put", request=CapacityIn, responses={200: DayOut, **PROBLEMS}
    )
    @write()
    def put(self, request: Request, offering_id: int, on_date: date) -> Response:
        """Say how many orders you take on a day; 0 closes it. Never below what is reserved."""
        row = queries.get_offering(offering_id=offering_id, partner_id=self.partner_id)
        checked = CapacityIn(data=request.data)
        checked.is_valid(raise_exception=True)
        day = operations.set_capacity(
            offering=row,
            on_date=on_date,
            capacity=checked.validated_data["capacity"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(
            {
                "date": day.on_date.isoformat(),
                "capacity": day.capacity,
                "reserved": day.reserved,
            }
        )


class ScorecardView(PartnerView):
    """How you are doing."""

    scopes = {"GET": "orders:read"}

    @extend_schema(operation_id="scorecard_get", responses={200: ScorecardOut, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """Return acceptance, punctuality, failures and rating of your last 90 days."""
        card = get_scorecard(partner_id=self.partner_id, at=clock.now())
        return Response(
            {
                "acceptance": card.acceptance,
                "on_time": card.on_time,
                "failure": card.failure,
                "rating": card.rating,
                "days": 90,
            }
        )
