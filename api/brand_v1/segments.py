"""Segments: the catalogue of fields, sizes, members, days; what a member scores."""

from datetime import date, timedelta
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, int_cursor, page, page_limit
from api.brand_v1 import shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import clean
from api.fields import StrictSerializer
from api.openapi import PROBLEMS, ListOf
from core import clock
from core.errors import InvalidError
from core.web import csv_out
from members.profiles.models import Member
from members.segments import operations, queries
from members.segments.conditions import (
    FIELDS,
    OPS,
    ConditionError,
    Field,
    Labels,
    Template,
    describe,
    parse,
)
from members.segments.export import check_columns, export_audience
from members.segments.models import SavedSegment, SegmentDay
from tenants.brands.context import current_brand

_DAYS = timedelta(days=90)


class ArgumentOut(serializers.Serializer[Any]):
    """One argument of a field."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field named like an option
    type = serializers.ChoiceField(choices=["integer", "text"])
    default = serializers.IntegerField(allow_null=True)
    low = serializers.IntegerField(allow_null=True)
    high = serializers.IntegerField(allow_null=True)


class FieldOut(serializers.Serializer[Any]):
    """One field that conditions may use."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field named like an option
    help = serializers.CharField(allow_blank=True)
    group = serializers.CharField()
    type = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    ops = serializers.ListField(child=serializers.CharField())
    low = serializers.IntegerField(allow_null=True)
    high = serializers.IntegerField(allow_null=True)
    args = ArgumentOut(many=True)
    values = serializers.DictField(child=serializers.CharField(), allow_null=True)


class FieldsOut(serializers.Serializer[Any]):
    """The whole catalogue."""

    items = FieldOut(many=True)


class ConditionIn(StrictSerializer):
    """A condition tree."""

    condition = serializers.JSONField()


class SizeOut(serializers.Serializer[Any]):
    """How many active members a condition holds for, of how many; the condition in words."""

    size = serializers.IntegerField()
    members = serializers.IntegerField()
    sentence = serializers.CharField()


class SegmentDayOut(serializers.Serializer[Any]):
    """How a segment stood when it was stored on a day."""

    on = serializers.DateField()
    size = serializers.IntegerField()
    entered = serializers.IntegerField()
    left = serializers.IntegerField()
    is_baseline = serializers.BooleanField()


class SegmentOut(serializers.Serializer[Any]):
    """A saved segment with its last stored day."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    condition = serializers.DictField()
    sentence = serializers.CharField()
    version = serializers.IntegerField()
    tells = serializers.BooleanField()
    updated_at = serializers.DateTimeField()
    last = SegmentDayOut(allow_null=True)


class SegmentWithDaysOut(SegmentOut):
    """A saved segment with its days of the last 90."""

    days = SegmentDayOut(many=True)


class SegmentMemberOut(serializers.Serializer[Any]):
    """A member of a segment."""

    number = serializers.CharField()
    external_id = serializers.CharField()


class ScoresOut(serializers.Serializer[Any]):
    """What a member scores as of the last night, and the saved segments the member is in."""

    value_segment = serializers.CharField(allow_null=True)
    r = serializers.IntegerField(allow_null=True)
    f = serializers.IntegerField(allow_null=True)
    m = serializers.IntegerField(allow_null=True)
    last_purchase_on = serializers.DateField(allow_null=True)
    frequency = serializers.IntegerField()
    monetary = serializers.IntegerField()
    as_of = serializers.DateField(allow_null=True)
    segments = serializers.ListField(child=serializers.DictField())


class Fields(BrandView):
    """What conditions may compare."""

    scopes = {"GET": "segments:read"}

    @extend_schema(operation_id="segments_fields", responses={200: FieldsOut, **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List every field with its operators, arguments and values."""
        labels = Labels()
        found = [*FIELDS, *FIELDS.templates(), *FIELDS.provided()]
        return Response({"items": [_field(field, labels) for field in found]})


