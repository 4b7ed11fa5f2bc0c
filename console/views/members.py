"""The members, newest first."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from members.profiles.queries import search_members
from tenants.accounts import permissions as p


@staff_page(p.MEMBERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """The members, newest first."""
    context = {
        **shell(request, active="members"),
        "page_title": _("Members"),
        "rows": search_members(text=request.GET.get("q", "")),
    }
    return render_page(request, "console/members.html", context, partial="rows")
