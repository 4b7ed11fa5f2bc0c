"""The ladder of tiers."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from members.tiers.queries import list_schemes
from tenants.accounts import permissions as p


@staff_page(p.TIERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """The ladder of tiers."""
    context = {
        **shell(request, active="tiers"),
        "page_title": _("Tiers"),
        "rows": list_schemes(),
    }
    return render_page(request, "console/tiers.html", context, partial="rows")
