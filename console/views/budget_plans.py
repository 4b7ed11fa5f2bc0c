"""Budgets made and closed, their rules, and revisions of their plans."""

from datetime import date
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.budget import operations, queries, revisions, settings
from benefits.budget.models import PlanRevision
from benefits.budget.plan_files import MAX_BYTES, PlannedLine
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, refuse, show_form
from console.forms import MoneyField
from console.nav import shell
from console.views.budget import with_currency
from core import clock
from core.errors import DomainError, NotFoundError
from core.money import to_decimal
from core.web import csv_out
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_SHOWN = 100
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Why a line of a plan's file is bad, and why a file cannot be read.
PROBLEMS = {
    "code": _l("The code needs small letters, digits and hyphens, 40 at most."),
    "twice": _l("This code stands in the file twice."),
    "amount": _l("This is no amount, less than nothing, or has more decimals than the currency."),
    "kind": _l("The kind is one of: benefit, package, mall, points, pilot."),
    "policy": _l("The policy is refuse or alert."),
    "name": _l("A new line needs a name of 80 characters at most."),
    "width": _l("The line has more columns than the first line."),
}
REASONS = {
    "empty": _l("The file is empty."),
    "too_large": _l("The file is larger than 1 MB."),
    "too_many": _l("The file has more than 2,000 lines."),
    "encoding": _l("The file cannot be read as CSV."),
    "columns": _l("The first line must name the columns code and amount, each once."),
}


class BudgetForm(forms.Form):
    """A new budget."""

    name = forms.CharField(label=_l("Name"), max_length=80)
    period = forms.ChoiceField(
        label=_l("Period"),
        choices=[("month", _l("Month")), ("quarter", _l("Quarter")), ("year", _l("Year"))],
        initial="year",
    )
    starts = forms.DateField(
        label=_l("First month"),
        input_formats=["%Y-%m"],
        widget=forms.DateInput(attrs={"type": "month"}, format="%Y-%m"),
    )
    total = MoneyField(label=_l("Total"))


class PolicyForm(forms.Form):
    """The brand's rules for budgets."""

    reserve_share = forms.DecimalField(
        label=_l("Agile reserve (per cent of the total)"),
        min_value=0,
        max_value=100,
        decimal_places=2,
        help_text=_l("For budgets made from now on; a budget's reserve never changes."),
    )
    floor_share = forms.DecimalField(
        label=_l("Floor of the reserve (per cent of the total)"),
        min_value=0,
        max_value=100,
        decimal_places=2,
        help_text=_l("An alert opens when less than this is left in reserve."),
    )
    approval_limit = MoneyField(
        label=_l("One person may plan in a day"),
        required=False,
        help_text=_l("What passes it waits for somebody else. Empty: no limit."),
    )


class PlanForm(forms.Form):
    """Money for a line."""

    amount = MoneyField(label=_l("Amount"))
    take_back = forms.BooleanField(label=_l("Take back instead of adding"), required=False)
    reason = forms.CharField(label=_l("Reason"), max_length=300, required=False)


class PlanFileForm(forms.Form):
    """A file with a plan."""

    file = forms.FileField(
        label=_l("File"),
        help_text=_l(
            "CSV with the columns code and amount; for new lines also name, kind, policy."
        ),
    )


