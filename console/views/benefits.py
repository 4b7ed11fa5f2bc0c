"""The catalogue: benefits by stage, one benefit with its measures."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue import queries
from benefits.catalogue.kinds import KINDS, get_kind
from benefits.catalogue.models import Benefit
from benefits.catalogue.stages import NEXT
from benefits.grants import queries as grants
from benefits.insights.measures import Measure
from benefits.insights.months import first_of
from benefits.insights.queries import BenefitFigures, benefit_figures, latest_penetration
from benefits.mall.queries import list_shelf
from benefits.rules.queries import list_rules
from console.access import StaffRequest, staff_page
from console.benefit_words import parameter_rows, version_changes
from console.nav import shell
from console.people import actor_names
from console.views.appointments import appointments_tab
from console.views.benefit_amounts import amounts_tab
from console.views.benefit_stock import stock_tab
from core import clock
from core.web.charts import Chart, Mark, Series
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 30
GRANTS_SHOWN_FOR = timedelta(days=180)
# DOMAIN 7.9: below this, two months running, a diagnosis opens.
LOW_PENETRATION = 0.15


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the benefits as a board by stage, each with its penetration of the last month."""
    context = {
        **shell(request, active="benefits"),
        "page_title": _("Benefits"),
        "tabs": catalogue_tabs("board"),
        "kinds": kind_links(),
        "month": first_of(clock.today(current_brand().timezone), back=1),
        "columns": _columns(),
    }
    return render_page(request, "console/benefits.html", context, partial="board")


def catalogue_tabs(active: str) -> list[dict[str, Any]]:
    """Return the tabs of the catalogue's two lists."""
    return [
        {"url": reverse("console:benefits"), "label": _("Board"), "active": active == "board"},
        {
            "url": reverse("console:packages"),
            "label": _("Packages"),
            "active": active == "packages",
        },
    ]


def kind_links() -> list[dict[str, Any]]:
    """Return where a new benefit of each kind is made."""
    return [
        {
            "url": reverse("console:create_benefit", args=[code]),
            "label": kind.label,
            "icon": kind.icon,
        }
        for code, kind in KINDS.items()
    ]


def _columns() -> list[dict[str, Any]]:
    shares = latest_penetration(at=clock.now())
    language = get_language()
    by_stage: dict[str, list[dict[str, Any]]] = {stage: [] for stage in Benefit.Stage.values}
    for benefit in queries.list_benefits():
        share = shares.get(benefit.pk)
        by_stage[benefit.stage].append(
            {
                "benefit": benefit,
                "name": queries.localized(benefit.name, language),
                "kind": KINDS[benefit.kind].label,
                "share": share,
                "is_low": share is not None and share < LOW_PENETRATION,
            }
        )
    return [
        {"stage": stage, "label": label, "cards": by_stage[stage]}
        for stage, label in Benefit.Stage.choices
    ]


