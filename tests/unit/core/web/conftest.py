"""A request as the middleware leaves it, and a way to render markup with components."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpRequest
from django.template import RequestContext, Template
from django.test import RequestFactory
from django.utils import translation
from django_cotton.compiler_regex import CottonCompiler
from django_htmx.middleware import HtmxDetails

BRAND = SimpleNamespace(
    slug="bloom",
    name="Bloom & Co",
    locale="en",
    timezone="Asia/Shanghai",
    currency="CNY",
    brand_colour="#b45309",
    logo="flower",
    schema_name="t_0123456789",
)


@pytest.fixture
def ask() -> Callable[..., HttpRequest]:
    """Return a maker of requests of a brand's host; `htmx` gives htmx's headers."""

    def make(
        path: str = "/", *, method: str = "get", htmx: dict[str, str] | None = None, **extra: Any
    ) -> HttpRequest:
        names = {f"HTTP_HX_{key.upper()}": value for key, value in (htmx or {}).items()}
        if htmx is not None:
            names["HTTP_HX_REQUEST"] = "true"
        data = extra.pop("data", None)
        request: HttpRequest = getattr(RequestFactory(), method)(path, data, **names, **extra)
        request.tenant = BRAND  # type: ignore[attr-defined]
        request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
        return request

    return make


@pytest.fixture
def render(ask: Callable[..., HttpRequest]) -> Callable[..., str]:
    """Return a function that renders markup with components, in English unless told."""

    def run(markup: str, *, path: str = "/", language: str = "en", **context: Any) -> str:
        with translation.override(language):
            template = Template(CottonCompiler().process(markup))
            return str(template.render(RequestContext(ask(path), context)))

    return run
