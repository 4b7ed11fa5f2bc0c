"""What was done, newest first."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.audit.queries import list_entries


@staff_page(p.AUDIT_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """What was done, newest first."""
    context = {
        **shell(request, active="audit"),
        "page_title": _("Audit"),
        "rows": list_entries(),
    }
    return render_page(request, "console/audit.html", context, partial="rows")
