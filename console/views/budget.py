"""The budget of the period, its lines and movements, and the agile reserve."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.budget import operations, queries
from benefits.budget.jobs import take_snapshot
from benefits.budget.models import Budget, BudgetLine, ReserveDraw, ReserveSnapshot
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.forms import DateInput, MoneyField
from console.nav import shell
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.charts import Chart, Mark, Series
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 30


@staff_page(p.BUDGET_VIEW)
def show(request: StaffRequest) -> HttpResponse:
    """Show the budget of today, or the one asked for."""
    chosen = request.GET.get("budget", "")
    budgets = queries.list_budgets()
    today = clock.today(current_brand().timezone)
    if chosen.isdigit():
        budget = next((one for one in budgets if one.pk == int(chosen)), None)
        if budget is None:
            raise NotFoundError(budget=chosen)
    else:
        budget = next((one for one in budgets if one.starts_on <= today < one.ends_on), None)
    context: dict[str, Any] = {
        **shell(request, active="budget"),
        "page_title": _("Budget"),
        "budgets": budgets,
        "budget": budget,
        "page_pretitle": budget.name if budget is not None else "",
        "ended": [
            one
            for one in budgets
            if one.status == Budget.Status.OPEN and one.ends_on <= today and one != budget
        ],
    }
    if budget is not None:
        history = queries.history(budget=budget)
        context |= {
            "summary": queries.summary(budget=budget),
            "lines": queries.line_summaries(budget=budget),
            "draws": queries.list_draws(budget=budget),
            "latest": history[-1] if history else None,
            "reserve_chart": reserve_chart(budget, history),
            "spend_chart": spend_chart(budget, history),
            "me": request.actor.key,
            "is_open": budget.status == Budget.Status.OPEN,
            "has_ended": budget.status == Budget.Status.OPEN and budget.ends_on <= today,
        }
    return render_page(request, "console/budget.html", context, partial={"budget": "budget"})


def reserve_chart(budget: Budget, history: list[ReserveSnapshot]) -> Chart:
    """Draw what was left in reserve by day, against target and floor."""
    marks = [Mark(_("Target"), budget.opening_reserve_minor, role="good")]
    if budget.floor_minor:
        marks.append(Mark(_("Floor"), budget.floor_minor, role="bad"))
    return Chart(
        kind="area",
        labels=[f"{row.on_date:%m-%d}" for row in history],
        series=[Series(_("Reserve left"), [row.left_minor for row in history])],
        unit="money",
        currency=budget.currency,
        marks=marks,
    )


def spend_chart(budget: Budget, history: list[ReserveSnapshot]) -> Chart:
    """Draw what was spent by day, and where that leads."""
    return Chart(
        kind="line",
        labels=[f"{row.on_date:%m-%d}" for row in history],
        series=[
            Series(_("Spent"), [row.spent_minor for row in history], kind="area"),
            Series(_("Projected at the end"), [row.projected_minor for row in history]),
            Series(_("Low"), [row.projected_low_minor for row in history], role="previous"),
            Series(_("High"), [row.projected_high_minor for row in history], role="previous"),
        ],
        unit="money",
        currency=budget.currency,
        marks=[Mark(_("Total"), budget.total_minor, role="bad")],
    )


@staff_page(p.BUDGET_VIEW)
def entries(request: StaffRequest, budget_id: int) -> HttpResponse:
    """List the movements of a budget, newest first."""
    budget = queries.get_budget(budget_id=budget_id)
    after = request.GET.get("after", "")
    kind = request.GET.get("kind", "")
    found = queries.list_entries(
        budget=budget,
        kinds=[kind] if kind else [],
        before_id=int(after) if after.isdigit() else None,
        limit=PAGE,
    )
    more = len(found) > PAGE
    context = {
        **shell(request, active="budget"),
        "page_title": _("Movements"),
        "page_pretitle": budget.name,
        "budget": budget,
        "entries": found[:PAGE],
        "kinds": queries.Kind.choices,
        "kind": kind,
        "next": str(found[PAGE - 1].pk) if more else "",
    }
    return render_page(request, "console/budget_entries.html", context, partial="rows")


@staff_page(p.BUDGET_EDIT, methods=("POST",))
def track(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Run the reserve tracker now."""
    take_snapshot(budget=queries.get_budget(budget_id=budget_id), at=clock.now())
    return finish(
        request, _("The tracker has run."), changed="budget", url=reverse("console:budget")
    )