@staff_page(p.BENEFITS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show one benefit: its measures, or the tab asked for."""
    benefit = queries.get_benefit(code=code)
    tabs = _tabs(benefit)
    tab = request.GET.get("tab", "")
    tab = tab if tab in tabs else "measures"
    address = reverse("console:benefit", args=[benefit.code])
    context = {
        **shell(request, active="benefits"),
        "page_title": queries.localized(benefit.name, get_language()),
        "benefit": benefit,
        "kind": get_kind(benefit.kind),
        "may_move": bool(NEXT[benefit.stage]),
        "tab": tab,
        "tabs": [
            {"url": f"{address}?tab={name}", "label": label, "active": name == tab}
            for name, (label, _reader) in tabs.items()
        ],
        **tabs[tab][1](request, benefit, clock.now()),
    }
    return render_page(request, "console/benefit.html", context, partial="benefit")


Reader = Callable[[StaffRequest, Benefit, datetime], dict[str, Any]]


def _tabs(benefit: Benefit) -> dict[str, tuple[str, Reader]]:
    by_staff = benefit.channel == Benefit.Channel.STAFF
    return {
        "measures": (_("Measures"), _measures),
        "facts": (_("Definition"), _facts),
        "grants": (_("Grants"), _grants),
        "redemptions": (_("Redemptions"), _redemptions),
        **({"appointments": (_("Appointments"), _appointments)} if by_staff else {}),
        "costs": (_("Costs and prices"), _costs),
        "stock": (_("Stock"), _stock),
        "versions": (_("Versions"), _versions),
        "history": (_("Stages"), _history),
    }


def _measures(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    months = [first_of(clock.today(current_brand().timezone), back=back) for back in range(12)]
    asked = request.GET.get("month", "")
    month = next((month for month in months if f"{month:%Y-%m}" == asked), months[1])
    found = benefit_figures(benefit=benefit, at=at, month=month)
    before = benefit_figures(benefit=benefit, at=at, month=first_of(month, back=1))
    earlier = {measure.code: measure.value for measure in before.measures}
    return {
        "months": months,
        "month": month,
        "measures": [_measure(measure, earlier[measure.code]) for measure in found.measures],
        "triangle": found.triangle,
        "triangle_chart": _triangle_chart(found, before),
        "use_chart": _use_chart(found),
        "cost_chart": _cost_chart(found),
    }


def _measure(measure: Measure, before: float | None) -> dict[str, Any]:
    change = None
    if measure.value is not None and before is not None:
        change = round(measure.value - before, 4 if measure.unit == "share" else 1)
    return {
        "measure": measure,
        "change": change,
        "is_low": measure.code == "penetration"
        and measure.value is not None
        and measure.value < LOW_PENETRATION,
    }


def _corners(found: BenefitFigures) -> list[float | None]:
    values = {measure.code: measure.value for measure in found.measures}
    nps = values["nps"]
    return [
        values["penetration"],
        None if nps is None else (nps + 100) / 200,
        values["repurchase"],
    ]


def _triangle_chart(found: BenefitFigures, before: BenefitFigures) -> Chart:
    series = [Series(_month(found.month), _corners(found))]
    if any(value is not None for value in _corners(before)):
        series.append(Series(_month(before.month), _corners(before), role="previous"))
    return Chart(
        kind="radar",
        labels=[_("Usage"), _("NPS"), _("Repurchase")],
        series=series if any(value is not None for value in _corners(found)) else [],
        unit="percent",
        maximum=1,
    )


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _use_chart(found: BenefitFigures) -> Chart:
    return Chart(
        kind="line",
        labels=[_month(month) for month in found.months],
        series=[
            Series(_("Penetration"), found.penetration, kind="area"),
            Series(_("Consumption"), found.consumption),
        ],
        unit="percent",
        marks=[Mark(_("Watch below"), LOW_PENETRATION, role="bad")],
    )


def _cost_chart(found: BenefitFigures) -> Chart:
    return Chart(
        kind="bar",
        labels=[_month(month) for month in found.months],
        series=[Series(_("Cost"), found.cost)] if any(found.cost) else [],
        unit="money",
        currency=current_brand().currency,
    )


def _facts(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    language = get_language()
    return {
        "summary": queries.localized(benefit.summary, language),
        "terms": queries.localized(benefit.terms, language),
        "rules": list_rules(benefit=benefit),
        "may_be_granted": benefit.stage != Benefit.Stage.RETIRED,
        "parameters": parameter_rows(benefit),
        "packages": queries.list_packages_of(benefit=benefit),
        "items": list_shelf(benefit=benefit),
    }


def _grants(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    found = grants.list_benefit_grants(
        benefit=benefit, since=at - GRANTS_SHOWN_FOR, after=_after(request), limit=PAGE + 1
    )
    rows = [
        {"grant": grant, "state": state, "label": label}
        for grant in found[:PAGE]
        for state, label in [_grant_state(grant, at)]
    ]
    return {"rows": rows, "next": _next(found), "days": GRANTS_SHOWN_FOR.days}


def _grant_state(grant: Any, at: datetime) -> tuple[str, str]:
    if grant.revoked_at is not None:
        return "revoked", _("Revoked")
    if grant.used >= grant.quantity:
        return "used_up", _("Used up")
    if grant.ends_at is not None and grant.ends_at <= at:
        return "expired", _("Expired")
    if grant.starts_at > at:
        return "upcoming", _("Not begun")
    return "active", _("Active")


def _redemptions(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    found = grants.list_redemptions(benefit=benefit, after=_after(request), limit=PAGE + 1)
    return {"rows": found[:PAGE], "next": _next(found)}


def _appointments(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    return appointments_tab(benefit, from_on=request.GET.get("from", ""))


def _costs(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    return amounts_tab(benefit, at)


def _stock(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    return stock_tab(benefit)


def _versions(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    found = queries.list_versions(benefit=benefit)
    names = actor_names(version.actor for version in found)
    return {
        "versions": [
            {
                "version": version,
                "by": names[version.actor],
                "changes": version_changes(found[place + 1], version)
                if place + 1 < len(found)
                else [],
            }
            for place, version in enumerate(found)
        ]
    }


def _history(request: StaffRequest, benefit: Benefit, at: datetime) -> dict[str, Any]:
    changes = queries.list_stage_changes(benefit=benefit)
    names = actor_names(change.actor for change in changes)
    stages = dict(Benefit.Stage.choices)
    return {
        "changes": [
            {
                "change": change,
                "before": stages.get(change.from_stage, ""),
                "by": names[change.actor],
            }
            for change in changes
        ]
    }


def _after(request: StaffRequest) -> int | None:
    after = request.GET.get("after", "")
    return int(after) if after.isdigit() else None


def _next(found: list[Any]) -> str:
    return str(found[PAGE - 1].pk) if len(found) > PAGE else ""
