"""The OpenAPI documents of both APIs and a page to browse them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, reverse
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny

_INFO = {
    "brand": {
        "TITLE": "Tessera brand API",
        "VERSION": "1",
        "DESCRIPTION": (
            "For a brand's own shop systems: members, purchases, points, benefits, mall orders. "
            "Money is in minor units; times are RFC 3339 with an offset; lists are pages with a "
            "cursor; errors are RFC 9457 problems with a stable `code`."
        ),
    },
    "partner": {
        "TITLE": "Tessera partner API",
        "VERSION": "1",
        "DESCRIPTION": (
            "For a partner who fulfils benefits of this brand: orders offered to you, their "
            "steps, your offerings and capacity. You see your own orders only."
        ),
    },
}


def _schema_view(name: str) -> Any:
    patterns = [path(f"api/{name}/v1/", include(f"api.{name}_v1.urls"))]
    return SpectacularJSONAPIView.as_view(
        patterns=patterns,
        permission_classes=[AllowAny],
        authentication_classes=[],
        custom_settings={
            **_INFO[name],
            "SCHEMA_PATH_PREFIX": f"/api/{name}/v1",
        },
    )


brand_schema = _schema_view("brand")
partner_schema = _schema_view("partner")


def browse(request: HttpRequest) -> HttpResponse:
    """Show both documents in a browsable page (no outside scripts)."""
    which = "partner" if request.GET.get("api") == "partner" else "brand"
    url = reverse(f"api:{which}_schema")
    return render(request, "api/docs.html", {"schema_url": url, "which": which})
