"""Addresses of the console; every view names its permission (`console.access`)."""

from django.urls import URLPattern, URLResolver, path

from console import (
    urls_insights,
    urls_members,
    urls_points,
    urls_programme,
    urls_settlements,
)
from console.views import alerts, budget, overview

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.show, name="overview"),
    path("budget/", budget.show, name="budget"),
    path("budget/<int:budget_id>/entries/", budget.entries, name="budget_entries"),
    path("budget/<int:budget_id>/track/", budget.track, name="track_reserve"),
    path("budget/<int:budget_id>/lines/new/", budget.add_line, name="add_line"),
    path("budget/lines/<int:line_id>/plan/", budget.plan, name="plan_line"),
    path("budget/<int:budget_id>/draws/new/", budget.ask_draw, name="ask_draw"),
    path("budget/draws/<int:draw_id>/return/", budget.return_draw, name="return_draw"),
    path("budget/draws/<int:draw_id>/<str:verdict>/", budget.decide_draw, name="decide_draw"),
    path("alerts/", alerts.index, name="alerts"),
    path("alerts/<int:alert_id>/", alerts.show, name="alert"),
    path("alerts/<int:alert_id>/assign/", alerts.assign, name="assign_alert"),
    path("alerts/<int:alert_id>/close/", alerts.close, name="close_alert"),
    *urls_insights.urlpatterns,
    *urls_members.urlpatterns,
    *urls_points.urlpatterns,
    *urls_programme.urlpatterns,
    *urls_settlements.urlpatterns,
]
