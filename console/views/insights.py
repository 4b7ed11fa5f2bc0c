"""Insights: the programme's month, one benefit's month in depth, and the rows behind a figure."""

from datetime import date
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import get_benefit
from benefits.catalogue.texts import localized
from benefits.insights import drill, operations, pages
from benefits.insights.formulas import Figure
from benefits.insights.models import BenefitSlice
from benefits.insights.months import first_of, month_of
from benefits.insights.pages import BenefitPage, ProgrammePage
from benefits.insights.queries import cohorts
from console.access import StaffRequest, staff_page
from console.labels import tier_names
from console.nav import shell
from core import clock
from core.web import csv_out
from core.web.charts import Chart, Flow, Series
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 50
SHOWN = ("tier", "region", "store", "associate", "channel", "partner")


def month_choice(request: StaffRequest) -> tuple[date, list[date]]:
    """Return the month asked for, by default the last whole one, and those to choose from."""
    months = [first_of(clock.today(current_brand().timezone), back=back) for back in range(24)]
    asked = request.GET.get("month", "")
    return next((month for month in months if f"{month:%Y-%m}" == asked), months[1]), months


@staff_page(p.OVERVIEW_VIEW)
def programme(request: StaffRequest) -> HttpResponse:
    """Show the programme's month: measures with formulas, benefits side by side, moves, value."""
    month, months = month_choice(request)
    found = pages.get_programme_page(month=month)
    context = {
        **shell(request, active="insights"),
        "page_title": _("Insights"),
        "month": month,
        "months": months,
        "found": found,
        "figures": [figure_row(figure) for figure in found.figures],
        "rows": [
            {"row": row, "name": localized(row.benefit.name, get_language())}
            for row in found.benefits
        ],
        "moves_chart": _moves_chart(found),
        "cohort_chart": _cohort_chart(found),
        "value_chart": _value_chart(found),
        "points_chart": _points_chart(found),
    }
    return render_page(request, "console/insights/programme.html", context, partial="insights")


def figure_row(figure: Figure) -> dict[str, Any]:
    """Return a figure for the page, with whether more of it is good."""
    costs = {"cost_ratio", "cost_ratio_3m", "cost_per_use", "breakage"}
    measure = figure.measure
    is_low = measure.code == "penetration" and measure.value is not None and measure.value < 0.15
    is_high = measure.code.startswith("cost_ratio") and (measure.value or 0) > 0.07
    return {
        "figure": figure,
        "measure": measure,
        "good": "down" if measure.code in costs else "up",
        "is_bad": is_low or is_high,
        "money_parts": measure.code in {"cost_ratio", "cost_ratio_3m", "service_share"}
        or measure.code == "category_share",
    }


def _moves_chart(found: ProgrammePage) -> Chart:
    names = tier_names(on=first_of(found.month, back=-1))
    before, after, joined = _("before"), _("after"), _("Joined")
    return Chart(
        kind="sankey",
        flows=[
            Flow(
                f"{names.get(move.from_code, move.from_code) if move.from_code else joined}·{before}",
                f"{names.get(move.to_code, move.to_code)}·{after}",
                move.members,
            )
            for move in found.moves
        ],
    )


def _cohort_chart(found: ProgrammePage) -> Chart:
    rows = cohorts(last=found.month, size=12)
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


def _value_chart(found: ProgrammePage) -> Chart:
    return Chart(
        kind="bar",
        labels=[f"{row.cohort:%Y-%m}" for row in found.values],
        series=[
            Series(
                _("%(count)d months") % {"count": span},
                [None if (v := row.per_member[span]) is None else round(v) for row in found.values],
            )
            for span in pages.VALUE_AFTER
        ],
        unit="money",
        currency=current_brand().currency,
    )


def _points_chart(found: ProgrammePage) -> Chart:
    return Chart(
        kind="line",
        labels=[f"{fact.month:%Y-%m}" for fact in found.points],
        series=[
            Series(_("Issued"), [fact.points_issued for fact in found.points]),
            Series(_("Spent"), [fact.points_spent for fact in found.points]),
            Series(_("Expired"), [fact.points_expired for fact in found.points]),
            Series(_("Outstanding"), [fact.liability_points for fact in found.points], kind="area"),
        ],
    )


@staff_page(p.BENEFITS_VIEW)
def benefit(request: StaffRequest, code: str) -> HttpResponse:
    """Show one benefit's month: every measure with its formula, triangle, parts."""
    found_benefit = get_benefit(code=code)
    month, months = month_choice(request)
    found = pages.get_benefit_page(benefit=found_benefit, month=month)
    dimension = request.GET.get("by", "tier")
    dimension = dimension if dimension in SHOWN else "tier"
    address = f"{request.path}?month={month:%Y-%m}"
    parts = found.slices.get(dimension, [])
    labels = tier_names(on=first_of(month, back=-1)) if dimension == "tier" else {}
    context = {
        **benefit_shell(request, found_benefit, "measures"),
        "month": month,
        "months": months,
        "found": found,
        "figures": [figure_row(figure) for figure in found.figures],
        "triangle_chart": _triangle_chart(found),
        "triangle": [_corner(found, number) for number in range(3)],
        "dimension": dimension,
        "dimensions": [
            {
                "url": f"{address}&by={name}",
                "label": label,
                "active": name == dimension,
            }
            for name, label in BenefitSlice.Dimension.choices
        ],
        "slices": [
            {"part": part, "label": labels.get(part.value, part.value)}
            for part in parts[: pages.SLICES_SHOWN]
        ],
        "more_slices": max(len(parts) - pages.SLICES_SHOWN, 0),
        "facts_url": reverse("console:insight_facts") + f"?benefit={code}&by={dimension}",
    }
    return render_page(request, "console/insights/benefit.html", context, partial="insights")


