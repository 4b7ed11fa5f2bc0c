"""Answers of console and portal views: one URL is page and fragment, toasts, redirects.

Conventions in `core/templates/cotton/README.md`.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django_htmx.http import HttpResponseClientRedirect, HttpResponseLocation

ToastKind = Literal["ok", "error", "info", "warning"]

HTMX_VARY = ("HX-Request", "HX-Boosted", "HX-Target")


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page, and not for a whole page by a boosted link."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    partial: str | Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page, or the part of it that htmx asked for.

    `partial` names a `{% partialdef %}` of the template; a mapping picks it by the id of the
    element that will be replaced (`{"rows": "rows", "dlg": "form"}`, with the key "" for all
    others). Without htmx, or by a boosted link, the whole page comes. Give 422 as the status
    when a form is invalid: htmx then puts the form with its errors in place.
    """
    name: str | None
    if isinstance(partial, Mapping):
        htmx = getattr(request, "htmx", None)
        name = partial.get((htmx.target if htmx else None) or "", partial.get(""))
    else:
        name = partial
    chosen = f"{template}#{name}" if name and is_fragment(request) else template
    response = render(request, chosen, dict(context or {}), status=status)
    patch_vary_headers(response, HTMX_VARY)
    return response


def trigger(response: HttpResponse, event: str, detail: Any = None) -> HttpResponse:
    """Have htmx fire an event on the page when the response arrives; adds to earlier ones."""
    events: dict[str, Any] = json.loads(response.get("HX-Trigger", "{}"))
    events[event] = {} if detail is None else detail
    # Headers are Latin-1: json escapes everything else.
    response["HX-Trigger"] = json.dumps(events, separators=(",", ":"))
    return response


def toast(
    response: HttpResponse, message: str | Promise, *, kind: ToastKind = "ok"
) -> HttpResponse:
    """Show a short message in the corner of the page when an htmx response arrives."""
    return trigger(response, "toast", {"message": str(message), "kind": kind})


def done(
    message: str | Promise | None = None,
    *,
    changed: str | tuple[str, ...] = (),
    request: HttpRequest | None = None,
    url: str = "",
) -> HttpResponse:
    """Answer a dialog's form that succeeded: 204 closes the dialog, events refresh lists.

    `changed` names what changed; lists listen with `hx-trigger="tiers:changed from:body"`. With
    `request` and `url`, a browser without JavaScript is led to that page instead.
    """
    if request is not None and url and not getattr(request, "htmx", None):
        if message is not None:
            messages.success(request, str(message))
        return HttpResponseRedirect(url)
    response = HttpResponse(status=204)
    trigger(response, "dialog:close")
    if message is not None:
        toast(response, message)
    for name in (changed,) if isinstance(changed, str) else changed:
        trigger(response, f"{name}:changed")
    return response


def hx_lead(
    request: HttpRequest, url: str, *, message: str | Promise | None = None
) -> HttpResponse:
    """Lead to another page of the console as its navigation does: only the main part changes.

    An open dialog closes; `message` is a toast, for a plain browser on the page that follows.
    """
    if not getattr(request, "htmx", None):
        if message is not None:
            messages.success(request, str(message))
        return HttpResponseRedirect(url)
    response = HttpResponseLocation(
        url,
        target="#main",
        select="#main",
        # The whole page is asked for, as by a link of the navigation.
        headers={"HX-Boosted": "true"},
        swap="outerHTML show:window:top",  # type: ignore[arg-type]  # htmx takes modifiers
    )
    trigger(response, "dialog:close")
    return response if message is None else toast(response, message)


def hx_redirect(request: HttpRequest, url: str) -> HttpResponse:
    """Lead the browser to another page, whether htmx asked or the browser itself."""
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)
