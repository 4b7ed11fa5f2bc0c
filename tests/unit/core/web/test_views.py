"""The brand's style sheet and the choice of light or dark."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from core.web.context import PLATFORM, brand_of, shell
from core.web.theme import theme_version
from core.web.views import brand_css, set_ui_theme

pytestmark = pytest.mark.urls("core.web.urls")
VERSION = theme_version("#b45309")


def test_brand_css_with_its_version_is_kept_for_ever(ask: Callable[..., Any]) -> None:
    response = brand_css(ask(f"/brand.css?v={VERSION}"))
    assert response.status_code == 200
    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert b"--brand:#b45309" in response.content


@pytest.mark.parametrize("path", ["/brand.css", "/brand.css?v=old"])
def test_brand_css_without_its_version_is_checked_each_time(
    path: str, ask: Callable[..., Any]
) -> None:
    assert brand_css(ask(path))["Cache-Control"] == "no-cache"


def test_brand_css_is_not_sent_twice(ask: Callable[..., Any]) -> None:
    response = brand_css(ask("/brand.css", HTTP_IF_NONE_MATCH=f'"{VERSION}"'))
    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == f'"{VERSION}"'
    assert brand_css(ask("/brand.css", HTTP_IF_NONE_MATCH='"other"')).status_code == 200


def test_brand_css_refuses_writing(ask: Callable[..., Any]) -> None:
    assert brand_css(ask("/brand.css", method="post")).status_code == 405


def test_theme_is_remembered(ask: Callable[..., Any]) -> None:
    response = set_ui_theme(ask(method="post", data={"theme": "dark", "next": "/console/?a=1"}))
    assert (response.status_code, response["Location"]) == (302, "/console/?a=1")
    assert response.cookies["ui_theme"].value == "dark"
    assert response.cookies["ui_theme"]["samesite"] == "Lax"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_theme_leads_nowhere_else(target: str, ask: Callable[..., Any]) -> None:
    response = set_ui_theme(ask(method="post", data={"theme": "dark", "next": target}))
    assert response["Location"] == "/"


def test_unknown_theme_is_refused(ask: Callable[..., Any]) -> None:
    response = set_ui_theme(ask(method="post", data={"theme": "neon"}))
    assert response.status_code == 400
    assert not response.cookies
    assert set_ui_theme(ask()).status_code == 405


def test_context_of_a_brand(ask: Callable[..., Any]) -> None:
    context = shell(ask(HTTP_COOKIE="ui_theme=dark"))
    assert context["brand"].name == "Bloom & Co"
    assert context["theme_css_url"] == f"/brand.css?v={VERSION}"
    assert context["ui_theme"] == "dark"
    assert [language.html for language in context["languages"]] == ["en", "zh-Hans", "zh-Hant"]
    assert [language.active for language in context["languages"]] == [True, False, False]


def test_pages_without_a_brand_wear_the_platforms_look(ask: Callable[..., Any]) -> None:
    request = ask()
    request.tenant = None
    assert brand_of(request) is PLATFORM
    request.tenant = SimpleNamespace(schema_name="public")
    assert brand_of(request) is PLATFORM
