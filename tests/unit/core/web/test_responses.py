"""One URL is page and fragment; toasts and redirects."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import override_settings

from core.web.responses import done, hx_redirect, render_page, toast, trigger

TEMPLATES = {
    "page.html": "page[{% partialdef rows inline %}rows{% endpartialdef %}"
    "{% partialdef form inline %}form{% endpartialdef %}]",
}


@pytest.fixture
def pages() -> Any:
    """Serve the templates of this file."""
    engine = {
        **settings.TEMPLATES[0],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [("django.template.loaders.locmem.Loader", TEMPLATES)],
                )
            ],
            "builtins": ["template_partials.templatetags.partials"],
        },
    }
    with override_settings(TEMPLATES=[engine]):
        yield


@pytest.mark.parametrize(
    ("htmx", "expected"),
    [
        (None, b"page[rowsform]"),
        ({}, b"rows"),
        ({"boosted": "true"}, b"page[rowsform]"),
        ({"history_restore_request": "true"}, b"page[rowsform]"),
    ],
)
@pytest.mark.usefixtures("pages")
def test_page_or_fragment(
    htmx: dict[str, str] | None, expected: bytes, ask: Callable[..., Any]
) -> None:
    response = render_page(ask(htmx=htmx), "page.html", partial="rows")
    assert response.content == expected
    assert response["Vary"] == "HX-Request, HX-Boosted, HX-Target"


@pytest.mark.parametrize(
    ("target", "expected"), [("dlg", b"form"), ("rows", b"rows"), ("x", b"page[rowsform]")]
)
@pytest.mark.usefixtures("pages")
def test_fragment_by_target(target: str, expected: bytes, ask: Callable[..., Any]) -> None:
    request = ask(htmx={"target": target})
    response = render_page(
        request, "page.html", partial={"rows": "rows", "dlg": "form"}, status=422
    )
    assert response.content == expected
    assert response.status_code == 422


def test_done_closes_tells_and_refreshes() -> None:
    response = done("Gespeichert 已保存", changed=("tiers", "members"))
    assert response.status_code == 204
    assert json.loads(response["HX-Trigger"]) == {
        "dialog:close": {},
        "toast": {"message": "Gespeichert 已保存", "kind": "ok"},
        "tiers:changed": {},
        "members:changed": {},
    }
    assert response["HX-Trigger"].isascii()


def test_triggers_add_up() -> None:
    response = toast(trigger(done(), "x", [1]), "no", kind="error")
    events = json.loads(response["HX-Trigger"])
    assert events["x"] == [1]
    assert events["toast"] == {"message": "no", "kind": "error"}


def test_redirect_for_browser_and_for_htmx(ask: Callable[..., Any]) -> None:
    plain = hx_redirect(ask(), "/there")
    assert (plain.status_code, plain["Location"]) == (302, "/there")
    htmx = hx_redirect(ask(htmx={}), "/there")
    assert (htmx.status_code, htmx["HX-Redirect"]) == (200, "/there")
    assert "Location" not in htmx


def test_done_without_javascript_goes_on_to_a_page(ask: Callable[..., Any]) -> None:
    request = ask(method="post")
    request._messages = CookieStorage(request)
    response = done("Saved.", changed="tiers", request=request, url="/tiers")
    assert (response.status_code, response["Location"]) == (302, "/tiers")
    assert [str(message) for message in request._messages] == ["Saved."]
    assert done("Saved.", request=ask(method="post", htmx={}), url="/tiers").status_code == 204