class LineForm(forms.Form):
    """A new line with its plan."""

    name = forms.CharField(label=_l("Name"), max_length=80)
    code = forms.SlugField(
        label=_l("Code"), max_length=40, help_text=_l("Small letters, digits and hyphens.")
    )
    kind = forms.ChoiceField(label=_l("What it is for"), choices=BudgetLine.Kind.choices)
    policy = forms.ChoiceField(
        label=_l("When the plan is used up"), choices=BudgetLine.Policy.choices
    )


class DrawForm(forms.Form):
    """A request for reserve money."""

    line = forms.ModelChoiceField(
        label=_l("For which line"), queryset=BudgetLine.objects.none(), to_field_name="code"
    )
    purpose = forms.ChoiceField(label=_l("Purpose"), choices=ReserveDraw.Purpose.choices)
    amount = MoneyField(label=_l("Amount"))
    exit_on = forms.DateField(
        label=_l("Exit date"),
        widget=DateInput(),
        help_text=_l("What is unspent on this day goes back to the reserve."),
    )
    reason = forms.CharField(
        label=_l("Reason"), widget=forms.Textarea(attrs={"rows": 3}), max_length=500
    )


def with_currency(form: forms.Form) -> forms.Form:
    """Give the form's amounts the brand's currency."""
    for field in form.fields.values():
        if isinstance(field, MoneyField):
            field.currency = current_brand().currency
            field.label = f"{field.label} ({field.currency})"
    return form


@staff_page(p.BUDGET_EDIT, methods=("GET", "POST"))
def add_line(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Add a line to a budget."""
    title = _("New line")
    form = LineForm(request.POST or None)
    if not form.is_valid():
        return show_form(request, form, title=title, active="budget")
    try:
        operations.add_line(
            budget=queries.get_budget(budget_id=budget_id),
            by=request.actor,
            at=clock.now(),
            **form.cleaned_data,
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="budget")
    return finish(
        request, _("Line added."), changed=("budget", "approvals"), url=reverse("console:budget")
    )


@staff_page(p.RESERVE_ASK, methods=("GET", "POST"))
def ask_draw(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Ask for reserve money; somebody else decides."""
    budget = queries.get_budget(budget_id=budget_id)
    title = _("Ask for reserve money")
    form = with_currency(DrawForm(request.POST or None))
    form.fields["line"].queryset = budget.lines.order_by("pk")  # type: ignore[attr-defined]
    form.fields["line"].label_from_instance = lambda line: line.name  # type: ignore[attr-defined]
    lead = _("Somebody else has to approve it: four eyes.")
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="budget")
    data = form.cleaned_data
    try:
        operations.ask_draw(
            line=data["line"],
            purpose=data["purpose"],
            reason=data["reason"],
            amount_minor=data["amount"],
            exit_on=data["exit_on"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="budget")
    return finish(
        request,
        _("Asked. Somebody else can approve it now."),
        changed="budget",
        url=reverse("console:budget"),
    )


@staff_page(p.RESERVE_APPROVE, methods=("POST",))
def decide_draw(request: StaffRequest, draw_id: int, verdict: str) -> HttpResponse:
    """Approve or refuse a draw."""
    draw = queries.get_draw(draw_id=draw_id)
    if verdict not in {"approve", "refuse"}:
        raise NotFoundError(verdict=verdict)
    decide = operations.approve_draw if verdict == "approve" else operations.refuse_draw
    decide(draw=draw, by=request.actor, at=clock.now())
    said = _("Approved: the money is on its line.") if verdict == "approve" else _("Refused.")
    return finish(request, said, changed=("budget", "approvals"), url=reverse("console:budget"))


@staff_page(p.BUDGET_EDIT, methods=("POST",))
def return_draw(request: StaffRequest, draw_id: int) -> HttpResponse:
    """End a draw before its exit date: what is unspent goes back."""
    operations.return_unspent(
        draw=queries.get_draw(draw_id=draw_id), by=request.actor, at=clock.now()
    )
    said = _("The rest is back in the reserve.")
    return finish(request, said, changed=("budget", "approvals"), url=reverse("console:budget"))


@staff_page(p.RESERVE_ASK, methods=("POST",))
def withdraw_draw(request: StaffRequest, draw_id: int) -> HttpResponse:
    """Take back a request of one's own."""
    operations.withdraw_draw(
        draw=queries.get_draw(draw_id=draw_id), by=request.actor, at=clock.now()
    )
    said = _("The request is taken back.")
    return finish(request, said, changed=("budget", "approvals"), url=reverse("console:budget"))
