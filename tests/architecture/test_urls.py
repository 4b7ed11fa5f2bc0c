"""Every address refuses those who have no business there."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.brands.models import Brand

# Addresses that anybody may open.
OPEN = ("accounts/", "brand.css", "ui/", "api/docs/", "api/brand/v1/openapi.json",
        "api/partner/v1/openapi.json", "r/", "claim/")  # fmt: skip
_SAMPLES = {
    "integer": "1",
    "uuid": "00000000-0000-7000-8000-000000000000",
    "date": "2026-01-01",
    "holdverb": "capture",
    "decisionverb": "approve",
    "redemptionverb": "cancel",
    "switch": "up",
    "mallorderverb": "confirm",
    "stockway": "in",
    "drawway": "open",
    "switchway": "on",
    "amountkind": "cost",
}


def _walk(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        text = str(pattern.pattern)
        for name, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            sample = _SAMPLES.get({"int": "integer"}.get(kind, kind), "x")
            text = re.sub(rf"<(\w+:)?{name}>", sample, text)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, prefix + text)
        elif isinstance(pattern, URLPattern) and not text.startswith("^"):
            yield prefix + text


def _paths() -> list[str]:
    return sorted(set(_walk(get_resolver("config.urls").url_patterns)))


@pytest.mark.parametrize("path", [p for p in _paths() if p.startswith("console/")])
def test_console_sends_strangers_to_sign_in(
    path: str, brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    response = client_for(brand).get(f"/{path}")
    if response.status_code == 405:  # the address takes writes only
        response = client_for(brand).post(f"/{path}")
    assert response.status_code == 302, response.status_code
    assert "/accounts/login" in response["Location"]


@pytest.mark.parametrize(
    "path",
    [p for p in _paths() if p.startswith("api/") and not p.startswith(OPEN)],
)
def test_apis_refuse_callers_without_a_key(
    path: str, brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    for method in ("get", "post"):
        response = getattr(client_for(brand), method)(f"/{path}")
        assert response.status_code in {401, 405}, (method, response.status_code)
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [p for p in _paths() if not p.startswith(("console/", "api/", *OPEN))],
)
def test_the_portal_shows_strangers_no_member(
    path: str, brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    response = client_for(brand).get(f"/{path}")
    if response.status_code == 405:
        response = client_for(brand).post(f"/{path}")
    assert response.status_code == 302, response.status_code
    assert "/accounts/login" in response["Location"]


def test_unknown_addresses_below_the_api_are_problems(
    brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    response = client_for(brand).get("/api/brand/v1/nowhere")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"