def benefit_shell(request: StaffRequest, found: Benefit, tab: str) -> dict[str, Any]:
    """Return what all insight pages of one benefit share: title, tabs."""
    names = (
        ("measures", _("Measures"), "insight_benefit"),
        ("return", _("Return"), "insight_return"),
    )
    return {
        **shell(request, active="insights"),
        "page_title": localized(found.name, get_language()),
        "benefit": found,
        "tabs": [
            {
                "url": reverse(f"console:{page}", args=[found.code]),
                "label": label,
                "active": name == tab,
            }
            for name, label, page in names
        ],
    }


def _corner(found: BenefitPage, number: int) -> dict[str, Any]:
    corner = found.corners[number]
    labels = {"usage": _("Usage"), "nps": _("NPS"), "repurchase": _("Repurchase")}
    return {"label": labels[corner.code], "corner": corner}


def _triangle_chart(found: BenefitPage) -> Chart:
    now = [corner.now for corner in found.corners]
    before = [corner.before for corner in found.corners]
    others = [corner.others for corner in found.corners]
    series = [Series(_("Users, %(month)s") % {"month": f"{found.month:%Y-%m}"}, now)]
    if any(value is not None for value in before):
        series.append(Series(f"{first_of(found.month, back=1):%Y-%m}", before, role="previous"))
    if any(value is not None for value in others):
        series.append(Series(_("Non-users"), others, role="target"))
    return Chart(
        kind="radar",
        labels=[_("Usage"), _("NPS"), _("Repurchase")],
        series=series if any(value is not None for value in now) else [],
        unit="percent",
        maximum=1,
    )


@staff_page(p.MEMBERS_VIEW)
def rows(request: StaffRequest, code: str, kind: str) -> HttpResponse:
    """List the rows behind a figure, page by page."""
    found_benefit = get_benefit(code=code)
    month, _months = month_choice(request)
    after = request.GET.get("after", "")
    found = drill.list_rows(
        benefit=found_benefit,
        month=month_of(month, current_brand().timezone),
        kind=kind,
        after=int(after) if after.isdigit() else 0,
        limit=PAGE + 1,
    )
    context = {
        **shell(request, active="insights"),
        "page_title": drill.KINDS[kind].title,
        "page_pretitle": f"{localized(found_benefit.name, get_language())} · {month:%Y-%m}",
        "benefit": found_benefit,
        "month": month,
        "kind": drill.KINDS[kind],
        "file_url": reverse("console:insight_rows_file", args=[code, kind])
        + f"?month={month:%Y-%m}",
        "rows": found[:PAGE],
        "next": str(found[PAGE - 1].id) if len(found) > PAGE else "",
    }
    return render_page(request, "console/insights/rows.html", context, partial="rows")


@staff_page(p.SEGMENTS_EXPORT)
def rows_file(request: StaffRequest, code: str, kind: str) -> HttpResponseBase:
    """Send the rows behind a figure as CSV; written into the audit."""
    found_benefit = get_benefit(code=code)
    month, _months = month_choice(request)
    span = month_of(month, current_brand().timezone)
    operations.note_export(
        benefit=found_benefit, month=month, kind=kind, by=request.actor, at=clock.now()
    )
    pieces = drill.stream_rows(benefit=found_benefit, month=span, kind=kind)
    return _file(
        f"{code}-{kind}-{month:%Y-%m}",
        ["id", "number", "external_id", "amount", "at"],
        ([(r.id, r.number, r.external_id, r.amount, r.at) for r in piece] for piece in pieces),
    )


@staff_page(p.OVERVIEW_VIEW)
def facts_file(request: StaffRequest) -> HttpResponseBase:
    """Send monthly facts as CSV: of one benefit or all, whole or by a dimension; or the programme's."""
    today = clock.today(current_brand().timezone)
    first = first_of(today, back=23)
    dimension = request.GET.get("by", "")
    if dimension == "programme":
        found = pages.list_programme_facts(first=first, last=today)
    else:
        code = request.GET.get("benefit", "")
        found = pages.list_facts(
            first=first,
            last=today,
            benefit=get_benefit(code=code) if code else None,
            dimension=dimension if dimension in BenefitSlice.Dimension.values else "",
        )
    head = list(found[0]) if found else ["month"]
    return _file(f"facts-{dimension or 'benefits'}", head, [[list(row.values()) for row in found]])


def _file(name: str, head: list[str], chunks: Any) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(
        csv_out.stream(head, chunks), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