def _field(field: Field | Template, labels: Labels) -> dict[str, Any]:
    names = getattr(field, "choices", None) or getattr(field, "names", None)
    return {
        "name": field.name,
        "label": str(field.label),
        "help": str(field.help),
        "group": field.group.value,
        "type": field.type.value,
        "unit": field.unit,
        "ops": list(OPS[field.type]),
        "low": field.low,
        "high": field.high,
        "args": [
            {
                "name": argument.name,
                "label": str(argument.label),
                "type": "integer" if argument.is_number else "text",
                "default": argument.default,
                "low": argument.low if argument.is_number else None,
                "high": argument.high if argument.is_number else None,
            }
            for argument in getattr(field, "arguments", ())
        ],
        "values": dict(labels.options(names)) if names is not None else None,
    }


class Size(BrandView):
    """The size of any condition."""

    scopes = {"POST": "segments:read"}

    @extend_schema(
        operation_id="segments_size", request=ConditionIn, responses={200: SizeOut, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """Count the active members a condition holds for now; nothing is kept."""
        tree = clean(ConditionIn, request.data)["condition"]
        try:
            condition = parse(tree, is_new=True)
        except ConditionError as error:
            error.data["pointer"] = f"/condition{error.data.get('pointer', '')}"
            raise
        found = queries.preview_audience(condition=condition, at=clock.now(), sample=0)
        return Response(
            {
                "size": found.size,
                "members": found.members,
                "sentence": describe(condition, currency=current_brand().currency),
            }
        )


class Segments(BrandView):
    """Saved segments."""

    scopes = {"GET": "segments:read"}

    @extend_schema(operation_id="segments_list", responses={200: ListOf(SegmentOut), **PROBLEMS})
    def get(self, request: Request) -> Response:
        """List all saved segments by name, each with its last stored day."""
        found = queries.list_segments()
        last = queries.list_last_days(segment_ids=[segment.pk for segment in found])
        labels = Labels()
        items = [_segment(segment, last.get(segment.pk), labels) for segment in found]
        return Response({"items": items, "next": None})


def _segment(segment: SavedSegment, last: SegmentDay | None, labels: Labels) -> dict[str, Any]:
    currency = current_brand().currency
    return {
        "id": segment.pk,
        "name": segment.name,
        "condition": segment.condition,
        "sentence": describe(parse(segment.condition), currency=currency, labels=labels),
        "version": segment.version,
        "tells": segment.tells,
        "updated_at": shapes.time(segment.updated_at),
        "last": _day(last) if last is not None else None,
    }


def _day(day: SegmentDay) -> dict[str, Any]:
    return {
        "on": shapes.day(day.on_date),
        "size": day.size,
        "entered": day.entered,
        "left": day.left,
        "is_baseline": day.is_baseline,
    }


class SegmentDetail(BrandView):
    """One saved segment."""

    scopes = {"GET": "segments:read"}

    @extend_schema(operation_id="segments_get", responses={200: SegmentWithDaysOut, **PROBLEMS})
    def get(self, request: Request, segment_id: int) -> Response:
        """Return a segment with its stored days of the last 90."""
        segment = queries.get_segment(segment_id=segment_id)
        since = clock.today(current_brand().timezone) - _DAYS
        days = queries.list_segment_days(segment_ids=[segment.pk], since=since)[segment.pk]
        body = _segment(segment, days[-1] if days else None, Labels())
        return Response({**body, "days": [_day(day) for day in days]})


class SegmentSize(BrandView):
    """How many members a saved segment has at this moment."""

    scopes = {"GET": "segments:read"}

    @extend_schema(operation_id="segments_size_now", responses={200: SizeOut, **PROBLEMS})
    def get(self, request: Request, segment_id: int) -> Response:
        """Count the members who are in the segment now."""
        condition = parse(queries.get_segment(segment_id=segment_id).condition)
        found = queries.preview_audience(condition=condition, at=clock.now(), sample=0)
        return Response(
            {
                "size": found.size,
                "members": found.members,
                "sentence": describe(condition, currency=current_brand().currency),
            }
        )


class SegmentMembers(BrandView):
    """Who is in a saved segment at this moment."""

    scopes = {"GET": "segments:read"}

    @extend_schema(
        operation_id="segments_members",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(SegmentMemberOut), **PROBLEMS},
    )
    def get(self, request: Request, segment_id: int) -> Response:
        """List the members who are in the segment now, in a fixed order."""
        segment = queries.get_segment(segment_id=segment_id)
        limit = page_limit(request)
        keys = queries.list_audience(
            condition=parse(segment.condition),
            at=clock.now(),
            after=int_cursor(request.query_params.get("cursor")) or 0,
            limit=limit + 1,
        )
        found = queries.get_members(member_ids=keys)
        body = page(found, limit=limit, position=lambda member: member.pk)
        body["items"] = [_member(member) for member in body["items"]]
        return Response(body)


def _member(member: Member) -> dict[str, str]:
    return {"number": str(member.number), "external_id": member.external_id}


class SegmentChanges(BrandView):
    """Who came and went on a day."""

    scopes = {"GET": "segments:read"}

    @extend_schema(
        operation_id="segments_changes",
        parameters=[
            OpenApiParameter("on", OpenApiTypes.DATE, description="A stored day of the brand."),
            OpenApiParameter("side", str, enum=["entered", "left"]),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ListOf(SegmentMemberOut), **PROBLEMS},
    )
    def get(self, request: Request, segment_id: int) -> Response:
        """List who entered the segment (or left it) on a day; without a day, the last one."""
        segment = queries.get_segment(segment_id=segment_id)
        side = request.query_params.get("side", "entered")
        if side not in {"entered", "left"}:
            raise InvalidError("side is entered or left.", pointer="/side")
        on = _day_asked(request, segment)
        limit = page_limit(request)
        found = (
            []
            if on is None
            else queries.list_changes(
                segment_id=segment.pk,
                on=on,
                entered=side == "entered",
                after=int_cursor(request.query_params.get("cursor")) or 0,
                limit=limit + 1,
            )
        )
        body = page(found, limit=limit, position=lambda member: member.pk)
        body["items"] = [_member(member) for member in body["items"]]
        return Response(body)


def _day_asked(request: Request, segment: SavedSegment) -> date | None:
    text = request.query_params.get("on")
    if text is None:
        last = queries.list_last_days(segment_ids=[segment.pk]).get(segment.pk)
        return last.on_date if last is not None else None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidError("on is a date such as 2026-03-31.", pointer="/on") from None


class SegmentExport(BrandView):
    """The members of a saved segment as a file."""

    scopes = {"GET": "segments:export"}

    @extend_schema(
        operation_id="segments_export",
        parameters=[
            OpenApiParameter(
                "columns", str, description="Names of fields, with commas between; see fields."
            )
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, **PROBLEMS},
    )
    def get(self, request: Request, segment_id: int) -> StreamingHttpResponse:
        """Send who is in the segment now as CSV; written into the audit."""
        segment = queries.get_segment(segment_id=segment_id)
        asked = request.query_params.get("columns", "number,external_id")
        columns = check_columns([name.strip() for name in asked.split(",") if name.strip()])
        at = clock.now()
        operations.note_export(
            segment_id=segment.pk, columns=columns, by=self.actor(request), at=at
        )
        rows = export_audience(
            condition=parse(segment.condition), columns=columns, brand=current_brand(), at=at
        )
        return StreamingHttpResponse(
            csv_out.stream(columns, rows), content_type="text/csv; charset=utf-8"
        )


class MemberScores(BrandView):
    """What one member is worth."""

    scopes = {"GET": "segments:read"}

    @extend_schema(operation_id="members_scores", responses={200: ScoresOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return a member's scores, value segment and saved segments."""
        member = member_of(external_id)
        score, run = queries.get_score(member_id=member.pk), queries.get_last_run()
        return Response(
            {
                "value_segment": score.value_segment if score else None,
                "r": score.r if score else None,
                "f": score.f if score else None,
                "m": score.m if score else None,
                "last_purchase_on": shapes.day(score.last_purchase_on) if score else None,
                "frequency": score.frequency if score else 0,
                "monetary": score.monetary_minor if score else 0,
                "as_of": shapes.day(run.as_of) if run else None,
                "segments": [
                    {"id": segment.pk, "name": segment.name, "since": shapes.day(since)}
                    for segment, since in queries.list_segments_of(member_id=member.pk)
                ],
            }
        )
