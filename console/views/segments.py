"""Saved segments."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from members.segments.queries import list_segments
from tenants.accounts import permissions as p


@staff_page(p.SEGMENTS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Saved segments."""
    context = {
        **shell(request, active="segments"),
        "page_title": _("Segments"),
        "rows": list_segments(),
    }
    return render_page(request, "console/segments.html", context, partial="rows")
