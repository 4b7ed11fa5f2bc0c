"""Grant rules: who gets what, how often, and what that costs."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from benefits.rules import queries
from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from tenants.accounts import permissions as p


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the rules by priority."""
    context = {
        **shell(request, active="rules"),
        "page_title": _("Grant rules"),
        "rules": queries.list_rules(),
    }
    return render_page(request, "console/rules.html", context, partial="rows")
