"""Pieces of the OpenAPI documents that both APIs share."""

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How both kinds of key are described."""

    target_class = "api.base.BearerAuthentication"
    match_subclasses = True
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class ProblemOut(serializers.Serializer[Any]):
    """An RFC 9457 problem; more members may follow by `code`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; texts may change, codes do not.")
    detail = serializers.CharField()
    request_id = serializers.CharField(required=False)
    errors = serializers.ListField(  # type: ignore[assignment]
        child=serializers.DictField(), required=False
    )


PROBLEMS: dict[Any, Any] = {
    (status, "application/problem+json"): ProblemOut
    for status in (400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 429)
}


@cache
def ListOf(item: type[serializers.BaseSerializer[Any]]) -> Any:  # noqa: N802  (reads as a type)
    """Return the page envelope of an item: `{"items": […], "next": "…"|null}`."""
    return inline_serializer(
        name=f"{item.__name__.removesuffix('Out')}Page",
        fields={
            "items": item(many=True),
            "next": serializers.CharField(allow_null=True),
        },
    )
