"""Grant rules: who gets what, how often, and what that costs."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from benefits.catalogue.queries import localized
from benefits.grants.queries import list_rule_periods
from benefits.rules import operations, queries
from benefits.rules.models import GrantRule
from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.nav import shell
from core import clock
from core.web.figures import format_money
from core.web.responses import render_page
from members.segments import conditions
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


def subject(rule: GrantRule) -> str:
    """Return what a rule grants, such as “2 × Hand care”."""
    what = rule.benefit if rule.benefit is not None else rule.package
    name = localized(what.name, get_language()) if what is not None else ""
    return f"{rule.quantity} × {name}" if rule.quantity > 1 else name


def audience_words(tree: dict[str, Any]) -> str:
    """Return a condition as a phrase; one that no longer reads is said to be so."""
    try:
        condition = conditions.parse(tree)
    except conditions.ConditionError:
        return _("The condition names something that no longer exists.")
    return conditions.describe(condition, currency=current_brand().currency)


def sentence(rule: GrantRule) -> str:
    """Return the whole rule as one sentence."""
    cadence = str(rule.get_cadence_display())
    if rule.cadence == GrantRule.Cadence.EVERY_N_MONTHS and rule.every_months:
        cadence = ngettext("Every %(n)s month", "Every %(n)s months", rule.every_months) % {
            "n": rule.every_months
        }
    if rule.cadence == GrantRule.Cadence.ON_EVENT:
        cadence = _("On the event “%(name)s”") % {"name": rule.event_name}
    if not rule.condition:
        return _("%(cadence)s: %(what)s for every member.") % {
            "cadence": cadence,
            "what": subject(rule),
        }
    return _("%(cadence)s: %(what)s for each member of whom this is true: %(who)s.") % {
        "cadence": cadence,
        "what": subject(rule),
        "who": audience_words(rule.condition),
    }


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


def money(minor: int, currency: str) -> str:
    """Return an amount in the language of the page."""
    return format_money(minor, currency, language=get_language() or "en")


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
