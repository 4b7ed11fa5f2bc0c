"""Files of members and purchases, handed in by the brand's systems."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, encode_cursor, int_cursor, page, page_limit, write
from api.brand_v1 import shapes
from api.brand_v1.serializers import clean
from api.fields import StrictSerializer, StrictText
from api.openapi import PROBLEMS, ListOf
from core import clock
from core.errors import InvalidError
from members.imports.models import FileImport
from members.imports.operations import apply, check, upload
from members.imports.queries import get_import, list_bad_rows, list_imports


class ImportIn(serializers.Serializer[Any]):
    """A file, sent as multipart/form-data. It is not applied: check it, then apply it."""

    kind = serializers.ChoiceField(choices=FileImport.Kind.values)
    file = serializers.FileField()
    encoding = serializers.CharField(required=False, allow_blank=True, default="")


class CheckIn(StrictSerializer):
    """Which of our columns is which column of the file; those left out are guessed by name."""

    columns = serializers.DictField(child=StrictText(max_length=200), required=False)
    create_members = serializers.BooleanField(required=False, default=False)


class ImportOut(serializers.Serializer[Any]):
    """A file on its way; `job` names the work at hand, see `GET jobs/{id}`."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    state = serializers.CharField()
    file_name = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the file.")
    columns = serializers.DictField(child=serializers.CharField())
    rows = serializers.IntegerField(allow_null=True)
    bad_rows = serializers.IntegerField(allow_null=True)
    result = serializers.DictField(child=serializers.IntegerField())
    failure = serializers.CharField(allow_blank=True)
    job = serializers.IntegerField(allow_null=True)
    uploaded_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class BadRowOut(serializers.Serializer[Any]):
    """One row that can not be taken."""

    line = serializers.IntegerField()
    column = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    value = serializers.CharField(allow_blank=True)
    text = serializers.CharField()


def _shape(item: FileImport) -> dict[str, Any]:
    return {
        "id": item.pk,
        "kind": item.kind,
        "state": item.state,
        "file_name": item.file_name,
        "digest": item.digest,
        "columns": item.names,
        "rows": item.total,
        "bad_rows": item.bad,
        "result": item.result,
        "failure": item.failure,
        "job": item.job_id,
        "uploaded_at": shapes.time(item.uploaded_at),
        "ended_at": shapes.time(item.ended_at),
    }


class Imports(BrandView):
    """All files."""

    scopes = {"GET": "members:read", "POST": "members:write"}
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="imports_list",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(ImportOut), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """List files, the newest first."""
        limit = page_limit(request)
        found = list_imports(before=int_cursor(request.query_params.get("cursor")), limit=limit + 1)
        body = page(found, limit=limit, position=lambda item: item.pk)
        body["items"] = [_shape(item) for item in body["items"]]
        return Response(body)

    @extend_schema(
        operation_id="imports_create", request=ImportIn, responses={201: ImportOut, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """Hand in a file. The same file twice is two imports, and applied twice changes nothing."""
        given = ImportIn(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data["file"]
        item = upload(
            kind=given.validated_data["kind"],
            file_name=file.name,
            chunks=file.chunks(),
            encoding=given.validated_data["encoding"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_shape(item), status=201)


class ImportDetail(BrandView):
    """One file."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="imports_get", responses={200: ImportOut, **PROBLEMS})
    def get(self, request: Request, import_id: int) -> Response:
        """Return a file with how far it is."""
        return Response(_shape(get_import(import_id=import_id)))


class ImportCheck(BrandView):
    """Judging a file."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="imports_check", request=CheckIn, responses={202: ImportOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, import_id: int) -> Response:
        """Have the whole file judged, writing nothing."""
        data = clean(CheckIn, request.data)
        item = check(
            import_id=import_id,
            names={**get_import(import_id=import_id).names, **data.get("columns", {})},
            create_members=data["create_members"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_shape(item), status=202)


class ImportApply(BrandView):
    """Applying a file."""

    scopes = {"POST": "members:write"}

    @extend_schema(
        operation_id="imports_apply", request=None, responses={202: ImportOut, **PROBLEMS}
    )
    @write()
    def post(self, request: Request, import_id: int) -> Response:
        """Have a file applied that was checked without bad rows: all of it or nothing."""
        item = apply(import_id=import_id, by=self.actor(request), at=clock.now())
        return Response(_shape(item), status=202)


class ImportProblems(BrandView):
    """Bad rows of a file."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="imports_problems",
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: ListOf(BadRowOut), **PROBLEMS},
    )
    def get(self, request: Request, import_id: int) -> Response:
        """List bad rows in the order they were found."""
        get_import(import_id=import_id)
        limit = page_limit(request)
        after = int_cursor(request.query_params.get("cursor")) or 0
        if after > 10**8:
            raise InvalidError(pointer="/cursor")
        found = list_bad_rows(import_id=import_id, after=after, limit=limit + 1)
        items = [
            {
                "line": row.line,
                "column": row.column,
                "code": row.code,
                "value": row.value,
                "text": row.text,
            }
            for row in found[:limit]
        ]
        more = len(found) > limit
        return Response({"items": items, "next": encode_cursor(after + limit) if more else None})
