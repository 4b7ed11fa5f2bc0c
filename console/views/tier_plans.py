"""Plans that are sold, and who is about to lose a tier."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.membership_forms import PlanForm
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.tiers import operations, paid, queries
from members.tiers.danger import list_in_danger
from members.tiers.models import Tier, TierScheme
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Make a plan; it is on offer at once."""
    form = PlanForm(request.POST or None, tiers=_tiers())
    if form.is_valid():
        try:
            operations.create_plan(by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            refuse(form, error)
        else:
            return finish(
                request, _("The plan is on offer."), changed="tiers", url=reverse("console:tiers")
            )
    return show_form(request, form, title=_("New plan"), active="tiers", submit=_("Create"))


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change a plan for those who pay from now on."""
    form = PlanForm(request.POST or None, tiers=_tiers(), plan=paid.get_plan(code=code))
    if form.is_valid():
        try:
            operations.change_plan(code=code, by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            refuse(form, error)
        else:
            return finish(request, _("Saved."), changed="tiers", url=reverse("console:tiers"))
    lead = _("It counts for those who pay from now on; what runs keeps what was bought.")
    return show_form(request, form, title=_("Change the plan"), active="tiers", lead=lead)


@staff_page(p.TIERS_VIEW)
def danger(request: StaffRequest) -> HttpResponse:
    """Show who was told that a tier will be lost, when, and what is missing."""
    now = clock.now()
    scheme = queries.get_scheme(on=clock.today(current_brand().timezone))
    context = {
        **shell(request, active="tiers"),
        "page_title": _("Will fall soon"),
        "page_pretitle": _("Tiers"),
        "rows": list_in_danger(at=now),
        "is_money": scheme is not None and scheme.metric == TierScheme.Metric.SPEND,
        "metric": scheme.get_metric_display() if scheme is not None else "",
    }
    return render_page(request, "console/tier_danger.html", context, partial="rows")


def _tiers() -> list[Tier]:
    return queries.list_tiers(on=clock.today(current_brand().timezone))
