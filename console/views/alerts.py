"""Alerts: what needs a person, who has it, how it ended."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.queries import benefit_names
from benefits.insights import operations, queries
from benefits.insights.models import Alert
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.forms import DateInput
from console.labels import alert_subject
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.accounts.queries import list_staff

PAGE = 30


@staff_page(p.ALERTS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List alerts: the open ones by due date, or the closed ones, latest first."""
    state = "closed" if request.GET.get("state") == "closed" else "open"
    after = request.GET.get("after", "")
    found = queries.list_alerts(
        state=state, before_id=int(after) if after.isdigit() else None, limit=PAGE + 1
    )
    names = benefit_names(language=get_language() or "")
    owners = {row.pk: row.user.get_full_name() for row in list_staff()}
    context = {
        **shell(request, active="alerts"),
        "page_title": _("Alerts"),
        "state": state,
        "rows": [
            {
                "alert": alert,
                "subject": alert_subject(alert, names),
                "owner": owners.get(alert.owner_id or 0, ""),
                "late": alert.state == Alert.State.OPEN
                and alert.due_on < clock.today(request.tenant.timezone),  # type: ignore[attr-defined]
            }
            for alert in found[:PAGE]
        ],
        "next": str(found[PAGE - 1].pk) if state == "closed" and len(found) > PAGE else "",
    }
    return render_page(request, "console/alerts.html", context, partial="rows")


@staff_page(p.ALERTS_VIEW)
def show(request: StaffRequest, alert_id: int) -> HttpResponse:
    """Show one alert with the figures that opened it."""
    alert = queries.get_alert(alert_id=alert_id)
    names = benefit_names(language=get_language() or "")
    owners = {row.pk: row.user.get_full_name() for row in list_staff()}
    context = {
        **shell(request, active="alerts"),
        "page_title": alert.get_rule_display(),
        "page_pretitle": alert_subject(alert, names),
        "alert": alert,
        "figures": _figures(alert),
        "owner": owners.get(alert.owner_id or 0, ""),
        "why": _why(alert),
    }
    return render_page(request, "console/alert.html", context, partial="alert")


def _why(alert: Alert) -> str:
    return {
        Alert.Rule.PENETRATION_LOW: _(
            "Fewer than 15 % of the members who hold this benefit asked for it, two months running."
        ),
        Alert.Rule.COST_RATIO_HIGH: _(
            "The cost of fulfilled benefits was more than 7 % of the month's net purchases."
        ),
        Alert.Rule.RESERVE_LOW: _("Less is left in the agile reserve than its floor."),
        Alert.Rule.ORDER_UNASSIGNED: _("No partner of the pool took this order."),
    }.get(Alert.Rule(alert.rule), "")


def _figures(alert: Alert) -> list[dict[str, Any]]:
    if alert.rule == Alert.Rule.PENETRATION_LOW:
        return [
            {
                "label": month,
                "share": users / target if target else None,
                "detail": _("%(users)s of %(target)s members") % {"users": users, "target": target},
            }
            for month, (users, target) in sorted(alert.figures.items())
        ]
    words = {
        "cost_minor": _("Cost"),
        "revenue_minor": _("Net purchases"),
        "left_minor": _("Reserve left"),
        "floor_minor": _("Floor"),
    }
    return [
        {"label": words.get(name, name.replace("_", " ")), "minor": value}
        if name.endswith("_minor")
        else {"label": words.get(name, name.replace("_", " ")), "detail": value}
        for name, value in alert.figures.items()
    ]


class AssignForm(forms.Form):
    """Who takes an alert, and until when."""

    owner = forms.TypedChoiceField(label=_l("Owner"), coerce=int)
    due_on = forms.DateField(label=_l("Due"), widget=DateInput())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["owner"].choices = [  # type: ignore[attr-defined]
            (row.pk, f"{row.user.get_full_name()} · {row.get_role_display()}")
            for row in list_staff()
            if row.is_active
        ]


class CloseForm(forms.Form):
    """How an alert ended."""

    outcome = forms.CharField(
        label=_l("Outcome"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1000,
        help_text=_l("What was found and done; it stays with the alert."),
    )


class SnoozeForm(forms.Form):
    """Until when an alert is put off, and why."""

    until = forms.DateField(label=_l("Until"), widget=DateInput())
    reason = forms.CharField(label=_l("Reason"), max_length=200)


def _url(alert: Alert) -> str:
    return reverse("console:alert", args=[alert.pk])


@staff_page(p.ALERTS_EDIT, methods=("GET", "POST"))
def assign(request: StaffRequest, alert_id: int) -> HttpResponse:
    """Give an alert an owner and a due date."""
    alert = queries.get_alert(alert_id=alert_id)
    initial = {"owner": alert.owner_id or request.staff.pk, "due_on": alert.due_on}
    form = AssignForm(request.POST or None, initial=initial)
    if not form.is_valid():
        return show_form(request, form, title=_("Assign alert"), active="alerts")
    operations.assign_alert(
        alert=alert,
        owner_id=form.cleaned_data["owner"],
        due_on=form.cleaned_data["due_on"],
        by=request.actor,
        at=clock.now(),
    )
    return finish(request, _("Assigned."), changed="alerts", url=_url(alert))


@staff_page(p.ALERTS_EDIT, methods=("GET", "POST"))
def close(request: StaffRequest, alert_id: int) -> HttpResponse:
    """Close an alert with its outcome."""
    alert = queries.get_alert(alert_id=alert_id)
    form = CloseForm(request.POST or None)
    if not form.is_valid():
        return show_form(request, form, title=_("Close alert"), active="alerts")
    try:
        operations.close_alert(
            alert=alert, outcome=form.cleaned_data["outcome"], by=request.actor, at=clock.now()
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=_("Close alert"), active="alerts")
    return finish(request, _("Closed."), changed="alerts", url=_url(alert))


@staff_page(p.ALERTS_EDIT, methods=("GET", "POST"))
def snooze(request: StaffRequest, alert_id: int) -> HttpResponse:
    """Put an alert off until a day, for a reason."""
    alert = queries.get_alert(alert_id=alert_id)
    form = SnoozeForm(request.POST or None)
    if not form.is_valid():
        return show_form(request, form, title=_("Put alert off"), active="alerts")
    try:
        operations.snooze_alert(
            alert=alert,
            until=form.cleaned_data["until"],
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=_("Put alert off"), active="alerts")
    return finish(request, _("Put off."), changed="alerts", url=_url(alert))
