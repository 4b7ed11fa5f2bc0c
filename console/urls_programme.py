"""Addresses of the console's pages on benefits, rules, mall and partners."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
