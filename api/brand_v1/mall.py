"""The points mall: items, orders, their payments, lucky draws."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.base import BrandView, int_cursor, page, page_limit, write
from api.brand_v1 import shapes
from api.brand_v1.benefits import ReasonOut, reason_body
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.serializers import (
    DrawPlayIn,
    MallOrderIn,
    PaymentIn,
    ReasonIn,
    ShipmentIn,
    clean,
)
from api.fields import money
from api.openapi import PROBLEMS
from benefits.mall import operations, queries
from benefits.mall.draws import operations as draw_operations
from benefits.mall.draws import queries as draw_queries
from benefits.mall.draws.models import DrawTicket
from benefits.mall.draws.queries import DrawOffer
from benefits.mall.models import MallItem, MallOrder
from benefits.mall.payments import operations as payment_operations
from benefits.mall.payments import queries as payment_queries
from benefits.mall.payments.errors import BadNoticeError, UnknownProviderError
from benefits.mall.queries import MallOffer
from core import clock
from core.errors import InvalidError
from members.profiles.models import Member
from tenants.brands.context import current_brand


class VariantOut(serializers.Serializer[Any]):
    """A size or colour."""

    code = serializers.CharField()
    name = serializers.CharField()
    points = serializers.IntegerField()
    available = serializers.BooleanField()
    stock_left = serializers.IntegerField(allow_null=True)


class MallItemOut(serializers.Serializer[Any]):
    """One item of the mall as the member sees it."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    points = serializers.IntegerField()
    cash = shapes.MoneyOut()
    available = serializers.BooleanField()
    reasons = ReasonOut(many=True)
    stock_left = serializers.IntegerField(allow_null=True)
    limit_left = serializers.IntegerField(allow_null=True)
    variants = VariantOut(many=True)


class MallItemList(serializers.Serializer[Any]):
    """All items for a member; one page."""

    items = MallItemOut(many=True)
    next = serializers.CharField(allow_null=True)


class PaymentOut(serializers.Serializer[Any]):
    """One try to pay the cash part."""

    id = serializers.UUIDField()
    provider = serializers.CharField()
    state = serializers.CharField()
    amount = shapes.MoneyOut()
    reference = serializers.CharField(allow_blank=True)
    paid_at = serializers.DateTimeField(allow_null=True)
    refunded_at = serializers.DateTimeField(allow_null=True)


class MallOrderOut(serializers.Serializer[Any]):
    """An order of the mall."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    member = serializers.CharField()
    item = serializers.CharField()
    variant = serializers.CharField(allow_null=True)
    quantity = serializers.IntegerField()
    points = serializers.IntegerField()
    cash = shapes.MoneyOut()
    state = serializers.CharField()
    codes = serializers.ListField(child=serializers.CharField())
    carrier = serializers.CharField(allow_blank=True)
    tracking = serializers.CharField(allow_blank=True)
    placed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    shipped_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class MallOrderList(serializers.Serializer[Any]):
    """A page of orders, newest first."""

    items = MallOrderOut(many=True)
    next = serializers.CharField(allow_null=True)


class MallOrderDetailOut(MallOrderOut):
    """An order with its payments."""

    payments = PaymentOut(many=True)


class PrizeOut(serializers.Serializer[Any]):
    """A prize with its published odds: chances in a million."""

    name = serializers.DictField(child=serializers.CharField())
    kind = serializers.CharField()
    chances = serializers.IntegerField()
    stock = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    stands_in = serializers.BooleanField()


class DrawOut(serializers.Serializer[Any]):
    """A lucky draw as the member sees it."""

    code = serializers.CharField()
    name = serializers.CharField()
    points = serializers.IntegerField()
    available = serializers.BooleanField()
    reasons = ReasonOut(many=True)
    left = serializers.IntegerField(allow_null=True)
    odds_hash = serializers.CharField()
    seed_hash = serializers.CharField(allow_null=True)
    prizes = PrizeOut(many=True)


class DrawList(serializers.Serializer[Any]):
    """All draws for a member; one page."""

    items = DrawOut(many=True)
    next = serializers.CharField(allow_null=True)


class TicketOut(serializers.Serializer[Any]):
    """One draw of one member with all that its proof needs; `seed` once it is revealed."""

    id = serializers.UUIDField()
    draw = serializers.CharField()
    member = serializers.CharField()
    prize = serializers.DictField(child=serializers.CharField())
    kind = serializers.CharField()
    points_won = serializers.IntegerField()
    code = serializers.CharField(allow_blank=True)
    fallback_reason = serializers.CharField(allow_blank=True)
    roll = serializers.IntegerField()
    player = serializers.CharField()
    number = serializers.IntegerField()
    lucky_words = serializers.CharField(allow_blank=True)
    seed_hash = serializers.CharField()
    seed = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


def _language(request: Request) -> str:
    return request.query_params.get("lang", "") or current_brand().locale


def _item(offer: MallOffer) -> dict[str, Any]:
    return {
        "code": offer.item.code,
        "name": offer.name,
        "kind": offer.item.kind,
        "points": offer.item.points,
        "cash": money(offer.item.cash_minor, current_brand().currency),
        "available": offer.available,
        "reasons": [reason_body(reason) for reason in offer.reasons],
        "stock_left": offer.stock_left,
        "limit_left": offer.limit_left,
        "variants": [
            {
                "code": row.variant.code,
                "name": row.name,
                "points": row.points,
                "available": row.available,
                "stock_left": row.stock_left,
            }
            for row in offer.variants
        ],
    }


def _order(value: MallOrder) -> dict[str, Any]:
    waits = value.state == MallOrder.State.PLACED
    return {
        "id": str(value.key),
        "number": value.number,
        "member": value.member.external_id,
        "item": value.item.code,
        "variant": value.variant.code if value.variant is not None else None,
        "quantity": value.quantity,
        "points": value.points,
        "cash": money(value.cash_minor, current_brand().currency),
        "state": value.state,
        "codes": value.codes,
        "carrier": value.carrier,
        "tracking": value.tracking,
        "placed_at": shapes.time(value.placed_at),
        "expires_at": shapes.time(value.hold_ends_at) if waits else None,
        "shipped_at": shapes.time(value.shipped_at),
        "completed_at": shapes.time(value.completed_at),
    }


def _detail(value: MallOrder) -> dict[str, Any]:
    return {
        **_order(value),
        "payments": [
            {
                "id": str(payment.key),
                "provider": payment.provider,
                "state": payment.state,
                "amount": money(payment.amount_minor, payment.currency),
                "reference": payment.reference,
                "paid_at": shapes.time(payment.paid_at),
                "refunded_at": shapes.time(payment.refunded_at),
            }
            for payment in payment_queries.list_payments(order=value)
        ],
    }


class MallItems(BrandView):
    """The mall as a member sees it."""

    scopes = {"GET": "mall:read"}

    @extend_schema(
        operation_id="mall_items",
        parameters=[OpenApiParameter("member", str, required=True)],
        responses={200: MallItemList, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List items for a member: orderable or not with the reason."""
        found = queries.list_items(
            member=member_of(request.query_params.get("member", "")),
            at=clock.now(),
            lang=_language(request),
        )
        return Response({"items": [_item(offer) for offer in found], "next": None})


