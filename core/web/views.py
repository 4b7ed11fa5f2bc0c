"""Views that every host serves: the brand's colours and the choice of light or dark."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.utils.http import parse_etags, url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from core.web.context import THEME_COOKIE, UI_THEMES, brand_of
from core.web.theme import render_brand_css, theme_version

YEAR = 60 * 60 * 24 * 365


@require_safe
def brand_css(request: HttpRequest) -> HttpResponse:
    """Send the brand's colours; for ever when asked with the version, else with a check."""
    colour = brand_of(request).brand_colour
    version = theme_version(colour)
    etag = f'"{version}"'
    response: HttpResponse
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(render_brand_css(colour), content_type="text/css; charset=utf-8")
    response["ETag"] = etag
    asked = request.GET.get("v") == version
    response["Cache-Control"] = f"public, max-age={YEAR}, immutable" if asked else "no-cache"
    return response


@require_POST
def set_ui_theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or auto in a cookie, for pages without JavaScript; 400 otherwise."""
    chosen = request.POST.get("theme", "")
    if chosen not in UI_THEMES:
        return HttpResponse("unknown theme", status=400, content_type="text/plain")
    target = request.POST.get("next") or request.headers.get("Referer", "/")
    allowed = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    response = HttpResponseRedirect(target if allowed else "/")
    response.set_cookie(
        THEME_COOKIE, chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure()
    )
    return response
