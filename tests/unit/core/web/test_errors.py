"""Refusals and failures: toast, page or problem by who asked."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import Http404, HttpResponse

from core.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from core.web import errors

pytestmark = pytest.mark.urls("core.web.urls")


@pytest.fixture
def middleware() -> errors.DomainErrorMiddleware:
    return errors.DomainErrorMiddleware(lambda request: HttpResponse())


@pytest.mark.parametrize(
    "error", [ConflictError("Changed meanwhile."), InvalidError("Changed meanwhile.")]
)
def test_htmx_gets_a_toast_and_nothing_to_swap(
    error: Exception, middleware: errors.DomainErrorMiddleware, ask: Callable[..., Any]
) -> None:
    response = middleware.process_exception(ask(htmx={}), error)
    assert response is not None
    assert response.status_code == error.status  # type: ignore[attr-defined]
    assert response.content == b""
    assert response["HX-Reswap"] == "none"
    assert json.loads(response["HX-Trigger"])["toast"] == {
        "message": "Changed meanwhile.",
        "kind": "error",
    }


@pytest.mark.parametrize(
    ("error", "status"), [(ConflictError, 409), (NotFoundError, 404), (ForbiddenError, 403)]
)
def test_browser_gets_a_page_with_the_reason(
    error: Any, status: int, middleware: errors.DomainErrorMiddleware, ask: Callable[..., Any]
) -> None:
    response = middleware.process_exception(ask(), error("Because <b>."))
    assert response is not None
    assert response.status_code == status
    assert b"Because &lt;b&gt;." in response.content
    assert "HX-Request" in response["Vary"]


def test_other_exceptions_and_the_api_are_left_alone(
    middleware: errors.DomainErrorMiddleware, ask: Callable[..., Any]
) -> None:
    assert middleware.process_exception(ask(), RuntimeError("x")) is None
    assert middleware.process_exception(ask("/api/brand/v1/x"), ConflictError()) is None


def test_api_addresses_get_a_problem(ask: Callable[..., Any]) -> None:
    response = errors.page_not_found(ask("/api/nowhere"), Http404())
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert (body["status"], body["code"]) == (404, "not_found")


def test_tried_patterns_are_not_shown(ask: Callable[..., Any]) -> None:
    response = errors.page_not_found(ask(), Http404({"tried": ["secret"], "path": "x"}))
    assert b"secret" not in response.content
    assert b"This page does not exist" in response.content
    told = errors.page_not_found(ask(), Http404("No such tier."))
    assert b"No such tier." in told.content


def test_server_error_survives_a_broken_page(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> HttpResponse:
        raise RuntimeError("template gone")

    monkeypatch.setattr(errors, "render", fail)
    response = errors.server_error(ask())
    assert response.status_code == 500
    assert response["Content-Type"] == "text/plain"


def test_csrf_failure_explains(ask: Callable[..., Any]) -> None:
    response = errors.csrf_failure(ask(method="post"), reason="x")
    assert response.status_code == 403
    assert b"open for too long" in response.content
