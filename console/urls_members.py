"""Addresses of the console's pages on members, tiers, segments and set-up."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
