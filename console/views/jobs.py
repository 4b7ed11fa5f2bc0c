"""Jobs of the brand, newest first."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.jobs.queries import list_jobs


@staff_page(p.JOBS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Jobs of the brand, newest first."""
    context = {
        **shell(request, active="jobs"),
        "page_title": _("Jobs"),
        "rows": list_jobs(),
    }
    return render_page(request, "console/jobs.html", context, partial="rows")
