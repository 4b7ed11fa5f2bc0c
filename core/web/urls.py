"""Addresses that every host serves; include at the root of each URL configuration."""

from django.urls import path
from django.views.i18n import set_language

from core.web import views

urlpatterns = [
    path("brand.css", views.brand_css, name="brand_css"),
    path("ui/theme/", views.set_ui_theme, name="set_ui_theme"),
    path("ui/language/", set_language, name="set_language"),
]
