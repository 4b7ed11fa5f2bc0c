"""Before and beside a rule's life: the publish dialog, a test with one member, its versions."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.grants.rehearsing import RuleTrace, dry_run, trace_rule
from benefits.rules import operations, queries
from benefits.rules.decision import Check
from benefits.rules.models import GrantRule
from benefits.rules.terms import Change, changes_between
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from console.people import actor_names
from console.rule_effect import effect_of
from console.rule_words import CHECKS, audience_words, money
from core import clock
from core.errors import DomainError
from core.money import to_decimal
from core.web.responses import render_page
from members.profiles.queries import search_members
from members.segments import conditions
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.RULES_PUBLISH)
def check(request: StaffRequest, code: str) -> HttpResponse:
    """Show what publishing a rule would mean: reach, cost, budget, the cost line, conflicts."""
    rule = queries.get_rule(code=code)
    at = clock.now()
    context = {
        **shell(request, active="rules"),
        "page_title": _("Publish %(name)s") % {"name": rule.name},
        "rule": rule,
        "effect": effect_of(rule, at=at),
        "changes": change_rows(queries.unpublished_changes(rule=rule)),
        "run": dry_run(rule=rule, at=at, sample=6),
    }
    return render_page(request, "console/rule_check.html", context, partial="form")


@staff_page(p.BENEFITS_VIEW)
def try_member(request: StaffRequest, code: str) -> HttpResponse:
    """Test a rule with one member: every question with the member's value and the result."""
    rule = queries.get_rule(code=code)
    text = request.GET.get("member", "").strip()
    found = search_members(text=text, limit=8) if text else []
    exact = [
        member for member in found if text.upper() in {member.number, member.external_id.upper()}
    ]
    member = exact[0] if exact else found[0] if len(found) == 1 else None
    trace = trace_rule(rule=rule, member=member, at=clock.now()) if member is not None else None
    context = {
        **shell(request, active="rules"),
        "page_title": _("Test %(name)s with a member") % {"name": rule.name},
        "rule": rule,
        "text": text,
        "found": [] if member is not None else found,
        "trace": trace,
        "checks": check_rows(trace) if trace is not None else [],
    }
    partial = "trace" if request.headers.get("HX-Target") == "trace" else "form"
    return render_page(request, "console/rule_try.html", context, partial=partial)


def check_rows(trace: RuleTrace) -> list[dict[str, Any]]:
    """Return the questions that were asked, in words, with the parts of the condition."""
    return [
        {
            "label": str(CHECKS.get(one.code, one.code)),
            "passed": one.passed,
            "note": _note(one),
            "parts": [_part(row) for row in one.data.get("parts", [])],
        }
        for one in (*trace.in_force, *trace.decision.checks)
    ]


def _note(one: Check) -> str:
    data = one.data
    if one.code == "hold_out":
        return _("number %(number)s of 10,000; below %(share)s is left out") % {
            "number": data["number"],
            "share": data["hold_out_bp"],
        }
    if one.code == "exclusivity":
        if data["held"]:
            return _("held: %(rules)s") % {"rules": ", ".join(data["held"])}
        if data["replaces"]:
            return _("takes the place of: %(rules)s") % {"rules": ", ".join(data["replaces"])}
        return str(data["group"])
    if "limit" in data:
        values = {name: _amount(one.code, data[name]) for name in ("limit", "used", "each")}
        return _("%(used)s of %(limit)s used; this one: %(each)s") % values
    return ""


def _amount(code: str, value: int) -> str:
    return money(value, current_brand().currency) if "minor" in code else f"{value:,}"


