"""Addresses of the console's pages on wallets, liability and consent."""

from django.urls import URLPattern, path

from console.views import wallets

urlpatterns: list[URLPattern] = [
    path("points/", wallets.index, name="wallets"),
    path("points/wallets/new/", wallets.create, name="create_wallet"),
    path("points/wallets/preview/", wallets.preview, name="preview_expiry"),
    path("points/wallets/<slug:code>/", wallets.show, name="wallet"),
    path("points/wallets/<slug:code>/<slug:part>/", wallets.edit, name="edit_wallet"),
    path("points/adjustments/", wallets.requests, name="adjustments"),
    path(
        "points/adjustments/<int:request_id>/approve/", wallets.approve, name="approve_adjustment"
    ),
    path(
        "points/adjustments/<int:request_id>/refuse/",
        wallets.refuse_request,
        name="refuse_adjustment",
    ),
    path(
        "points/adjustments/<int:request_id>/withdraw/",
        wallets.withdraw,
        name="withdraw_adjustment",
    ),
]
