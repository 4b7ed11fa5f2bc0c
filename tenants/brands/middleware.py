"""From a request to its brand: host, schema, language, time zone."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tenants.brands.context import platform_context, tenant_context
from tenants.brands.health import run_checks
from tenants.brands.models import Brand
from tenants.brands.resolution import find_brand

# What the page of a suspended brand itself needs.
_OPEN_PATHS = frozenset({"/brand.css"})

_GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    """Answers `/healthz` and `/readyz` on any host: a load balancer knows no brand."""

    def __init__(self, get_response: _GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            ready, checks = run_checks()
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            body = {"status": "ready" if ready else "not ready", "checks": checks}
            answer = JsonResponse(body, status=status)
            # Django would log each 503 as an error; while the service starts it is an answer.
            answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
            return answer
        return self.get_response(request)


class BrandMiddleware:
    """Runs each request inside the brand of its host, found from the host name only.

    Unknown hosts get a plain 404, suspended brands a page that says so. On the platform's host
    the platform's URLs are served from the schema `public`.
    """

    def __init__(self, get_response: _GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        host = _host_name(request)
        if host == settings.PLATFORM_HOST:
            return self._serve_platform(request)
        brand = find_brand(host)
        if brand is None or brand.status == Brand.Status.PROVISIONING:
            return HttpResponse("Not found\n", content_type="text/plain", status=404)
        request.tenant = brand  # type: ignore[attr-defined]
        with (
            tenant_context(brand),
            timezone.override(ZoneInfo(brand.timezone)),
            structlog.contextvars.bound_contextvars(brand=brand.slug),
        ):
            if brand.status == Brand.Status.SUSPENDED and request.path not in _OPEN_PATHS:
                return _say_suspended(request, brand)
            response = self.get_response(request)
        return _keep_inside(response, brand)

    def _serve_platform(self, request: HttpRequest) -> HttpResponseBase:
        request.tenant = None  # type: ignore[attr-defined]
        request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
        with platform_context():
            return self.get_response(request)


class BrandLocaleMiddleware:
    """Chooses the language: the cookie, else the user's own, else the brand's.

    On the platform's host the browser's wish comes last instead of a brand's language.
    """

    def __init__(self, get_response: _GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        language = _language(request)
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response


def _host_name(request: HttpRequest) -> str:
    try:
        host = request.get_host()
    except DisallowedHost:
        return ""
    if host.endswith("]"):  # an IPv6 address without port
        return host
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdigit() else host).lower().rstrip(".")


def _language(request: HttpRequest) -> str:
    available = dict(settings.LANGUAGES)
    wanted = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if wanted in available:
        return wanted
    # Asking for the user costs queries: only where a session can exist.
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        wanted = getattr(request.user, "locale", "")
        if wanted in available:
            return wanted
    brand: Brand | None = getattr(request, "tenant", None)
    if brand is None:
        return translation.get_language_from_request(request)
    return brand.locale if brand.locale in available else settings.LANGUAGE_CODE


def _say_suspended(request: HttpRequest, brand: Brand) -> HttpResponse:
    status = HTTPStatus.FORBIDDEN
    with translation.override(brand.locale):
        if request.path.startswith("/api/"):
            problem = {
                "type": "about:blank",
                "title": _("This brand is suspended."),
                "status": int(status),
                "code": "brand_suspended",
            }
            return JsonResponse(problem, status=status, content_type="application/problem+json")
        return render(request, "suspended.html", {"brand": brand}, status=status)


def _keep_inside(response: HttpResponseBase, brand: Brand) -> HttpResponseBase:
    """Let a streamed answer be produced inside the brand: it is read after we have returned."""
    if response.streaming:
        streamed: Any = response
        streamed.streaming_content = _produce(streamed.streaming_content, brand)
    return response


def _produce(parts: Iterable[bytes], brand: Brand) -> Iterator[bytes]:
    with tenant_context(brand):
        yield from parts
