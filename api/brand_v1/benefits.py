"""Benefits a member may use, their redemption, the points mall, tiers."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.serializers import MallOrderIn, ReasonIn, RedemptionIn, clean
from api.fields import money
from api.openapi import PROBLEMS
from benefits.grants import operations, queries
from benefits.grants.models import Redemption
from benefits.grants.queries import Reason, UsableBenefit
from benefits.grants.reasons import reason_text
from benefits.mall import operations as mall_operations
from benefits.mall import queries as mall_queries
from benefits.mall.models import MallOrder
from benefits.mall.queries import MallOffer
from core import clock
from members.tiers.queries import list_tiers
from tenants.brands.context import current_brand


class ReasonOut(serializers.Serializer[Any]):
    """A stable code, its data, and the sentence for people."""

    code = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    text = serializers.CharField()


class RelevanceOut(serializers.Serializer[Any]):
    """Why it stands where it does: (35 own + 30 peers + 20 worth + 15 soon) / 100, each 0–1000."""

    score = serializers.IntegerField()
    parts = serializers.DictField(child=serializers.IntegerField())


class UsableOut(serializers.Serializer[Any]):
    """One benefit as the member sees it."""

    benefit = serializers.CharField()
    name = serializers.CharField()
    summary = serializers.CharField()
    usable = serializers.BooleanField()
    reasons = ReasonOut(many=True)
    why = ReasonOut(many=True)
    remaining = serializers.IntegerField()
    granted = serializers.IntegerField()
    ends_at = serializers.DateTimeField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)
    relevance = RelevanceOut(allow_null=True)


class UsableList(serializers.Serializer[Any]):
    """All benefits of a member; one page."""

    items = UsableOut(many=True)
    next = serializers.CharField(allow_null=True)


class RedemptionOut(serializers.Serializer[Any]):
    """One use of one unit."""

    id = serializers.UUIDField()
    member = serializers.CharField()
    benefit = serializers.CharField()
    channel = serializers.CharField()
    state = serializers.CharField()
    code = serializers.CharField(allow_blank=True)
    slot_at = serializers.DateTimeField(allow_null=True)
    store = serializers.CharField(allow_blank=True)
    requested_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    fulfilled_at = serializers.DateTimeField(allow_null=True)
    unit_returned = serializers.BooleanField()
    cost = shapes.MoneyOut(allow_null=True)


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


class MallItemList(serializers.Serializer[Any]):
    """All items for a member; one page."""

    items = MallItemOut(many=True)
    next = serializers.CharField(allow_null=True)


class MallOrderOut(serializers.Serializer[Any]):
    """An order of the mall."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    member = serializers.CharField()
    item = serializers.CharField()
    quantity = serializers.IntegerField()
    points = serializers.IntegerField()
    cash = shapes.MoneyOut()
    state = serializers.CharField()
    codes = serializers.ListField(child=serializers.CharField())
    placed_at = serializers.DateTimeField()


class TierList(serializers.Serializer[Any]):
    """The tiers in force, lowest first."""

    items = shapes.TierOut(many=True)
    next = serializers.CharField(allow_null=True)


def _reason(value: Reason) -> dict[str, Any]:
    data = {
        name: shapes.time(item) if hasattr(item, "isoformat") and hasattr(item, "hour") else item
        for name, item in value.data.items()
    }
    return {"code": value.code, "data": data, "text": reason_text(value)}


def _usable(item: UsableBenefit) -> dict[str, Any]:
    return {
        "benefit": item.benefit.code,
        "name": item.name,
        "summary": item.summary,
        "usable": item.usable,
        "reasons": [_reason(reason) for reason in item.reasons],
        "why": [_reason(reason) for reason in item.why],
        "remaining": item.remaining,
        "granted": item.granted,
        "ends_at": shapes.time(item.ends_at),
        "resets_at": shapes.time(item.resets_at),
        "relevance": None
        if item.relevance is None
        else {"score": item.relevance.score, "parts": item.relevance.parts},
    }


def redemption(value: Redemption) -> dict[str, Any]:
    """Return the JSON form of a redemption."""
    return {
        "id": str(value.key),
        "member": value.member.external_id,
        "benefit": value.benefit.code,
        "channel": value.channel,
        "state": value.state,
        "code": value.code,
        "slot_at": shapes.time(value.slot_at),
        "store": value.store_code,
        "requested_at": shapes.time(value.requested_at),
        "due_at": shapes.time(value.due_at),
        "fulfilled_at": shapes.time(value.fulfilled_at),
        "unit_returned": value.unit_returned,
        "cost": money(value.cost_minor, current_brand().currency),
    }


