"""The first page: how the programme is doing, and what waits for a person."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.queries import benefit_names
from benefits.insights.models import Alert
from benefits.insights.queries import CohortRow, Kpi, Overview, list_todos, overview
from benefits.insights.registry import Todo
from console.access import StaffRequest, staff_page
from console.labels import alert_subject, todo_url
from console.nav import shell
from core import clock
from core.templatetags.tessera import number_short, percent
from core.web.charts import Chart, Flow, Series
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.OVERVIEW_VIEW)
def show(request: StaffRequest) -> HttpResponse:
    """Show figures of the running month against the last, charts, and the to-do list."""
    found = overview(at=clock.now())
    context = {
        **shell(request, active="overview"),
        "page_title": _("Overview"),
        "found": found,
        "kpis": [_kpi(kpi) for kpi in found.kpis],
        "flow_chart": _flow_chart(found),
        "tier_chart": _tier_chart(found),
        "moves_chart": _moves_chart(found),
        "cohort_chart": _cohort_chart(found.cohorts),
    }
    return render_page(request, "console/overview.html", context)


@staff_page(p.OVERVIEW_VIEW)
def todos(request: StaffRequest) -> HttpResponse:
    """Show what waits for a person; the overview asks for it once it is shown itself."""
    alerts, others = list_todos(at=clock.now())
    context = {
        **shell(request, active="overview"),
        "page_title": _("To do"),
        "todos": _todos(alerts, others),
    }
    return render_page(request, "console/todos.html", context, partial="todos")


def _kpi(kpi: Kpi) -> dict[str, Any]:
    labels = {
        "active_members": _("Active members"),
        "points_issued": _("Points issued"),
        "consumption": _("Benefits used"),
        "liability": _("Points liability"),
    }
    hints = {
        "active_members": _("Members who bought or requested a benefit"),
        "points_issued": _("Points credited, without those taken back"),
        "consumption": _("Units used ÷ units granted in the month"),
        "liability": _("Outstanding points × cost per point, today"),
    }
    if kpi.so_far is not None:
        shown = percent(kpi.so_far) if kpi.unit == "share" else number_short(kpi.so_far)
        hints[kpi.code] = _("This month so far: %(figure)s") % {"figure": shown}
    return {
        "kpi": kpi,
        "label": labels[kpi.code],
        "hint": hints[kpi.code],
        "good": "down" if kpi.code == "liability" else "up",
        "trend": kpi.series if any(value is not None for value in kpi.series) else None,
    }


def _flow_chart(found: Overview) -> Chart:
    return Chart(
        kind="area",
        labels=[f"{month:%Y-%m}" for month in found.months],
        series=[Series(_("Issued"), found.issued), Series(_("Spent"), found.spent)],
        unit="number",
    )


def _tier_name(name: dict[str, str]) -> str:
    language = get_language() or ""
    return name.get(language) or name.get(current_brand().locale) or next(iter(name.values()), "")


def _tier_chart(found: Overview) -> Chart:
    return Chart(
        kind="donut",
        labels=[_tier_name(size.tier.name) for size in found.tier_sizes],
        series=[Series(_("Members"), [size.members for size in found.tier_sizes])],
        unit="number",
    )


def _moves_chart(found: Overview) -> Chart:
    before, now = _("before"), _("now")
    flows = [
        Flow(
            f"{_tier_name(move.from_tier.name)}·{before}",
            f"{_tier_name(move.to_tier.name)}·{now}",
            move.members,
        )
        for move in found.tier_moves
        if move.from_tier is not None and move.members
    ]
    return Chart(kind="sankey", labels=[], series=[], flows=flows, unit="number")


def _cohort_chart(rows: list[CohortRow]) -> Chart:
    width = max((len(row.shares) for row in rows), default=0)
    return Chart(
        kind="heatmap",
        labels=[f"M{n}" for n in range(width)],
        series=[
            Series(f"{row.cohort:%Y-%m}", [*row.shares, *[None] * (width - len(row.shares))])
            for row in rows
        ],
        unit="percent",
    )


def _todos(found: Sequence[Alert], cards: Sequence[Todo]) -> list[dict[str, Any]]:
    names = benefit_names(language=get_language() or "")
    shown = [
        {
            "url": reverse("console:alert", args=[alert.pk]),
            "icon": "alert-triangle",
            "text": f"{alert.get_rule_display()} · {alert_subject(alert, names)}",
            "badge": alert.get_severity_display(),
            "tone": "bad" if alert.severity == Alert.Severity.CRITICAL else "warn",
            "due_on": alert.due_on,
        }
        for alert in found
    ]
    others = [
        {
            "url": todo_url(todo),
            "icon": "checklist",
            "text": todo.text,
            "badge": todo.badge,
            "tone": "bad" if todo.severity == "critical" else "warn",
            "due_on": None,
        }
        for todo in cards
    ]
    return shown + others
