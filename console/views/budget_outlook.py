"""What if: other plans, more use, a rule that is not live yet. And the report for print."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from benefits.budget import queries, revisions
from benefits.budget.forecast import Assumption, Forecast, forecast
from benefits.budget.models import Budget
from benefits.budget.plan_files import PlannedLine
from benefits.insights.pilots import funded_pilots
from benefits.rules.publication import check_publication, paying_line
from benefits.rules.queries import list_rules
from console.access import StaffRequest, staff_page
from console.dialogs import lead_on
from console.nav import shell
from console.views.budget import reserve_chart, spend_chart
from console.views.budget_plans import said_of
from core import clock
from core.errors import DomainError
from core.money import InvalidAmountError, parse_decimal
from core.web.charts import Chart, Series
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_MOST_USE = 1_000


@staff_page(p.BUDGET_VIEW, methods=("GET", "POST"))
def what_if(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Project the budget under assumptions; a POST makes a revision of the assumed plans."""
    budget = queries.get_budget(budget_id=budget_id)
    at = clock.now()
    given = request.POST if request.method == "POST" else request.GET
    codes = list(budget.lines.order_by("pk").values_list("code", flat=True))
    drafts = list_rules(status="draft")
    rule = next((one for one in drafts if one.code == given.get("rule", "")), None)
    added: dict[str, int] = {}
    note = ""
    if rule is not None:
        line = paying_line(rule=rule, at=at)
        if line is None or line.budget_id != budget.pk:
            note = _("No line of this budget pays for that rule.")
        else:
            added[line.code] = check_publication(rule=rule, at=at).monthly.expected_minor
    typed, assumptions, bad = _assumptions(given, codes, added, budget)
    found = forecast(budget=budget, assumptions=assumptions, at=at)
    if request.method == "POST" and not bad:
        p.require(request.staff, p.BUDGET_EDIT)
        try:
            done = revisions.revise_plan(
                budget=budget,
                lines=_planned(budget, assumptions),
                reason=_("From a what-if"),
                by=request.actor,
                at=at,
            )
        except DomainError as error:
            note = error.detail
        else:
            return lead_on(
                request, said_of(done), url=reverse("console:plan_revision", args=[done.pk])
            )
    context: dict[str, Any] = {
        **shell(request, active="budget"),
        "page_title": _("What if"),
        "page_pretitle": budget.name,
        "budget": budget,
        "found": found,
        "rows": [
            {
                "found": line,
                "plan": typed[line.line.code][0],
                "use": typed[line.line.code][1],
                "bad": bad.get(line.line.code, ""),
                "added": added.get(line.line.code, 0),
            }
            for line in found.lines
        ],
        "drafts": drafts,
        "rule": rule,
        "note": note,
        "changes_plan": any(one.plan_minor for one in assumptions.values()),
        "chart": _chart(found),
        "is_open": budget.status == Budget.Status.OPEN,
    }
    status = 422 if request.method == "POST" or bad else 200
    return render_page(request, "console/what_if.html", context, partial="outcome", status=status)


def _assumptions(
    given: QueryDict, codes: list[str], added: dict[str, int], budget: Budget
) -> tuple[dict[str, tuple[str, str]], dict[str, Assumption], dict[str, str]]:
    """Read the form: what was typed, what it means, and what of it is no figure, by line."""
    typed: dict[str, tuple[str, str]] = {}
    meant: dict[str, Assumption] = {}
    bad: dict[str, str] = {}
    for code in codes:
        plan, use = given.get(f"plan_{code}", "").strip(), given.get(f"use_{code}", "").strip()
        typed[code] = (plan, use)
        try:
            step = parse_decimal(plan.replace(",", ""), budget.currency) if plan else 0
        except InvalidAmountError:
            bad[code] = _("Give an amount such as 1250 or -300.")
            continue
        percent = _percent(use)
        if percent is None:
            bad[code] = _("Give a change from -100 to 1,000 per cent.")
            continue
        meant[code] = Assumption(
            plan_minor=step,
            use_bp=10_000 + int(percent * 100),
            added_per_month_minor=added.get(code, 0),
        )
    return typed, meant, bad


def _percent(text: str) -> Decimal | None:
    try:
        percent = Decimal(text) if text else Decimal(0)
    except InvalidOperation:
        return None
    return percent if percent.is_finite() and -100 <= percent <= _MOST_USE else None


def _planned(budget: Budget, assumptions: dict[str, Assumption]) -> list[PlannedLine]:
    return [
        PlannedLine(
            code=one.line.code,
            planned_minor=one.planned + assumptions[one.line.code].plan_minor,
        )
        for one in queries.line_summaries(budget=budget)
        if assumptions[one.line.code].plan_minor
    ]


def _chart(found: Forecast) -> Chart:
    return Chart(
        kind="hbar",
        labels=[line.line.name for line in found.lines],
        series=[
            Series(_("Funded"), [line.funded_then for line in found.lines], role="good"),
            Series(_("As things are"), [line.projected for line in found.lines], role="previous"),
            Series(_("As assumed"), [line.projected_then for line in found.lines]),
        ],
        unit="money",
        currency=found.budget.currency,
    )


@staff_page(p.BUDGET_VIEW)
def report(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Show the budget and its reserve as a page for print."""
    budget = queries.get_budget(budget_id=budget_id)
    at = clock.now()
    today: date = clock.today(current_brand().timezone)
    history = queries.history(budget=budget)
    context = {
        **shell(request, active="budget"),
        "page_title": _("Budget report"),
        "page_pretitle": budget.name,
        "budget": budget,
        "today": today,
        "summary": queries.summary(budget=budget),
        "lines": queries.line_summaries(budget=budget),
        "draws": queries.list_draws(budget=budget),
        "pilots": funded_pilots(budget=budget, at=at),
        "latest": history[-1] if history else None,
        "reserve_chart": reserve_chart(budget, history),
        "spend_chart": spend_chart(budget, history),
        "is_open": budget.status == Budget.Status.OPEN,
    }
    return render_page(request, "console/budget_report.html", context)
