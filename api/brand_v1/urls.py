"""Addresses of the brand API v1."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from api.brand_v1 import members, purchases


class HoldVerb(StringConverter):
    """The two ends of a hold."""

    regex = "capture|release"


register_converter(HoldVerb, "hold_verb")

urlpatterns: list[URLPattern] = [
    path("members", members.MemberList.as_view()),
    path("members/<str:external_id>", members.MemberDetail.as_view()),
    path("members/<str:external_id>/points", members.Points.as_view()),
    path("members/<str:external_id>/points/entries", members.PointEntries.as_view()),
    path("members/<str:external_id>/points/adjustments", members.Adjustments.as_view()),
    path("points/holds", members.Holds.as_view()),
    path("points/holds/<uuid:hold_id>/<hold_verb:verb>", members.HoldEnd.as_view()),
    path("purchases", purchases.Purchases.as_view()),
    path("purchases/batch", purchases.PurchaseBatch.as_view()),
    path("purchases/<str:external_id>/refunds", purchases.Refunds.as_view()),
]
