"""Earning rules: what is earned for what, as sentences; drafts can be tried on last month."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.access import StaffRequest, staff_page
from console.condition_forms import change_with_rows, mover, show_with_rows
from console.conditions import ConditionRows
from console.dialogs import finish, lead_on
from console.earning_forms import EarningRuleForm
from console.earning_words import rate_text, rule_sentence, trigger_text
from console.labels import tier_names
from console.nav import shell
from console.rule_words import audience_words
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.earning import queries, rule_operations
from members.earning.models import EarningRule
from members.earning.simulation import Simulation, simulate_rule
from members.earning.triggers import PURCHASE
from members.segments import conditions
from members.segments.queries import count_audience
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_RECENT = 30


@staff_page(p.TIERS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the earning rules, all or those of one status."""
    status = request.GET.get("status", "")
    status = status if status in EarningRule.Status.values else ""
    found = queries.list_rules(status=status or None)
    figures = queries.rule_figures(rule_ids=[rule.pk for rule in found], since=_since())
    address = reverse("console:earning_rules")
    context = {
        **shell(request, active="earning_rules"),
        "page_title": _("Earning rules"),
        "sections": sections("rules"),
        "tabs": [
            {
                "url": f"{address}?status={value}" if value else address,
                "label": label,
                "active": value == status,
            }
            for value, label in [("", _("All")), *EarningRule.Status.choices]
        ],
        "rows": [
            {
                "rule": rule,
                "trigger": trigger_text(rule),
                "rate": rate_text(rule),
                "who": audience_words(rule.condition or {}),
                "figures": figures.get(rule.pk),
            }
            for rule in found
        ],
    }
    return render_page(request, "console/earning_rules.html", context, partial="rows")


def sections(active: str) -> list[dict[str, Any]]:
    """Return the two lists of this part as tabs."""
    return [
        {"url": reverse(f"console:{name}"), "label": label, "active": key == active}
        for key, name, label in (
            ("rules", "earning_rules", _("Rules")),
            ("campaigns", "campaigns", _("Campaigns")),
        )
    ]


def _since() -> Any:
    return clock.today(current_brand().timezone) - timedelta(days=_RECENT)


@staff_page(p.TIERS_VIEW)
def show(request: StaffRequest, rule_id: int) -> HttpResponse:
    """Show one rule as a sentence, whom it fits now, and what it has given."""
    rule = queries.get_rule(rule_id=rule_id)
    audience = count_audience(condition=conditions.parse(rule.condition), at=clock.now())
    context = {
        **shell(request, active="earning_rules"),
        "page_title": rule.name,
        "rule": rule,
        "sentence": rule_sentence(rule),
        "trigger": trigger_text(rule),
        "rate": rate_text(rule),
        "audience": audience,
        "figures": queries.rule_figures(rule_ids=[rule.pk], since=_since()).get(rule.pk),
        "is_draft": rule.status == EarningRule.Status.DRAFT,
        "is_open": rule.status != EarningRule.Status.ENDED,
        "is_purchase": rule.trigger == PURCHASE,
    }
    return render_page(request, "console/earning_rule.html", context, partial="rule")


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Draft a rule."""
    form = EarningRuleForm(request.POST or None)
    return change_with_rows(
        request,
        form,
        stored=None,
        save=lambda condition: rule_operations.create_rule(
            condition=condition, by=request.actor, at=clock.now(), **form.facts()
        ),
        done=lambda made: lead_on(
            request, _("Drafted. Try it on last month, then start it."), url=_url(made.pk)
        ),
        show=lambda rows: _show_form(request, form, rows, title=_("New earning rule")),
    )


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, rule_id: int) -> HttpResponse:
    """Change a draft."""
    rule = queries.get_rule(rule_id=rule_id)
    form = EarningRuleForm(request.POST or None, rule=rule)
    return change_with_rows(
        request,
        form,
        stored=rule.condition,
        save=lambda condition: rule_operations.update_rule(
            rule_id=rule_id,
            fields={**form.facts(), "condition": condition},
            by=request.actor,
            at=clock.now(),
        ),
        done=lambda _made: finish(request, _("Rule saved."), changed="earning", url=_url(rule_id)),
        show=lambda rows: _show_form(
            request, form, rows, title=_("Change %(name)s") % {"name": rule.name}
        ),
    )


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def sentence(request: StaffRequest) -> HttpResponse:
    """Say what has been typed so far as a sentence."""
    typed = request.POST.copy()
    typed["name"] = typed.get("name", "").strip() or "–"
    form = EarningRuleForm(typed)
    words = ""
    if form.is_valid():
        try:
            condition = ConditionRows.from_post(request.POST).tree()
            draft = rule_operations.draft_rule(
                {**form.facts(), "condition": condition}, at=clock.now()
            )
            words = rule_sentence(draft)
        except DomainError as error:
            words = error.detail
    return render_page(request, "console/earning_sentence.html", {"sentence": words})


def _show_form(
    request: StaffRequest, form: EarningRuleForm, found: ConditionRows, *, title: str
) -> HttpResponse:
    return show_with_rows(
        request,
        form,
        found,
        template="console/earning_rule_form.html",
        title=title,
        active="earning_rules",
        rows_url=reverse("console:segment_rows"),
        rows_legend=_("Who earns it"),
    )


def _url(rule_id: int) -> str:
    return reverse("console:earning_rule", args=[rule_id])


_mover = partial(mover, key="rule_id", permission=p.RULES_PUBLISH, url=_url, changed="earning")
activate = _mover(rule_operations.activate_rule, _l("Started: the rule earns from now on."))
pause = _mover(rule_operations.pause_rule, _l("Paused."))
end = _mover(rule_operations.end_rule, _l("Ended."))


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def delete(request: StaffRequest, rule_id: int) -> HttpResponse:
    """Remove a draft."""
    rule_operations.delete_rule(rule_id=rule_id, by=request.actor, at=clock.now())
    return lead_on(request, _("The draft is removed."), url=reverse("console:earning_rules"))


@staff_page(p.TIERS_VIEW)
def simulate(request: StaffRequest, rule_id: int) -> HttpResponse:
    """Show what the rule would have given on last month's purchases."""
    rule = queries.get_rule(rule_id=rule_id)
    found = simulate_rule(rule=rule, at=clock.now())
    return show_simulation(request, found, title=rule.name, active="earning_rules")


def show_simulation(
    request: StaffRequest, found: Simulation, *, title: str, active: str
) -> HttpResponse:
    """Show the figures of a simulation in the dialog."""
    names = tier_names(on=clock.today(current_brand().timezone))
    context = {
        **shell(request, active=active),
        "page_title": _("%(name)s on last month's purchases") % {"name": title},
        "found": found,
        "cost": found.cost_minor(found.total.effect),
        "given_cost": found.cost_minor(found.total.given),
        "rows": [
            {
                "tier": names.get(code, code) if code else _("All members"),
                "figures": figures,
                "cost": found.cost_minor(figures.effect),
            }
            for code, figures in sorted(found.by_tier.items(), key=lambda item: -item[1].points)
        ],
    }
    return render_page(request, "console/earning_simulation.html", context, partial="simulation")
