"""Refusals and failures as HTML: a toast for htmx, a page for the browser.

The APIs have a handler of their own (`api.problems`); this one leaves `/api/` alone.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from core.errors import DomainError
from core.web.responses import HTMX_VARY, toast

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
_PROBLEM = "application/problem+json"


def request_id(request: HttpRequest) -> str:
    """Return the id under which the logs hold this request, or an empty text."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def error_page(
    request: HttpRequest, status: int, *, detail: str = "", template: str | None = None
) -> HttpResponse:
    """Render an error for whoever asks: toast for htmx, problem for the APIs, else a page."""
    if request.path.startswith(API_PREFIX):
        return _problem(request, status, detail=detail)
    if getattr(request, "htmx", None) and not request.htmx.boosted:  # type: ignore[attr-defined]
        response = HttpResponse(status=status)
        # 422 is swapped in by our htmx set-up, and there is nothing to swap in here.
        response["HX-Reswap"] = "none"
        toast(response, detail or _short(status), kind="error")
    else:
        context = {"status": status, "detail": detail, "request_id": request_id(request)}
        response = render(request, template or f"{status}.html", context, status=status)
    response["X-Request-ID"] = request_id(request)
    patch_vary_headers(response, HTMX_VARY)
    return response


def _short(status: int) -> str:
    texts = {
        400: _("The request could not be understood."),
        403: _("You are not allowed to do this."),
        404: _("This page or thing does not exist."),
        500: _("Something went wrong on our side."),
    }
    return texts.get(status, _("This is not possible."))


def _problem(request: HttpRequest, status: int, *, detail: str = "") -> HttpResponse:
    """RFC 9457 for addresses below /api/ that no API view answered."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": HTTPStatus(status).phrase.lower().replace(" ", "_"),
        "request_id": request_id(request),
    }
    if detail:
        body["detail"] = detail
    return JsonResponse(body, status=status, content_type=_PROBLEM)


class DomainErrorMiddleware:
    """Turn a refusal that no view caught into a toast or a page with its status."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer domain errors; let everything else go on to the error tracker."""
        if not isinstance(exception, DomainError) or request.path.startswith(API_PREFIX):
            return None
        pages = {403: "403.html", 404: "404.html"}
        template = pages.get(exception.status, "errors/refused.html")
        return error_page(request, exception.status, detail=exception.detail, template=template)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is missing or stale."""
    detail = _("The page was open for too long or cookies are off. Load it again and repeat.")
    return error_page(request, 403, detail=detail)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 (`handler400`)."""
    return error_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 (`handler403`) with the reason the view gave."""
    return error_page(request, 403, detail=str(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 (`handler404`); only texts that a view wrote for people are shown."""
    detail = str(exception.args[0]) if _is_written_for_people(exception) else ""
    return error_page(request, 404, detail=detail)


def _is_written_for_people(exception: Exception) -> bool:
    # The resolver raises Http404 with a dictionary of tried patterns.
    return (
        isinstance(exception, Http404)
        and bool(exception.args)
        and isinstance(exception.args[0], str)
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 (`handler500`); when even the page fails, with plain text."""
    try:
        return error_page(request, 500)
    except Exception:
        logger.exception("the error page itself failed")
        return HttpResponse(
            "Something went wrong on our side.", status=500, content_type="text/plain"
        )
