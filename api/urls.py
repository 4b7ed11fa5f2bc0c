"""Addresses of both APIs, their OpenAPI documents and the page to browse them."""

from django.urls import include, path, re_path

from api import docs, problems

app_name = "api"
urlpatterns = [
    path("brand/v1/openapi.json", docs.brand_schema, name="brand_schema"),
    path("brand/v1/", include("api.brand_v1.urls")),
    path("partner/v1/openapi.json", docs.partner_schema, name="partner_schema"),
    path("partner/v1/", include("api.partner_v1.urls")),
    path("docs/", docs.browse, name="docs"),
    re_path(r"^.*$", problems.not_found),
]
