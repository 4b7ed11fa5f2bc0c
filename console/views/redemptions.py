"""Redemptions: what members have asked for, and how far it is."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from benefits.grants import queries
from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p

PAGE = 30


@staff_page(p.ORDERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List redemptions, newest first."""
    after = request.GET.get("after", "")
    found = queries.list_redemptions(after=int(after) if after.isdigit() else None, limit=PAGE + 1)
    context = {
        **shell(request, active="redemptions"),
        "page_title": _("Redemptions"),
        "redemptions": found[:PAGE],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/redemptions.html", context, partial="rows")
