"""Orders as one partner sees and moves them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PartnerView, decode_cursor, encode_cursor, page_limit, write
from api.brand_v1.shapes import MoneyOut
from api.openapi import PROBLEMS, ListOf
from api.partner_v1.serializers import CodeIn, FulfilIn, ReasonIn, ScheduleIn
from core import clock
from core.errors import InvalidError
from partners.orders import operations, queries
from partners.orders.models import FulfilmentOrder, OrderOffer


class BenefitOut(serializers.Serializer[Any]):
    """The benefit to deliver."""

    code = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField())


class OrderOut(serializers.Serializer[Any]):
    """An order offered to you; nothing personal of the member."""

    id = serializers.CharField()
    state = serializers.CharField()
    version = serializers.IntegerField()
    benefit = BenefitOut()
    region = serializers.CharField(allow_blank=True)
    wanted_at = serializers.DateTimeField(allow_null=True)
    service_on = serializers.DateField(allow_null=True)
    requested_at = serializers.DateTimeField()
    offered_at = serializers.DateTimeField(allow_null=True)
    accept_by = serializers.DateTimeField(allow_null=True)
    accepted_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    scheduled_for = serializers.DateTimeField(allow_null=True)
    fulfilled_at = serializers.DateTimeField(allow_null=True)
    failure_reason = serializers.CharField(allow_blank=True)
    price = MoneyOut(allow_null=True)
    updated_at = serializers.DateTimeField()


class VerifiedOut(serializers.Serializer[Any]):
    """That the code is the member's."""

    valid = serializers.BooleanField()


STATES = sorted({*FulfilmentOrder.State.values, *OrderOffer.State.values})
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag you last saw."
)


def _answer(number: str, partner_id: int, *, status: int = 200) -> Response:
    view = queries.get_partner_order(number=number, partner_id=partner_id)
    body = queries.represent_view(view)
    return Response(body, status=status, headers={"ETag": f'"{body["version"]}"'})


def if_version(request: Request) -> int | None:
    """Return the version in `If-Match`, or None where any will do."""
    text = request.headers.get("If-Match", "").strip()
    if not text or text == "*":
        return None
    number = text.removeprefix("W/").strip('"')
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise InvalidError("If-Match must be an ETag of ours.", pointer="/If-Match")
    return int(number)


class OrderList(PartnerView):
    """Orders that were offered to you."""

    scopes = {"GET": "orders:read"}

    @extend_schema(
        operation_id="orders_list",
        parameters=[
            OpenApiParameter("status", str, enum=STATES),
            OpenApiParameter("updated_since", str, description="RFC 3339 with offset."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(OrderOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List orders, the longest unchanged first; follow `next` to miss nothing."""
        limit = page_limit(request)
        state = request.query_params.get("status") or None
        if state is not None and state not in STATES:
            raise InvalidError("There is no such status.", pointer="/status")
        found = queries.list_partner_orders(
            partner_id=self.partner_id,
            state=state,
            updated_since=_since(request),
            after=decode_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        more = len(found) > limit
        shown = found[:limit]
        return Response(
            {
                "items": [queries.represent_view(view) for view in shown],
                "next": encode_cursor(queries.position(shown[-1])) if more else None,
            }
        )


def _since(request: Request) -> datetime | None:
    text = request.query_params.get("updated_since")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidError("Give a time with an offset.", pointer="/updated_since")
    return moment


class OrderDetail(PartnerView):
    """One order."""

    scopes = {"GET": "orders:read"}

    @extend_schema(operation_id="orders_get", responses={200: OrderOut, **PROBLEMS})
    def get(self, request: Request, number: str) -> Response:
        """Return an order; its ETag goes into `If-Match` of the next step."""
        return _answer(number, self.partner_id)


class _Step(PartnerView):
    """A step of an order: forward only; the same step again gives the same answer."""

    scopes = {"POST": "orders:write"}
    operation: Callable[..., FulfilmentOrder]
    body: type[serializers.Serializer[Any]] | None = None

    def step(self, request: Request, number: str) -> Response:
        """Do the step with the checked body."""
        facts: dict[str, Any] = {}
        if self.body is not None:
            checked = self.body(data=request.data or {})
            checked.is_valid(raise_exception=True)
            facts = dict(checked.validated_data)
        if "scheduled_for" in facts:
            facts["when"] = facts.pop("scheduled_for")
        type(self).operation(
            order=queries.get_order(number=number),
            partner_id=self.partner_id,
            if_version=if_version(request),
            by=self.actor(request),
            at=clock.now(),
            **facts,
        )
        return _answer(number, self.partner_id)


def _step_view(
    name: str,
    operation: Callable[..., FulfilmentOrder],
    body: type[serializers.Serializer[Any]] | None,
    words: str,
) -> type[_Step]:
    def post(self: _Step, request: Request, number: str) -> Response:
        return self.step(request, number)

    post.__doc__ = words
    documented = extend_schema(
        operation_id=f"orders_{name}",
        parameters=[IF_MATCH],
        request=body,
        responses={200: OrderOut, **PROBLEMS},
    )(write()(post))
    attributes = {
        "__doc__": words,
        "post": documented,
        "operation": staticmethod(operation),
        "body": body,
    }
    return type(f"Order{name.title()}", (_Step,), attributes)


Accept = _step_view("accept", operations.accept, None, "Accept an order offered to you.")
Decline = _step_view(
    "decline", operations.decline, ReasonIn, "Decline it; it goes to the next partner at once."
)
Schedule = _step_view("schedule", operations.schedule, ScheduleIn, "Set the time of the service.")
Start = _step_view("start", operations.start, None, "Say that the service has begun.")
Fulfil = _step_view(
    "fulfil", operations.fulfil, FulfilIn, "Close it with the code that the member shows."
)
Cancel = _step_view(
    "cancel",
    operations.hand_back,
    ReasonIn,
    "Hand an accepted order back; it goes to the next partner at once.",
)
Fail = _step_view("fail", operations.fail, ReasonIn, "Say that the service can not be delivered.")


class Verify(PartnerView):
    """A look at a code."""

    scopes = {"POST": "orders:write"}

    @extend_schema(
        operation_id="orders_verify", request=CodeIn, responses={200: VerifiedOut, **PROBLEMS}
    )
    def post(self, request: Request, number: str) -> Response:
        """Check the member's code without closing the order; five wrong ones lock it for a while."""
        checked = CodeIn(data=request.data)
        checked.is_valid(raise_exception=True)
        operations.verify_code(
            order=queries.get_order(number=number),
            partner_id=self.partner_id,
            code=checked.validated_data["code"],
            at=clock.now(),
        )
        return Response({"valid": True})
