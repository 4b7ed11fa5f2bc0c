"""Appointments and the till: free times, moving one, serving the code that a member shows."""

from datetime import date
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.benefits import RedemptionOut, redemption
from api.brand_v1.serializers import RescheduleIn, ShownIn, clean
from api.openapi import PROBLEMS
from benefits.booking.queries import list_calendars, list_free_slots
from benefits.catalogue.queries import get_benefit
from benefits.grants import operations, queries
from benefits.grants.tokens import fulfil_shown
from core import clock
from core.errors import InvalidError
from tenants.brands.context import current_brand

_MOST_DAYS = 31


class SlotOut(serializers.Serializer[Any]):
    """A time that can be booked."""

    store = serializers.CharField(allow_blank=True)
    starts_at = serializers.DateTimeField()
    left = serializers.IntegerField()


class SlotList(serializers.Serializer[Any]):
    """The free times of the days asked for; one page."""

    items = SlotOut(many=True)
    next = serializers.CharField(allow_null=True)


class Slots(BrandView):
    """When a benefit that is used by appointment can be had."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(
        operation_id="benefits_slots",
        parameters=[
            OpenApiParameter("store", str, description="One store's code; all without it."),
            OpenApiParameter("from", date, description="First day; today without it."),
            OpenApiParameter("days", int, description="1 to 31; 7 without it."),
        ],
        responses={200: SlotList, **PROBLEMS},
    )
    def get(self, request: Request, code: str) -> Response:
        """List free times by store, in their order; empty without a calendar."""
        asked = request.query_params
        at = clock.now()
        days = _number(asked.get("days", "7"))
        from_on = _day(asked.get("from", "")) or clock.today(current_brand().timezone)
        store = asked.get("store")
        items = [
            {
                "store": calendar.store_code,
                "starts_at": shapes.time(slot.starts_at),
                "left": slot.left,
            }
            for calendar in list_calendars(benefit_id=get_benefit(code=code).pk)
            if store is None or calendar.store_code == store
            for day in list_free_slots(calendar=calendar, from_on=from_on, days=days, at=at)
            for slot in day.slots
        ]
        return Response({"items": items, "next": None})


def _number(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_DAYS:
        raise InvalidError("A number from 1 to 31 is needed.", pointer="/days")
    return int(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidError("A date such as 2026-03-15 is needed.", pointer="/from") from None


class Reschedule(BrandView):
    """Another time for an appointment."""

    scopes = {"POST": "redemptions:write"}

    @extend_schema(
        operation_id="redemptions_reschedule",
        request=RescheduleIn,
        responses={200: RedemptionOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, redemption_id: Any) -> Response:
        """Exchange the time; refusals name the next free one, and nothing has changed."""
        data = clean(RescheduleIn, request.data)
        moved = operations.reschedule(
            redemption=queries.get_redemption(key=redemption_id),
            slot_at=data["slot_at"],
            store_code=data.get("store"),
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(redemption(queries.get_redemption(id=moved.pk)))


class Shown(BrandView):
    """What a till does with the code on a member's screen."""

    scopes = {"POST": "redemptions:write"}

    @extend_schema(
        operation_id="redemptions_shown",
        request=ShownIn,
        responses={200: RedemptionOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request) -> Response:
        """Serve it: fulfilled once, however many tills read the code; old codes are refused."""
        data = clean(ShownIn, request.data)
        served = fulfil_shown(text=data["token"], by=self.actor(request), at=clock.now())
        return Response(redemption(queries.get_redemption(id=served.pk)))
