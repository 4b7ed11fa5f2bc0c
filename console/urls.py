"""Addresses of the console; every view names its permission (`console.access`)."""

from django.urls import URLPattern, URLResolver, path

from console import (
    urls_budget,
    urls_insights,
    urls_members,
    urls_officers,
    urls_points,
    urls_programme,
    urls_settlements,
)
from console.views import alerts, overview

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.show, name="overview"),
    path("todos/", overview.todos, name="todos"),
    path("alerts/", alerts.index, name="alerts"),
    path("alerts/<int:alert_id>/", alerts.show, name="alert"),
    path("alerts/<int:alert_id>/assign/", alerts.assign, name="assign_alert"),
    path("alerts/<int:alert_id>/snooze/", alerts.snooze, name="snooze_alert"),
    path("alerts/<int:alert_id>/close/", alerts.close, name="close_alert"),
    *urls_budget.urlpatterns,
    *urls_insights.urlpatterns,
    *urls_members.urlpatterns,
    *urls_officers.urlpatterns,
    *urls_points.urlpatterns,
    *urls_programme.urlpatterns,
    *urls_settlements.urlpatterns,
]
