"""Merges of two members who are one person."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, int_cursor, page, page_limit, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import clean
from api.fields import StrictSerializer, StrictText
from api.openapi import PROBLEMS, ListOf
from core import clock
from members.merging.models import MemberMerge
from members.merging.operations import merge_members, undo_merge
from members.merging.queries import get_merge, list_merges


class MergeIn(StrictSerializer):
    """Two members, by their external ids: who stays, and who is the same person."""

    survivor = StrictText(max_length=64, help_text="External id of the member who stays.")
    merged = StrictText(max_length=64, help_text="External id that leads there from now on.")
    reason = StrictText(max_length=300)


class UndoIn(StrictSerializer):
    """Why the two are two people."""

    reason = StrictText(max_length=300)


class MergeOut(serializers.Serializer[Any]):
    """A merge, what it moved, and until when it can be undone."""

    id = serializers.IntegerField()
    survivor = serializers.CharField()
    merged = serializers.CharField()
    reason = serializers.CharField()
    moved = serializers.DictField(child=serializers.IntegerField())
    merged_at = serializers.DateTimeField()
    undo_until = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)


def _shape(merge: MemberMerge) -> dict[str, Any]:
    return {
        "id": merge.pk,
        "survivor": merge.survivor.external_id,
        "merged": merge.merged.external_id,
        "reason": merge.reason,
        "moved": merge.moved,
        "merged_at": shapes.time(merge.merged_at),
        "undo_until": shapes.time(merge.undo_until),
        "undone_at": shapes.time(merge.undone_at),
    }


class Merges(BrandView):
    """All merges of the brand."""

    scopes = {"GET": "members:read", "POST": "members:write"}

    @extend_schema(
        operation_id="merges_list",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(MergeOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List merges, the newest first."""
        limit = page_limit(request)
        found = list_merges(before=int_cursor(request.query_params.get("cursor")), limit=limit + 1)
        body = page(found, limit=limit, position=lambda merge: merge.pk)
        body["items"] = [_shape(merge) for merge in body["items"]]
        return Response(body)

    @extend_schema(
        operation_id="merges_create", request=MergeIn, responses={201: MergeOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request) -> Response:
        """Make two members one; points, purchases, rights and history follow."""
        data = clean(MergeIn, request.data)
        made = merge_members(
            survivor=member_of(data["survivor"]),
            merged=member_of(data["merged"]),
            reason=data["reason"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_shape(made), status=201)


class MergeDetail(BrandView):
    """One merge."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="merges_get", responses={200: MergeOut, **PROBLEMS})
    def get(self, request: Request, merge_id: int) -> Response:
        """Return a merge."""
        return Response(_shape(get_merge(merge_id=merge_id)))


class MergeUndo(BrandView):
    """The end of a merge."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="merges_undo", request=UndoIn, responses={200: MergeOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, merge_id: int) -> Response:
        """Make two of one again, within 30 days."""
        data = clean(UndoIn, request.data)
        undone = undo_merge(
            merge_id=merge_id, reason=data["reason"], by=self.actor(request), at=clock.now()
        )
        return Response(_shape(undone))