class MallOrders(BrandView):
    """Orders for points."""

    scopes = {"GET": "mall:read", "POST": "mall:write"}

    @extend_schema(
        operation_id="mall_orders_list",
        parameters=[
            OpenApiParameter("member", str),
            OpenApiParameter("state", str, enum=MallOrder.State.values),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: MallOrderList, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List orders, newest first; of one member or in one state."""
        limit = page_limit(request)
        state = request.query_params.get("state")
        if state is not None and state not in MallOrder.State.values:
            raise InvalidError("There is no such state.", pointer="/state")
        member: Member | None = None
        if "member" in request.query_params:
            member = member_of(request.query_params["member"])
        found = queries.list_orders(
            member=member,
            state=state,
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda order: order.pk)
        return Response({**body, "items": [_order(order) for order in body["items"]]})

    @extend_schema(
        operation_id="mall_orders_create",
        request=MallOrderIn,
        responses={201: MallOrderOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request) -> Response:
        """Order an item: points are held and stock set aside, or neither."""
        data = clean(MallOrderIn, request.data)
        item: MallItem = queries.get_item(code=data["item"])
        code = data.get("variant")
        order = operations.place_order(
            member=member_of(data["member"]),
            item=item,
            variant=queries.get_variant(item=item, code=code) if code else None,
            quantity=data["quantity"],
            key=effect_key(request, "mall-order"),
            address=data.get("address"),
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_order(queries.get_order(id=order.pk)), status=201)


class MallOrderDetail(BrandView):
    """One order."""

    scopes = {"GET": "mall:read"}

    @extend_schema(operation_id="mall_orders_get", responses={200: MallOrderDetailOut, **PROBLEMS})
    def get(self, request: Request, order_id: Any) -> Response:
        """Return an order with its codes, parcel and payments."""
        return Response(_detail(queries.get_order(key=order_id)))


class MallOrderCancel(BrandView):
    """The end of an order before it is done."""

    scopes = {"POST": "mall:write"}

    @extend_schema(
        operation_id="mall_orders_cancel",
        request=ReasonIn,
        responses={200: MallOrderOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, order_id: Any) -> Response:
        """Cancel or refund an order; the points go back to the lots they came from."""
        order = queries.get_order(key=order_id)
        reason = clean(ReasonIn, request.data or {})["reason"]
        operations.cancel_order(order=order, reason=reason, by=self.actor(request), at=clock.now())
        return Response(_order(queries.get_order(key=order_id)))


class MallOrderStep(BrandView):
    """A move of an order by the brand's own systems."""

    scopes = {"POST": "mall:write"}

    @extend_schema(
        operation_id="mall_orders_step",
        request=ShipmentIn,
        responses={200: MallOrderOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, order_id: Any, verb: str) -> Response:
        """Confirm, ship or complete; forward only, and the same step again changes nothing."""
        order = queries.get_order(key=order_id)
        by, at = self.actor(request), clock.now()
        if verb == "ship":
            data = clean(ShipmentIn, request.data or {})
            operations.ship_order(order=order, by=by, at=at, **data)
        elif verb == "confirm":
            operations.confirm_order(order=order, by=by, at=at)
        else:
            operations.complete_order(order=order, by=by, at=at)
        return Response(_order(queries.get_order(key=order_id)))


class MallOrderPayments(BrandView):
    """The cash part of an order, taken by the brand's own till or gateway."""

    scopes = {"POST": "mall:write"}

    @extend_schema(
        operation_id="mall_orders_pay",
        request=PaymentIn,
        responses={200: MallOrderDetailOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, order_id: Any) -> Response:
        """Mark the cash part as paid; the order is confirmed."""
        order = queries.get_order(key=order_id)
        payment_operations.record_payment(
            order=order,
            reference=clean(PaymentIn, request.data)["reference"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_detail(queries.get_order(key=order_id)))


class PaymentNotices(APIView):
    """Where providers of payments call back. No key of ours: the provider's signature counts."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def post(self, request: Request, provider: str) -> Response:
        """Take a signed notice; the same one again changes nothing."""
        try:
            payment = payment_operations.receive_notice(
                provider=provider,
                headers=dict(request.headers),
                body=request._request.body,  # noqa: SLF001  (DRF offers no other way to the bytes)
                at=clock.now(),
            )
        except UnknownProviderError:
            # Nobody without a signature learns which ways of paying there are.
            raise BadNoticeError from None
        return Response({"payment": str(payment.key), "state": payment.state})


def _draw(offer: DrawOffer) -> dict[str, Any]:
    draw = offer.draw
    seeds = draw_queries.list_seeds(draw=draw, limit=1)
    return {
        "code": draw.code,
        "name": offer.name,
        "points": draw.points,
        "available": offer.available,
        "reasons": [reason_body(reason) for reason in offer.reasons],
        "left": offer.left,
        "odds_hash": draw.odds_hash,
        "seed_hash": seeds[0].seed_hash if seeds else None,
        "prizes": [
            {
                "name": prize.name,
                "kind": prize.kind,
                "chances": prize.weight,
                "stock": prize.stock,
                "left": None if prize.stock is None else prize.stock - prize.awarded,
                "stands_in": prize.is_fallback,
            }
            for prize in draw_queries.list_prizes(draw=draw)
        ],
    }


def _ticket(ticket: DrawTicket) -> Mapping[str, Any]:
    return {
        "id": str(ticket.key),
        "draw": ticket.draw.code,
        "member": ticket.member.external_id,
        "prize": ticket.prize.name,
        "kind": ticket.prize.kind,
        "points_won": ticket.points_won,
        "code": ticket.code,
        "fallback_reason": ticket.fallback_reason,
        "roll": ticket.roll,
        "player": ticket.player,
        "number": ticket.number,
        "lucky_words": ticket.lucky_words,
        "seed_hash": ticket.seed.seed_hash,
        "seed": ticket.seed.seed or None,
        "at": shapes.time(ticket.at),
    }


class Draws(BrandView):
    """Lucky draws as a member sees them."""

    scopes = {"GET": "mall:read"}

    @extend_schema(
        operation_id="mall_draws",
        parameters=[OpenApiParameter("member", str, required=True)],
        responses={200: DrawList, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List draws with prizes, odds and the hash of the secret in use."""
        found = draw_queries.list_offers(
            member=member_of(request.query_params.get("member", "")),
            at=clock.now(),
            lang=_language(request),
        )
        return Response({"items": [_draw(offer) for offer in found], "next": None})


class DrawTickets(BrandView):
    """Draws of members."""

    scopes = {"POST": "mall:write"}

    @extend_schema(
        operation_id="mall_draws_play",
        request=DrawPlayIn,
        responses={201: TicketOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, code: str) -> Response:
        """Draw once for a member: points are spent and the prize is given, or neither."""
        data = clean(DrawPlayIn, request.data)
        at: datetime = clock.now()
        ticket = draw_operations.play(
            member=member_of(data["member"]),
            draw=draw_queries.get_draw(code=code),
            key=effect_key(request, "draw", code),
            words=data["words"],
            by=self.actor(request),
            at=at,
        )
        return Response(_ticket(draw_queries.get_ticket(key=ticket.key)), status=201)


class DrawTicketDetail(BrandView):
    """One draw of one member."""

    scopes = {"GET": "mall:read"}

    @extend_schema(operation_id="mall_draws_ticket", responses={200: TicketOut, **PROBLEMS})
    def get(self, request: Request, ticket_id: Any) -> Response:
        """Return what a draw brought and what proves it."""
        return Response(_ticket(draw_queries.get_ticket(key=ticket_id)))
