"""Grant rules: who gets what, how often, and what that costs."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from benefits.grants.queries import list_rule_periods
from benefits.rules import operations, queries
from benefits.rules.models import GrantRule
from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.nav import shell
from console.rule_words import audience_words, money, sentence, subject
from core import clock
from core.web.responses import render_page
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the rules by priority, all or those of one status."""
    status = request.GET.get("status", "")
    status = status if status in GrantRule.Status.values else ""
    address = reverse("console:rules")
    context = {
        **shell(request, active="rules"),
        "page_title": _("Grant rules"),
        "tabs": [
            {
                "url": f"{address}?status={value}" if value else address,
                "label": label,
                "active": value == status,
            }
            for value, label in [("", _("All")), *GrantRule.Status.choices]
        ],
        "rows": [
            {"rule": rule, "what": subject(rule), "who": audience_words(rule.condition)}
            for rule in queries.list_rules(status=status or None)
        ],
    }
    return render_page(request, "console/rules.html", context, partial="rows")


@staff_page(p.BENEFITS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show one rule as a sentence, whom it reaches now, and what it has issued."""
    rule = queries.get_rule(code=code)
    context = {
        **shell(request, active="rules"),
        "page_title": rule.name,
        "rule": rule,
        "sentence": sentence(rule),
        "what": subject(rule),
        "more_terms": _more_terms(rule),
        "preview": queries.preview(rule=rule, at=clock.now()),
        "periods": list_rule_periods(rule=rule),
        "is_open": rule.status != GrantRule.Status.ENDED,
        "may_change": rule.status in {GrantRule.Status.DRAFT, GrantRule.Status.PAUSED},
    }
    return render_page(request, "console/rule.html", context, partial="rule")


@staff_page(p.RULES_PUBLISH, methods=("POST",))
def publish(request: StaffRequest, code: str) -> HttpResponse:
    """Put a rule into force."""
    rule = queries.get_rule(code=code)
    operations.publish_rule(rule=rule, by=request.actor, at=clock.now())
    return finish(request, _("Published: the rule is in force."), changed="rules", url=_url(rule))


@staff_page(p.RULES_PUBLISH, methods=("POST",))
def pause(request: StaffRequest, code: str) -> HttpResponse:
    """Stop a rule for the time being."""
    rule = queries.get_rule(code=code)
    operations.pause_rule(rule=rule, by=request.actor, at=clock.now())
    return finish(request, _("Paused."), changed="rules", url=_url(rule))


def _more_terms(rule: GrantRule) -> list[dict[str, Any]]:
    """Return the limits that a rule has beside the common ones."""
    currency = current_brand().currency
    found = [
        (_("Cost per member at most"), rule.cap_minor_per_member, True),
        (_("Units per day at most"), rule.cap_units_per_day, False),
        (_("Cost per day at most"), rule.cap_minor_per_day, True),
        (_("Units in all at most"), rule.cap_units_total, False),
        (_("Cost in all at most"), rule.cap_minor_total, True),
    ]
    rows = [
        {"label": label, "after": money(value, currency) if is_money else f"{value:,}"}
        for label, value, is_money in found
        if value is not None
    ]
    if rule.exclusivity_group:
        rows.append({"label": _("Exclusivity group"), "after": rule.exclusivity_group})
    if rule.condition:
        rows.append({"label": _("When the condition is lost"), "after": rule.get_on_lost_display()})
    if rule.cadence == GrantRule.Cadence.ON_PURCHASE:
        rows.append(
            {"label": _("When the purchase is refunded"), "after": rule.get_on_refund_display()}
        )
    return rows


def _url(rule: GrantRule) -> str:
    return reverse("console:rule", args=[rule.code])
