"""Errors of both APIs as RFC 9457 problems with a stable `code`."""

import json
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from core.errors import DomainError

CONTENT_TYPE = "application/problem+json"

_CODES = {
    exceptions.ParseError: "malformed_json",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.Throttled: "rate_limited",
}


def problem(
    *, status: int, code: str, detail: str = "", errors: Any = None, **extra: Any
) -> dict[str, Any]:
    """Return the body of a problem; `errors` is a list of `{pointer, code, detail}`."""
    body: dict[str, Any] = {
        "type": f"https://tessera.invalid/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        body["request_id"] = request_id
    if errors:
        body["errors"] = errors
    return {**extra, **body}


def _flatten(detail: Any, pointer: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        found: list[dict[str, str]] = []
        for key, value in detail.items():
            step = "" if key == "non_field_errors" else f"/{key}"
            found += _flatten(value, pointer + step)
        return found
    if isinstance(detail, list):
        found = []
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            found += _flatten(value, f"{pointer}/{index}" if nested else pointer)
        return found
    code = getattr(detail, "code", "invalid")
    return [{"pointer": pointer, "code": str(code), "detail": str(detail)}]


def from_domain_error(error: DomainError) -> dict[str, Any]:
    """Turn a refusal of the domain into a problem; its data become members of the body."""
    data = dict(error.data)
    errors = None
    if "pointer" in data:
        errors = [{"pointer": str(data.pop("pointer")), "code": error.code, "detail": error.detail}]
    jsonable = json.loads(json.dumps(data, default=str))
    return problem(
        status=error.status, code=error.code, detail=error.detail, errors=errors, **jsonable
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer for an exception raised in a view; None lets a defect reach the error tracker."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        body = from_domain_error(error)
        if "retry_after" in error.data:
            headers["Retry-After"] = str(error.data["retry_after"])
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, exceptions.ValidationError):
        body = problem(
            status=422,
            code="invalid",
            detail="The input is not valid; see errors.",
            errors=_flatten(error.detail),
        )
    elif isinstance(error, Http404):
        body = problem(status=404, code="not_found", detail="Not found.")
    elif isinstance(error, PermissionDenied):
        body = problem(status=403, code="forbidden", detail="You are not allowed to do this.")
    elif isinstance(error, exceptions.APIException):
        code = _CODES.get(type(error), "refused")
        body = problem(status=error.status_code, code=code, detail=str(error.detail))
        if error.status_code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        wait = getattr(error, "wait", None)
        if wait is not None:
            headers["Retry-After"] = str(int(wait) + 1)
    else:
        return None
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an unknown address below `/api/` as a problem, not as a page."""
    body = problem(status=404, code="not_found", detail=f"There is nothing at {request.path}.")
    return HttpResponse(json.dumps(body), status=404, content_type=CONTENT_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a defect below `/api/` without telling its inside."""
    body = problem(status=500, code="internal_error", detail="Something went wrong on our side.")
    return HttpResponse(json.dumps(body), status=500, content_type=CONTENT_TYPE)
