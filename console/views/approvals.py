"""One inbox for what waits for a second pair of eyes."""

from django.http import HttpResponse
from django.utils.translation import gettext as _

from benefits.budget import queries
from benefits.budget.models import PlanRevision, ReserveDraw
from console.access import StaffRequest, staff_page
from console.nav import shell
from core.web.responses import render_page
from members.points.queries import count_requests
from tenants.accounts import permissions as p


@staff_page(p.BUDGET_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List what waits: draws on the reserve, revisions of plans, adjustments of points."""
    draws = queries.list_draws(state=ReserveDraw.State.REQUESTED)
    asked = queries.list_revisions(state=PlanRevision.State.REQUESTED)
    context = {
        **shell(request, active="approvals"),
        "page_title": _("Approvals"),
        "draws": draws,
        "revisions": asked,
        "adjustments": count_requests(),
        "me": request.actor.key,
    }
    return render_page(request, "console/approvals.html", context, partial="waiting")
