"""Addresses of the member portal."""

from django.urls import URLPattern, URLResolver, path

from portal.views import appointments, benefits, claim, home, mall, me, my_data, points

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.show, name="home"),
    path("code/", home.code, name="code"),
    path("benefits/", benefits.index, name="benefits"),
    path("benefits/<str:code>/", benefits.show, name="benefit"),
    path("benefits/<str:code>/use/", benefits.use, name="use"),
    path("benefits/<str:code>/slots/", appointments.slots, name="slots"),
    path("redemptions/", benefits.history, name="history"),
    path("redemptions/<uuid:key>/", benefits.follow, name="redemption"),
    path("redemptions/<uuid:key>/cancel/", benefits.cancel, name="cancel_redemption"),
    path("redemptions/<uuid:key>/appointment/", appointments.change, name="reschedule"),
    path("redemptions/<uuid:key>/rate/", benefits.rate, name="rate"),
    path("mall/", mall.index, name="mall"),
    path("mall/orders/", mall.orders, name="orders"),
    path("mall/orders/<uuid:key>/", mall.order, name="order"),
    path("mall/orders/<uuid:key>/cancel/", mall.cancel, name="cancel_order"),
    path("mall/items/<str:code>/", mall.item, name="item"),
    path("points/", points.index, name="points"),
    path("points/<int:seq>/", points.entry, name="entry"),
    path("me/", me.index, name="me"),
    path("me/edit/", me.edit, name="edit"),
    path("me/data/", my_data.index, name="my_data"),
    path("me/data/all/", my_data.export, name="export"),
    path("me/data/consents/<str:purpose>/", my_data.set_consent, name="set_consent"),
    path("me/data/erasure/<str:verb>/", my_data.erasure, name="erasure"),
    path("claim/", claim.begin, name="claim"),
    path("claim/<uuid:key>/", claim.finish, name="finish_claim"),
]
