"""Tiers: the ladder with its members, what moved, versions of the scheme."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from console.tier_differences import scheme_differences
from console.tier_forms import PublishForm, SchemeForm
from core import clock
from core.errors import DomainError
from core.web.charts import Chart, Series
from core.web.responses import render_page
from members.tiers import operations, paid, queries
from members.tiers.models import TierScheme
from members.tiers.values import TierSize
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_RECENT = timedelta(days=30)
_SHOWN = 12


@staff_page(p.TIERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the ladder in force, who moved lately, and the versions of the scheme."""
    now = clock.now()
    today = clock.today(current_brand().timezone)
    schemes = queries.list_schemes()
    scheme = next((row for row in schemes if row.is_in_force(today)), None)
    sizes = queries.tier_sizes(on=today)
    metrics = {row.version: row.metric for row in schemes}
    context = {
        **shell(request, active="tiers"),
        "page_title": _("Tiers"),
        "scheme": scheme,
        "is_money": scheme is not None and scheme.metric == TierScheme.Metric.SPEND,
        "rungs": [_rung(size, sizes) for size in reversed(sizes)],
        "sizes_chart": _sizes_chart(sizes),
        "moves": queries.count_moves(since=now - _RECENT),
        "in_grace": queries.count_in_grace(),
        "members": sum(size.members for size in sizes),
        "changes": [
            {
                "change": change,
                "is_up": change.is_up,
                "is_money": metrics.get(change.scheme_version) == TierScheme.Metric.SPEND,
            }
            for change in queries.list_recent_changes(since=now - _RECENT, limit=_SHOWN)
        ],
        "schemes": schemes,
        "plans": _plans(sizes),
        "revenue": paid.list_revenue(first=today.replace(day=1), until=today + timedelta(days=1))[
            0
        ],
    }
    return render_page(request, "console/tiers.html", context, partial="tiers")


def _plans(sizes: list[TierSize]) -> list[dict[str, Any]]:
    language = get_language()
    names = {size.tier.code: localized(size.tier.name, language) for size in sizes}
    return [
        {
            "plan": use.plan,
            "members": use.members,
            "stopping": use.stopping,
            "tier": names.get(use.plan.tier_code, use.plan.tier_code),
        }
        for use in paid.list_plan_uses()
    ]


def _rung(size: TierSize, sizes: list[TierSize]) -> dict[str, Any]:
    total = sum(other.members for other in sizes)
    return {
        "tier": size.tier,
        "members": size.members,
        "share": size.members / total if total else 0,
        "multiplier": f"{size.tier.multiplier_bp / 10_000:g}",
    }


def _sizes_chart(sizes: list[TierSize]) -> Chart:
    language = get_language()
    return Chart(
        kind="funnel",
        labels=[localized(size.tier.name, language) for size in sizes],
        series=[Series(_("Members"), [size.members for size in sizes])],
        unit="number",
    )


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Make a draft of the next version; it starts as a copy of the scheme in force."""
    scheme = queries.get_scheme(on=clock.today(current_brand().timezone))
    tiers = queries.list_scheme_tiers(scheme=scheme) if scheme is not None else []
    form = SchemeForm(request.POST or None, scheme=scheme, tiers=tiers)
    if form.is_valid():
        try:
            operations.create_scheme(by=request.actor, at=clock.now(), **form.facts())
        except DomainError as error:
            form.place(error)
        else:
            url = reverse("console:tiers")
            return finish(request, _("The draft is saved."), changed="tiers", url=url)
    context = {
        **shell(request, active="tiers"),
        "page_title": _("New version of the tiers"),
        "form": form,
        "action": request.path,
    }
    status = 422 if form.is_bound else 200
    return render_page(request, "console/tier_form.html", context, partial="form", status=status)


@staff_page(p.TIERS_VIEW)
def show_version(request: StaffRequest, version: int) -> HttpResponse:
    """Show one version of the scheme in the dialog."""
    scheme = queries.get_scheme_version(version=version)
    other = next((row for row in queries.list_schemes() if row.version < version), None)
    context = {
        **shell(request, active="tiers"),
        "page_title": _("Tier scheme, version %(version)s") % {"version": version},
        "scheme": scheme,
        "is_money": scheme.metric == TierScheme.Metric.SPEND,
        "rungs": [
            {"tier": tier, "multiplier": f"{tier.multiplier_bp / 10_000:g}"}
            for tier in reversed(queries.list_scheme_tiers(scheme=scheme))
        ],
        "other": other,
        "differences": scheme_differences(other, scheme) if other is not None else [],
    }
    return render_page(request, "console/tier_version.html", context, partial="version")


@staff_page(p.TIERS_EDIT, methods=("GET", "POST"))
def publish(request: StaffRequest, version: int) -> HttpResponse:
    """Put a draft in force from a day; it can never be changed again."""
    scheme = queries.get_scheme_version(version=version)
    today = clock.today(current_brand().timezone)
    form = PublishForm(request.POST or None, initial={"starts_on": today})
    title = _("Publish version %(version)s") % {"version": version}
    lead = _(
        "From that day on members are placed in these tiers. A published version can never be "
        "changed; a later one replaces it."
    )
    if form.is_valid():
        try:
            operations.publish_scheme(
                scheme=scheme,
                starts_on=form.cleaned_data["starts_on"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            url = reverse("console:tiers")
            return finish(request, _("Published."), changed="tiers", url=url)
    return show_form(request, form, title=title, active="tiers", lead=lead, submit=_("Publish"))


@staff_page(p.TIERS_EDIT, methods=("POST",))
def delete_draft(request: StaffRequest, version: int) -> HttpResponse:
    """Remove a version that was never published."""
    scheme = queries.get_scheme_version(version=version)
    operations.delete_draft(scheme=scheme, by=request.actor, at=clock.now())
    url = reverse("console:tiers")
    return finish(request, _("The draft is removed."), changed="tiers", url=url)
