"""Members: enrol, change, find; points: balances, entries, adjustments, holds."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, int_cursor, key_of, page, page_limit, write
from api.brand_v1 import shapes
from api.brand_v1.earning_shapes import ExplainedEntryOut, explanation
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.point_shapes import AdjustmentOut, adjustment
from api.brand_v1.serializers import AdjustmentIn, HoldIn, MemberIn, clean
from api.openapi import PROBLEMS, ListOf
from core import clock
from core.errors import NotFoundError
from members.earning.queries import explain_entries
from members.points import operations as points
from members.points import queries as point_queries
from members.points.values import Source
from members.profiles.operations import put_member
from members.profiles.point_spending import hold_points
from members.profiles.queries import get_member, search_members
from members.tiers.queries import get_standing


class HoldNotFoundError(NotFoundError):
    """There is no hold with this id."""

    code = "hold_not_found"


class MemberList(BrandView):
    """Members of the programme."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="members_search",
        parameters=[
            OpenApiParameter("q", str, description="Number, id, e-mail, phone or part of a name."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(shapes.MemberOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """Find members, the newest first."""
        limit = page_limit(request)
        found = search_members(
            text=request.query_params.get("q", "")[:200],
            after=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda member: member.pk)
        body["items"] = [shapes.member(m) for m in body["items"]]
        return Response(body)


class MemberDetail(BrandView):
    """One member, by the brand's own key."""

    scopes = {"GET": "members:read", "PUT": "members:write"}

    @extend_schema(operation_id="members_get", responses={200: shapes.MemberOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return a member with tier and balances."""
        return Response(_whole(external_id))

    @extend_schema(
        operation_id="members_put",
        request=MemberIn,
        responses={200: shapes.MemberOut, 201: shapes.MemberOut, **PROBLEMS},
    )
    @write()
    def put(self, request: Request, external_id: str) -> Response:
        """Enrol a member, or change the fields that are sent."""
        _member, created = put_member(
            external_id=external_id,
            by=self.actor(request),
            at=clock.now(),
            fields=clean(MemberIn, request.data),
        )
        return Response(_whole(external_id), status=201 if created else 200)


def _whole(external_id: str) -> dict[str, Any]:
    member = get_member(external_id=external_id)
    at = clock.now()
    return shapes.member(
        member,
        standing=get_standing(member_id=member.pk, at=at),
        balance=point_queries.get_balance(owner_id=member.pk, at=at),
        growth=point_queries.get_balance(owner_id=member.pk, at=at, wallet="growth"),
    )


class Points(BrandView):
    """What a member has."""

    scopes = {"GET": "points:read"}

    @extend_schema(operation_id="points_get", responses={200: shapes.PointsOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return available, pending, held, expiring, spent and expired points, and growth."""
        member = member_of(external_id)
        at = clock.now()
        return Response(
            {
                "points": shapes.balance(point_queries.get_balance(owner_id=member.pk, at=at)),
                "growth": shapes.balance(
                    point_queries.get_balance(owner_id=member.pk, at=at, wallet="growth")
                ),
                "wallets": {
                    wallet.code: shapes.balance(
                        point_queries.get_balance(owner_id=member.pk, at=at, wallet=wallet.code)
                    )
                    for wallet in point_queries.list_wallets()[2:]
                },
            }
        )


class PointEntries(BrandView):
    """The journal of a member."""

    scopes = {"GET": "points:read"}

    @extend_schema(
        operation_id="points_entries",
        parameters=[
            OpenApiParameter("wallet", str, description="Code of a wallet."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(ExplainedEntryOut), **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List entries, newest first: the lots each touched, and how what was earned was made."""
        member = member_of(external_id)
        limit = page_limit(request)
        wallet = request.query_params.get("wallet", "points")[:20]
        found = point_queries.list_entries(
            owner_id=member.pk,
            wallet=wallet,
            before_seq=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda entry: entry.seq)
        explained = explain_entries(entries=body["items"], wallet=wallet)
        body["items"] = [
            {
                **shapes.entry(e),
                "explanation": explanation(explained[e.seq]) if e.seq in explained else None,
            }
            for e in body["items"]
        ]
        return Response(body)


class Adjustments(BrandView):
    """Corrections by hand."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="points_adjust",
        request=AdjustmentIn,
        responses={201: shapes.PostingOut, 202: AdjustmentOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str) -> Response:
        """Add or take points with a reason; audited.

        Above the wallet's limit nothing moves yet: 202, and somebody else must consent.
        """
        data = clean(AdjustmentIn, request.data)
        done = points.ask_adjustment(
            owner_id=member_of(external_id).pk,
            amount=data["amount"],
            reason=data["reason"],
            wallet=data["wallet"],
            key=effect_key(request, "adjust"),
            by=self.actor(request),
            at=clock.now(),
        )
        if done.posting is None and done.request is not None:
            return Response(adjustment(done.request, member=external_id), status=202)
        return Response(shapes.posting(done.posting), status=201)  # type: ignore[arg-type]


class Holds(BrandView):
    """Points set aside until captured or released."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="holds_create", request=HoldIn, responses={201: shapes.HoldOut, **PROBLEMS}
    )
    @write(key_required=True)
    def post(self, request: Request) -> Response:
        """Hold points of a member; without capture they come back by themselves."""
        data = clean(HoldIn, request.data)
        member = member_of(data["member"])
        at = clock.now()
        key = effect_key(request, "hold")
        hold_points(
            member=member,
            amount=data["amount"],
            key=key,
            at=at,
            until=at + timedelta(minutes=data["minutes"]),
            source=Source("api_key", key_of(request).pk),
        )
        return Response(_hold(key), status=201)


class HoldEnd(BrandView):
    """The end of a hold, one way or the other."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="holds_end", request=None, responses={200: shapes.HoldOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, hold_id: UUID, verb: str) -> Response:
        """Capture or release a hold; a hold ends once."""
        _hold(hold_id)
        end = points.capture if verb == "capture" else points.release
        end(
            hold_ref=hold_id,
            key=effect_key(request, verb),
            at=clock.now(),
            source=Source("api_key", key_of(request).pk),
        )
        return Response(_hold(hold_id))


def _hold(key: UUID) -> dict[str, Any]:
    found = point_queries.get_hold(hold_ref=key)
    if found is None:
        raise HoldNotFoundError(hold=str(key))
    member = get_member(id=found.owner_id)
    return {
        "id": str(key),
        "member": member.external_id,
        "amount": found.amount,
        "state": found.state.name.lower(),
        "until": shapes.time(found.until),
    }
