"""Points in depth: wallets, lots, spending a chosen number, reversals, consent, transfers."""

from datetime import date, timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, int_cursor, key_of, page, page_limit, write
from api.brand_v1 import point_shapes as shapes
from api.brand_v1.lookups import effect_key, member_of
from api.brand_v1.serializers import clean
from api.brand_v1.shapes import PostingOut, posting
from api.openapi import PROBLEMS, ListOf
from core import clock
from core.errors import InvalidError
from members.points import operations as points
from members.points import queries
from members.points.models import AdjustmentRequest
from members.points.values import EntryRef, Source
from members.profiles.point_spending import spend_points, undo_entry
from members.profiles.point_transfers import transfer_points
from members.profiles.queries import get_member
from tenants.brands.context import current_brand

_WALLET = OpenApiParameter("wallet", str, description="Code of a wallet; `points` when left out.")
MAX_DAYS = 400


def wallet_of(request: Request) -> str:
    """Return the code of the wallet asked for.

    :raises WalletMissingError: if there is none.
    """
    return queries.get_wallet(wallet=request.query_params.get("wallet", "points")[:20]).code


class Wallets(BrandView):
    """What members collect."""

    scopes = {"GET": "points:read"}

    @extend_schema(operation_id="wallets_list", responses={200: ListOf(shapes.WalletOut)})
    def get(self, request: Request) -> Response:
        """List the wallets with the rules that a shop has to know."""
        return Response(
            {"items": [shapes.wallet(row) for row in queries.list_wallets()], "next": None}
        )


class Lots(BrandView):
    """A member's lots."""

    scopes = {"GET": "points:read"}

    @extend_schema(
        operation_id="points_lots",
        parameters=[_WALLET, OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(shapes.LotHistoryOut), **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List lots, newest first: where each came from, and every entry that touched it."""
        member = member_of(external_id)
        limit = page_limit(request)
        found = queries.list_lot_histories(
            owner_id=member.pk,
            wallet=wallet_of(request),
            before_seq=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda history: history.lot.seq)
        body["items"] = [shapes.lot_history(history) for history in body["items"]]
        return Response(body)


class Spend(BrandView):
    """Points that a member pays with."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="points_spend",
        request=shapes.SpendIn,
        responses={201: PostingOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str) -> Response:
        """Spend a number of points that the member has chosen, within the wallet's rules."""
        data = clean(shapes.SpendIn, request.data)
        done = spend_points(
            member=member_of(external_id),
            amount=data["amount"],
            wallet=data["wallet"],
            key=effect_key(request, "spend"),
            at=clock.now(),
            source=Source("api_key", key_of(request).pk),
            reason=data["reason"],
        )
        return Response(posting(done), status=201)


class Reverse(BrandView):
    """The undoing of one entry."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="points_reverse",
        request=shapes.ReverseIn,
        responses={201: shapes.ReversalOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str, seq: int) -> Response:
        """Undo an entry, wholly or in part: give back what was spent, take back what was given."""
        data = clean(shapes.ReverseIn, request.data)
        member = member_of(external_id)
        account = queries.get_account(owner_id=member.pk, wallet=data["wallet"])
        done = undo_entry(
            member=member,
            entry=EntryRef(account.pk, seq),
            amount=data["amount"],
            key=effect_key(request, "reverse"),
            at=clock.now(),
            source=Source("api_key", key_of(request).pk),
            reason=data["reason"],
        )
        return Response({**posting(done), "shortfall": done.shortfall}, status=201)


class Transfers(BrandView):
    """Points that members pass on to each other."""

    scopes = {"POST": "points:write"}

    @extend_schema(
        operation_id="points_transfer",
        request=shapes.TransferIn,
        responses={201: PostingOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request) -> Response:
        """Pass points on, where the wallet allows it and within its limits."""
        data = clean(shapes.TransferIn, request.data)
        done = transfer_points(
            sender=member_of(data["sender"]),
            receiver_number=member_of(data["receiver"]).number,
            amount=data["amount"],
            wallet=data["wallet"],
            key=effect_key(request, "transfer"),
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(posting(done), status=201)


class AdjustmentRequests(BrandView):
    """Adjustments that wait for somebody else's consent, or did."""

    scopes = {"GET": "points:read"}

    @extend_schema(
        operation_id="adjustments_list",
        parameters=[
            OpenApiParameter("state", str, enum=AdjustmentRequest.State.values),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(shapes.AdjustmentOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List requests, newest first."""
        state = request.query_params.get("state")
        if state is not None and state not in AdjustmentRequest.State.values:
            raise InvalidError("There is no such state.", pointer="/state")
        limit = page_limit(request)
        found = queries.list_requests(
            state=state,
            before=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda row: row.pk)
        body["items"] = [adjustment(row) for row in body["items"]]
        return Response(body)


class AdjustmentDecision(BrandView):
    """The consent to a request, its refusal, or its being taken back."""

    scopes = {"POST": "points:approve"}

    @extend_schema(
        operation_id="adjustments_decide",
        request=shapes.DecisionIn,
        responses={200: shapes.AdjustmentOut, **PROBLEMS},
    )
    @write()
    def post(self, request: Request, request_id: int, verb: str) -> Response:
        """Decide a request of somebody else; who asked, or made the asking key, is refused."""
        data = clean(shapes.DecisionIn, request.data)
        by, at = self.actor(request), clock.now()
        if verb == "approve":
            points.approve_adjustment(request_id=request_id, note=data["note"], by=by, at=at)
        elif verb == "refuse":
            points.refuse_adjustment(request_id=request_id, note=data["note"], by=by, at=at)
        else:
            points.withdraw_adjustment(request_id=request_id, by=by, at=at)
        return Response(adjustment(queries.get_request(request_id=request_id)))


def adjustment(row: AdjustmentRequest) -> dict[str, Any]:
    """Return a request with the member's own key."""
    return shapes.adjustment(row, member=get_member(id=row.owner_id).external_id)


class LiabilityDays(BrandView):
    """What outstanding points are worth."""

    scopes = {"GET": "points:read"}

    @extend_schema(
        operation_id="points_liability",
        parameters=[_WALLET, OpenApiParameter("from", date), OpenApiParameter("to", date)],
        responses={200: ListOf(shapes.LiabilityOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List outstanding points, their cost and expected breakage for each day, oldest first."""
        until = _day(request, "to") or clock.today(current_brand().timezone)
        since = _day(request, "from") or until - timedelta(days=30)
        if not timedelta() <= until - since <= timedelta(days=MAX_DAYS):
            raise InvalidError(f"Ask for up to {MAX_DAYS} days.", pointer="/from")
        rows = queries.list_liability(wallet=wallet_of(request), since=since, until=until)
        currency = current_brand().currency
        return Response(
            {"items": [shapes.liability(row, currency=currency) for row in rows], "next": None}
        )


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidError(
            f"{name} must be a date such as 2026-01-31.", pointer=f"/{name}"
        ) from None