@staff_page(p.BUDGET_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Open a budget for a month, a quarter or a year."""
    policy = settings.get_policy()
    title = _("New budget")
    lead = _("%(share)s of the total is kept back as the agile reserve.") % {
        "share": f"{policy.reserve_share_bp / 100:g} %"
    }
    form = with_currency(BudgetForm(request.POST or None))
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="budget")
    data = form.cleaned_data
    starts_on: date = data["starts"]
    try:
        made = operations.create_budget(
            name=data["name"],
            starts_on=starts_on,
            ends_on=_months_later(starts_on, _MONTHS[data["period"]]),
            total_minor=data["total"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        error.data["pointer"] = "/starts"
        refuse(form, error)
        return show_form(request, form, title=title, lead=lead, active="budget")
    url = f"{reverse('console:budget')}?budget={made.pk}"
    return lead_on(request, _("Budget opened. Plan its lines next."), url=url)


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


@staff_page(p.BUDGET_EDIT, methods=("GET", "POST"))
def policy(request: StaffRequest) -> HttpResponse:
    """Set the brand's rules for budgets."""
    found = settings.get_policy()
    title = _("Rules for budgets")
    currency = current_brand().currency
    limit = found.approval_limit_minor
    initial = {
        "reserve_share": f"{found.reserve_share_bp / 100:g}",
        "floor_share": f"{found.floor_share_bp / 100:g}",
        "approval_limit": "" if limit is None else str(to_decimal(limit, currency)),
    }
    form = with_currency(PolicyForm(request.POST or None, initial=initial))
    if form.is_valid():
        data = form.cleaned_data
        try:
            settings.set_policy(
                reserve_share_bp=int(data["reserve_share"] * 100),
                floor_share_bp=int(data["floor_share"] * 100),
                approval_limit_minor=data["approval_limit"],
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            said = _("Rules saved.")
            return finish(request, said, changed="budget", url=reverse("console:budget"))
    lead = _("Who raises the limit gains nothing by it for a day.")
    return show_form(request, form, title=title, lead=lead, active="budget")


@staff_page(p.BUDGET_EDIT, methods=("POST",))
def close(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Close a budget whose period has ended, for good."""
    operations.close_period(
        budget=queries.get_budget(budget_id=budget_id), by=request.actor, at=clock.now()
    )
    said = _("The period is closed. What was left in reserve is not carried over.")
    return finish(
        request, said, changed="budget", url=f"{reverse('console:budget')}?budget={budget_id}"
    )


@staff_page(p.BUDGET_EDIT, methods=("GET", "POST"))
def plan(request: StaffRequest, line_id: int) -> HttpResponse:
    """Plan money for a line, or take some back; above the limit somebody else decides."""
    line = queries.get_line(line_id=line_id)
    title = _("Plan for %(line)s") % {"line": line.name}
    form = with_currency(PlanForm(request.POST or None))
    if not form.is_valid():
        return show_form(request, form, title=title, active="budget")
    data = form.cleaned_data
    found = next(
        one for one in queries.line_summaries(budget=line.budget) if one.line.pk == line.pk
    )
    step = -data["amount"] if data["take_back"] else data["amount"]
    try:
        done = revisions.revise_plan(
            budget=line.budget,
            lines=[PlannedLine(code=line.code, planned_minor=found.planned + step)],
            reason=data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        error.data.setdefault("pointer", "/amount")
        refuse(form, error)
        return show_form(request, form, title=title, active="budget")
    return finish(
        request,
        said_of(done),
        changed=("budget", "approvals"),
        url=f"{reverse('console:budget')}?budget={line.budget_id}",
    )


def said_of(revision: PlanRevision) -> str:
    """Return what to say after a revision was submitted."""
    if revision.state == PlanRevision.State.APPLIED:
        return _("Plan saved.")
    return _("This passes your limit: it waits for somebody else to approve it.")


@staff_page(p.BUDGET_VIEW)
def revisions_of(request: StaffRequest, budget_id: int) -> HttpResponse:
    """List the revisions of a budget's plan, the latest first."""
    budget = queries.get_budget(budget_id=budget_id)
    context = {
        **shell(request, active="budget"),
        "page_title": _("Revisions of the plan"),
        "page_pretitle": budget.name,
        "budget": budget,
        "revisions": queries.list_revisions(budget=budget),
    }
    return render_page(request, "console/plan_revisions.html", context, partial="rows")


@staff_page(p.BUDGET_VIEW)
def revision(request: StaffRequest, revision_id: int) -> HttpResponse:
    """Show one revision: what each line had and is to have."""
    found = queries.get_revision(revision_id=revision_id)
    names = dict(found.budget.lines.values_list("code", "name"))
    context = {
        **shell(request, active="budget"),
        "page_title": _("Revision %(number)s") % {"number": found.number},
        "page_pretitle": found.budget.name,
        "revision": found,
        "budget": found.budget,
        "changes": [
            {
                "code": change["code"],
                "name": names.get(change["code"]) or change.get("new", {}).get("name", ""),
                "is_new": "new" in change,
                "before": change["before_minor"],
                "after": change["after_minor"],
                "step": change["after_minor"] - change["before_minor"],
            }
            for change in found.changes
        ],
        "net": found.increase_minor - found.decrease_minor,
        "is_own": found.asked_by == request.actor.key,
    }
    return render_page(request, "console/plan_revision.html", context, partial="revision")


_VERDICTS: dict[str, tuple[Any, str]] = {
    "submit": (revisions.submit_revision, p.BUDGET_EDIT),
    "withdraw": (revisions.withdraw_revision, p.BUDGET_EDIT),
    "approve": (revisions.approve_revision, p.RESERVE_APPROVE),
    "refuse": (revisions.refuse_revision, p.RESERVE_APPROVE),
}


@staff_page(p.BUDGET_EDIT, methods=("POST",))
def decide_revision(request: StaffRequest, revision_id: int, verdict: str) -> HttpResponse:
    """Submit or withdraw one's own revision; approve or refuse somebody else's."""
    if verdict not in _VERDICTS:
        raise NotFoundError(verdict=verdict)
    act, permission = _VERDICTS[verdict]
    p.require(request.staff, permission)
    done = act(
        revision=queries.get_revision(revision_id=revision_id), by=request.actor, at=clock.now()
    )
    said = {
        PlanRevision.State.APPLIED: _("Plan saved."),
        PlanRevision.State.REQUESTED: said_of(done),
        PlanRevision.State.REFUSED: _("Refused."),
        PlanRevision.State.WITHDRAWN: _("The request is taken back."),
    }[PlanRevision.State(done.state)]
    return finish(
        request,
        said,
        changed=("budget", "approvals", "revision"),
        url=reverse("console:plan_revision", args=[done.pk]),
    )


@staff_page(p.BUDGET_EDIT, methods=("GET", "POST"))
def import_plan(request: StaffRequest, budget_id: int) -> HttpResponse:
    """Read a plan from a file: its revision is shown before anything changes."""
    budget = queries.get_budget(budget_id=budget_id)
    form = PlanFileForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {
        **shell(request, active="budget"),
        "page_title": _("Import a plan"),
        "page_pretitle": budget.name,
        "budget": budget,
        "form": form,
    }
    if form.is_valid():
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        try:
            made = revisions.draft_from_file(
                budget=budget,
                content=file.read(MAX_BYTES + 1),
                file_name=str(file.name),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            reason = REASONS.get(str(error.data.get("reason", "")))
            form.add_error("file", str(reason) if reason else error.detail)
            problems = error.data.get("problems", [])
            context |= {
                "count": len(problems),
                "problems": [
                    (row["line"], PROBLEMS[row["code"]], row["value"]) for row in problems[:_SHOWN]
                ],
            }
        else:
            message = _("The file is read. Nothing has changed yet: look at it, then apply it.")
            return lead_on(request, message, url=reverse("console:plan_revision", args=[made.pk]))
    status = 422 if form.is_bound else 200
    return render_page(
        request, "console/plan_import.html", context, partial="import", status=status
    )


@staff_page(p.BUDGET_VIEW)
def export_plan(request: StaffRequest, budget_id: int) -> HttpResponseBase:
    """Send the plan as the CSV that `import_plan` reads."""
    budget = queries.get_budget(budget_id=budget_id)
    rows = [
        [
            found.line.code,
            found.line.name,
            found.line.kind,
            to_decimal(found.planned, budget.currency),
            found.line.policy,
        ]
        for found in queries.line_summaries(budget=budget)
    ]
    answer = StreamingHttpResponse(
        csv_out.stream(["code", "name", "kind", "amount", "policy"], [rows]),
        content_type="text/csv; charset=utf-8",
    )
    name = slugify(budget.name) or f"budget-{budget.pk}"
    answer["Content-Disposition"] = f'attachment; filename="plan-{name}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