def _item(offer: MallOffer) -> dict[str, Any]:
    return {
        "code": offer.item.code,
        "name": offer.name,
        "kind": offer.item.kind,
        "points": offer.item.points,
        "cash": money(offer.item.cash_minor, current_brand().currency),
        "available": offer.available,
        "reasons": [_reason(reason) for reason in offer.reasons],
        "stock_left": offer.stock_left,
        "limit_left": offer.limit_left,
    }


def _order(value: MallOrder) -> dict[str, Any]:
    return {
        "id": str(value.key),
        "number": value.number,
        "member": value.member.external_id,
        "item": value.item.code,
        "quantity": value.quantity,
        "points": value.points,
        "cash": money(value.cash_minor, current_brand().currency),
        "state": value.state,
        "codes": value.codes,
        "placed_at": shapes.time(value.placed_at),
    }


class MemberBenefits(BrandView):
    """What a member may use, and why."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(operation_id="benefits_of_member", responses={200: UsableList, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """List every benefit: usable or not with the reason, what is left, what gave it."""
        found = queries.what_may_i_use(
            member=member_of(external_id), at=clock.now(), lang=_language(request)
        )
        return Response({"items": [_usable(item) for item in found], "next": None})


def _language(request: Request) -> str:
    return request.query_params.get("lang", "") or current_brand().locale


class Redemptions(BrandView):
    """Uses of benefits."""

    scopes = {"POST": "redemptions:write"}

    @extend_schema(
        operation_id="redemptions_create",
        request=RedemptionIn,
        responses={201: RedemptionOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request) -> Response:
        """Use one unit of a benefit for a member; refusals carry the reason and the next date."""
        data = clean(RedemptionIn, request.data)
        made = operations.redeem(
            member=member_of(data["member"]),
            benefit_code=data["benefit"],
            key=effect_key(request, "redeem"),
            region=data["region"] or None,
            slot_at=data.get("slot_at"),
            store_code=data["store"],
            note=data["note"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(redemption(queries.get_redemption(id=made.pk)), status=201)


class RedemptionDetail(BrandView):
    """One use."""

    scopes = {"GET": "benefits:read"}

    @extend_schema(operation_id="redemptions_get", responses={200: RedemptionOut, **PROBLEMS})
    def get(self, request: Request, redemption_id: Any) -> Response:
        """Return a redemption with its state and verification code."""
        return Response(redemption(queries.get_redemption(key=redemption_id)))


class RedemptionStep(BrandView):
    """A move of a redemption by the brand's own systems."""

    scopes = {"POST": "redemptions:write"}

    @extend_schema(
        operation_id="redemptions_step",
        request=ReasonIn,
        responses={200: RedemptionOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, redemption_id: Any, verb: str) -> Response:
        """Confirm, cancel or fulfil; forward only, and the same step again changes nothing."""
        found = queries.get_redemption(key=redemption_id)
        by, at = self.actor(request), clock.now()
        if verb == "cancel":
            reason = clean(ReasonIn, request.data or {})["reason"]
            operations.cancel(redemption=found, reason=reason, by=by, at=at)
        else:
            step = operations.confirm if verb == "confirm" else operations.fulfil
            step(redemption=found, by=by, at=at)
        return Response(redemption(queries.get_redemption(key=redemption_id)))


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
        found = mall_queries.list_items(
            member=member_of(request.query_params.get("member", "")),
            at=clock.now(),
            lang=_language(request),
        )
        return Response({"items": [_item(offer) for offer in found], "next": None})


class MallOrders(BrandView):
    """Orders for points."""

    scopes = {"POST": "mall:write"}

    @extend_schema(
        operation_id="mall_orders_create",
        request=MallOrderIn,
        responses={201: MallOrderOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request) -> Response:
        """Order an item: points are held and stock set aside, or neither."""
        data = clean(MallOrderIn, request.data)
        order = mall_operations.place_order(
            member=member_of(data["member"]),
            item=mall_queries.get_item(code=data["item"]),
            quantity=data["quantity"],
            key=effect_key(request, "mall-order"),
            address=data.get("address"),
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_order(mall_queries.get_order(id=order.pk)), status=201)


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
        order = mall_queries.get_order(key=order_id)
        reason = clean(ReasonIn, request.data or {})["reason"]
        mall_operations.cancel_order(
            order=order, reason=reason, by=self.actor(request), at=clock.now()
        )
        return Response(_order(mall_queries.get_order(key=order_id)))


class Tiers(BrandView):
    """The scheme in force."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tiers_list", responses={200: TierList, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the tiers, lowest first."""
        today = clock.today(current_brand().timezone)
        items = [shapes.tier(tier) for tier in list_tiers(on=today)]
        return Response({"items": items, "next": None})
