"""Partners: who delivers, how well, where and at what price."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from partners.pool import queries
from tenants.accounts import permissions as p


@staff_page(p.PARTNERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the partners by name."""
    context = {
        **shell(request, active="partners"),
        "page_title": _("Partners"),
        "partners": queries.list_partners(),
    }
    return render_page(request, "console/partners.html", context, partial="rows")
