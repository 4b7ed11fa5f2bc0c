"""Addresses of the console's pages on what benefits bring."""

from django.urls import URLPattern, path

from console.views import insights, returns

urlpatterns: list[URLPattern] = [
    path("insights/", insights.programme, name="insights"),
    path("insights/facts.csv", insights.facts_file, name="insight_facts"),
    path("insights/b/<slug:code>/", insights.benefit, name="insight_benefit"),
    path("insights/b/<slug:code>/return/", returns.show, name="insight_return"),
    path("insights/b/<slug:code>/return/compute/", returns.compute, name="compute_return"),
    path("insights/b/<slug:code>/rows/<slug:kind>/", insights.rows, name="insight_rows"),
    path(
        "insights/b/<slug:code>/rows/<slug:kind>.csv",
        insights.rows_file,
        name="insight_rows_file",
    ),
]