def _part(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one part of a condition: what is asked, what the member has, whether it holds."""
    if "word" in row:
        words = {"all": _("all of these"), "any": _("at least one of these"), "not": _("not this")}
        return {"depth": row["depth"], "text": words[row["word"]], "holds": row["holds"]}
    currency = current_brand().currency
    text = conditions.describe(conditions.parse(row["tree"]), currency=currency)
    return {
        "depth": row["depth"],
        "text": text,
        "holds": row["holds"],
        "value": _fact(row["field"], row["value"]),
    }


def _fact(name: str, value: Any) -> str:
    found = conditions.FIELDS.get(name)
    if value is None or value == []:
        return _("not known")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if found is not None and found.type is conditions.FieldType.MONEY:
        return money(value, current_brand().currency)
    if found is not None and found.choices is not None:
        return str(found.choices().get(str(value), value))
    return str(value)


@staff_page(p.BENEFITS_VIEW)
def versions(request: StaffRequest, code: str) -> HttpResponse:
    """Show how a rule was published over time, and what each version changed."""
    rule = queries.get_rule(code=code)
    found = queries.list_versions(rule=rule)
    names = actor_names(version.published_by for version in found)
    rows = []
    for place, version in enumerate(found):
        before = found[place + 1].terms if place + 1 < len(found) else {}
        rows.append(
            {
                "version": version,
                "by": names[version.published_by],
                "changes": change_rows(changes_between(before, version.terms)) if before else [],
            }
        )
    context = {
        **shell(request, active="rules"),
        "page_title": _("Versions of %(name)s") % {"name": rule.name},
        "rule": rule,
        "rows": rows,
        "waiting": change_rows(queries.unpublished_changes(rule=rule)),
    }
    return render_page(request, "console/rule_versions.html", context, partial="form")


def change_rows(changes: list[Change]) -> list[dict[str, str]]:
    """Return what differs between two versions, as labels and texts."""
    return [
        {
            "label": str(_NAMES.get(change.name, change.name)),
            "before": _term(change.name, change.before),
            "after": _term(change.name, change.after),
        }
        for change in changes
    ]


_NAMES: dict[str, str | Promise] = {
    **CHECKS,
    "condition": _l("Who gets it"),
    "benefit": _l("Benefit"),
    "package": _l("Package"),
    "name": _l("Name"),
    "cadence": _l("How often"),
    "every_months": _l("Number of months"),
    "event_name": _l("Name of the event"),
    "quantity": _l("Units each time"),
    "validity_days": _l("Valid for (days)"),
    "hold_out_bp": _l("Hold-out (%)"),
    "exclusivity_group": _l("Exclusivity group"),
    "on_lost": _l("When the condition is lost"),
    "on_refund": _l("When the purchase is refunded"),
    "budget_line": _l("Paid from"),
    "priority": _l("Priority"),
    "starts_at": _l("Starts"),
    "ends_at": _l("Ends"),
}


def _term(name: str, value: Any) -> str:
    if name == "condition":
        return audience_words(value or {})
    if value in (None, ""):
        return "–"
    if "minor" in name:
        return f"{to_decimal(value, current_brand().currency):,f}"
    if name == "hold_out_bp":
        return f"{value / 100:g}"
    if name == "cadence":
        return str(GrantRule.Cadence(value).label)
    if name in {"on_lost", "on_refund"}:
        return str(GrantRule.OnChange(value).label)
    if name.endswith("_at"):
        moment = parse_datetime(value)
        return f"{moment:%Y-%m-%d %H:%M}" if moment else str(value)
    return str(value)


class EndForm(forms.Form):
    """How a rule ends."""

    reason = forms.CharField(label=_l("Reason"), max_length=200, required=False)
    revoke_grants = forms.BooleanField(
        label=_l("Take back what members have not used yet"),
        required=False,
        help_text=_l("Else they keep it until it ends by itself."),
    )


@staff_page(p.RULES_PUBLISH, methods=("GET", "POST"))
def end(request: StaffRequest, code: str) -> HttpResponse:
    """End a rule for good, with or without what it has granted."""
    rule = queries.get_rule(code=code)
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            operations.end_rule(rule=rule, by=request.actor, at=clock.now(), **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            url = reverse("console:rule", args=[rule.code])
            return finish(request, _("Ended."), changed="rules", url=url)
    return show_form(
        request,
        form,
        title=_("End %(name)s for good") % {"name": rule.name},
        active="rules",
        submit=_("End"),
        tone="danger",
    )
