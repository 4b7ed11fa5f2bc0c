"""Addresses of the console's pages on benefits, rules, mall and partners."""

from django.urls import URLPattern, path

from console.views import benefits, mall, orders, partners, redemptions, rules

urlpatterns: list[URLPattern] = [
    path("benefits/", benefits.index, name="benefits"),
    path("rules/", rules.index, name="rules"),
    path("mall/", mall.index, name="mall"),
    path("mall/orders/", mall.orders, name="mall_orders"),
    path("redemptions/", redemptions.index, name="redemptions"),
    path("orders/", orders.index, name="orders"),
    path("partners/", partners.index, name="partners"),
]
