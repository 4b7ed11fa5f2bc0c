"""Who works here."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.accounts.queries import list_staff


@staff_page(p.STAFF_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Who works here."""
    context = {
        **shell(request, active="staff"),
        "page_title": _("Staff"),
        "rows": list_staff(),
    }
    return render_page(request, "console/staff.html", context, partial="rows")
