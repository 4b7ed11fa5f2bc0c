"""The brand's webhook endpoints."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.events.webhooks import list_endpoints


@staff_page(p.KEYS_EDIT)
def index(request: StaffRequest) -> HttpResponse:
    """The brand's webhook endpoints."""
    context = {
        **shell(request, active="integrations"),
        "page_title": _("API and webhooks"),
        "rows": list_endpoints(owner_id=None),
    }
    return render_page(request, "console/integrations.html", context, partial="rows")
