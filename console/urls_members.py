"""Addresses of the console's pages on members, tiers, segments and set-up."""

from django.urls import URLPattern, path

from console.views import audit, integrations, jobs, members, segments, staff, tiers

urlpatterns: list[URLPattern] = [
    path("members/", members.index, name="members"),
    path("tiers/", tiers.index, name="tiers"),
    path("segments/", segments.index, name="segments"),
    path("jobs/", jobs.index, name="jobs"),
    path("staff/", staff.index, name="staff"),
    path("integrations/", integrations.index, name="integrations"),
    path("audit/", audit.index, name="audit"),
]
