"""Benefits a member may use, their redemption, tiers."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.serializers import ReasonIn, RedemptionIn, clean
from api.fields import money
from api.openapi import PROBLEMS
from benefits.grants import operations, queries
from benefits.grants.models import Redemption
from benefits.grants.queries import Reason, UsableBenefit
from benefits.grants.reasons import reason_text
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


class TierList(serializers.Serializer[Any]):
    """The tiers in force, lowest first."""

    items = shapes.TierOut(many=True)
    next = serializers.CharField(allow_null=True)


def reason_body(value: Reason) -> dict[str, Any]:
    """Return a reason with its data and the sentence for people."""
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
        "reasons": [reason_body(reason) for reason in item.reasons],
        "why": [reason_body(reason) for reason in item.why],
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


class Tiers(BrandView):
    """The scheme in force."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tiers_list", responses={200: TierList, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the tiers, lowest first."""
        today = clock.today(current_brand().timezone)
        items = [shapes.tier(tier) for tier in list_tiers(on=today)]
        return Response({"items": items, "next": None})
