"""What staff and systems do to a member: tags, blocks; what may be one person; what was done."""

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
from members.activity.queries import list_events
from members.merging.operations import dismiss_pair
from members.merging.queries import list_pairs
from members.profiles.models import Member
from members.profiles.operations import block_member, unblock_member
from members.profiles.queries import get_block, list_purposes, list_tags
from members.profiles.tag_operations import add_tags, remove_tags


class TagsIn(StrictSerializer):
    """Tags to add."""

    tags = serializers.ListField(child=StrictText(max_length=40), min_length=1, max_length=50)


class TagsOut(serializers.Serializer[Any]):
    """All tags that a member has, in the order in which they came."""

    tags = serializers.ListField(child=serializers.CharField())


class TagOut(serializers.Serializer[Any]):
    """A tag in use, and how many members have it."""

    tag = serializers.CharField()
    members = serializers.IntegerField()


class BlockIn(StrictSerializer):
    """Why; the member reads it in the portal."""

    reason = StrictText(max_length=300)


class BlockOut(serializers.Serializer[Any]):
    """Whether a member is blocked, since when and why."""

    status = serializers.ChoiceField(choices=["active", "blocked"])
    reason = serializers.CharField(allow_blank=True)
    since = serializers.DateTimeField(allow_null=True)


class PurposeOut(serializers.Serializer[Any]):
    """What members are asked to agree to, with the words in force by language."""

    purpose = serializers.CharField()
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]
    text = serializers.DictField(child=serializers.CharField())
    version = serializers.IntegerField(allow_null=True)


class PairOut(serializers.Serializer[Any]):
    """Two members who may be one person, and what speaks for it."""

    id = serializers.IntegerField()
    first = serializers.CharField()
    second = serializers.CharField()
    signs = serializers.ListField(
        child=serializers.ChoiceField(choices=["phone", "email", "name_birthday"])
    )
    found_at = serializers.DateTimeField()


class ApartIn(StrictSerializer):
    """Two members, by their external ids, who are two people."""

    first = StrictText(max_length=64)
    second = StrictText(max_length=64)


class ActivityOut(serializers.Serializer[Any]):
    """Something that a member did."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    properties = serializers.DictField()
    at = serializers.DateTimeField()


class TagList(BrandView):
    """The tags in use."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="tags_list", responses={200: ListOf(TagOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List every tag with how many members have it, the most frequent first."""
        items = [{"tag": tag, "members": count} for tag, count in list_tags()]
        return Response({"items": items, "next": None})


class Tags(BrandView):
    """The tags of one member."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="members_add_tags", request=TagsIn, responses={200: TagsOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, external_id: str) -> Response:
        """Add tags; those that are there stay, also what somebody else adds at this moment."""
        tags = add_tags(
            member=member_of(external_id),
            tags=clean(TagsIn, request.data)["tags"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response({"tags": tags})


class TagDetail(BrandView):
    """One tag of one member."""

    scopes = {"DELETE": "members:write"}

    @extend_schema(operation_id="members_remove_tag", responses={200: TagsOut, **PROBLEMS})
    @write()
    def delete(self, request: Request, external_id: str, tag: str) -> Response:
        """Remove a tag; one that is not there is passed over."""
        tags = remove_tags(
            member=member_of(external_id), tags=[tag], by=self.actor(request), at=clock.now()
        )
        return Response({"tags": tags})


class BlockState(BrandView):
    """Whether a member may earn and use."""

    scopes = {"GET": "members:read", "POST": "members:write"}

    @extend_schema(operation_id="members_block_get", responses={200: BlockOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Say whether the member is blocked, since when and why."""
        return Response(_block(member_of(external_id)))

    @extend_schema(
        operation_id="members_block", request=BlockIn, responses={200: BlockOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, external_id: str) -> Response:
        """Block the member: purchases are recorded, nothing is earned, used or passed on."""
        member = member_of(external_id)
        reason = clean(BlockIn, request.data)["reason"]
        block_member(member=member, reason=reason, by=self.actor(request), at=clock.now())
        return Response(_block(member))


class Unblock(BrandView):
    """The end of a block."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="members_unblock", request=BlockIn, responses={200: BlockOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, external_id: str) -> Response:
        """Let the member earn and use again."""
        member = member_of(external_id)
        reason = clean(BlockIn, request.data)["reason"]
        unblock_member(member=member, reason=reason, by=self.actor(request), at=clock.now())
        return Response(_block(member))


class Purposes(BrandView):
    """What the brand asks consent for."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="purposes_list", responses={200: ListOf(PurposeOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List the purposes in use with their words in force, to show where members agree."""
        items = [
            {
                "purpose": one.purpose,
                "label": dict(one.label),
                "text": dict(one.text),
                "version": one.version,
            }
            for one in list_purposes()
        ]
        return Response({"items": items, "next": None})


class Duplicates(BrandView):
    """Members who may be one person."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="duplicates_list",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(PairOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List pairs that nobody has looked at, the newest first; `merges` makes them one."""
        limit = page_limit(request)
        found = list_pairs(before=int_cursor(request.query_params.get("cursor")), limit=limit + 1)
        body = page(found, limit=limit, position=lambda pair: pair.pk)
        body["items"] = [
            {
                "id": pair.pk,
                "first": pair.first.external_id,
                "second": pair.second.external_id,
                "signs": pair.signs,
                "found_at": shapes.time(pair.found_at),
            }
            for pair in body["items"]
        ]
        return Response(body)


class DuplicatesApart(BrandView):
    """Members who were thought to be one person."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="duplicates_apart", request=ApartIn, responses={204: None, **PROBLEMS}
    )
    @write()
    def post(self, request: Request) -> Response:
        """Say that two members are two people: the pair is not suggested again."""
        data = clean(ApartIn, request.data)
        dismiss_pair(
            first_id=member_of(data["first"]).pk,
            second_id=member_of(data["second"]).pk,
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(status=204)


class Activity(BrandView):
    """What a member did beside buying."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="members_activity",
        parameters=[
            OpenApiParameter("name", str),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(ActivityOut), **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """List recorded events, the last recorded first; purchases have a list of their own."""
        member = member_of(external_id)
        limit = page_limit(request)
        found = list_events(
            member_id=member.pk,
            name=request.query_params.get("name", ""),
            before=int_cursor(request.query_params.get("cursor")),
            limit=limit + 1,
        )
        body = page(found, limit=limit, position=lambda event: event.pk)
        body["items"] = [
            {
                "id": event.pk,
                "external_id": event.external_id,
                "name": event.name,
                "properties": event.properties,
                "at": shapes.time(event.at),
            }
            for event in body["items"]
        ]
        return Response(body)


def _block(member: Member) -> dict[str, Any]:
    found = get_block(member=member)
    return {
        "status": "blocked" if found else "active",
        "reason": found.reason if found else "",
        "since": shapes.time(found.at) if found and found.at else None,
    }
