"""The dialog of a grant rule: what, for whom, how often, how much at most."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.budget.queries import current_budget, line_summaries
from benefits.catalogue.models import CODE, Benefit
from benefits.catalogue.queries import get_benefit, get_package, list_benefits, list_packages
from benefits.catalogue.queries import localized as _localized
from benefits.rules import operations, queries
from benefits.rules.models import GrantRule
from console.access import StaffRequest, staff_page
from console.condition_forms import change_with_rows
from console.conditions import ConditionRows
from console.dialogs import lead_on
from console.fields import (
    FoldedForm,
    MomentField,
    PriceField,
    ShareField,
    with_currency,
)
from console.nav import shell
from console.rule_effect import effect_of
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.segments import conditions
from members.segments.queries import count_audience
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

_LIMITS = (
    "validity_days",
    "cap_per_member",
    "cap_units_per_period",
    "cap_minor_per_period",
    "cap_minor_per_member",
    "cap_units_per_day",
    "cap_minor_per_day",
    "cap_units_total",
    "cap_minor_total",
    "hold_out_bp",
    "exclusivity_group",
    "on_lost",
    "on_refund",
    "priority",
    "starts_at",
    "ends_at",
)


# What these say changes nothing of what the rule does.
_SILENT = {"name", "code", "priority", "on_lost", "on_refund"}


class RuleForm(FoldedForm):
    """A grant rule without its audience, which has rows of its own."""

    folded_label = _l("Limits, hold-out and dates")
    folded = _LIMITS

    name = forms.CharField(label=_l("Name"), max_length=120)
    code = forms.CharField(
        label=_l("Code"),
        max_length=40,
        validators=[CODE],
        help_text=_l("Small letters, digits and hyphens; fixed for good."),
    )
    what = forms.ChoiceField(label=_l("Benefit or package"))
    quantity = forms.IntegerField(label=_l("Units each time"), min_value=1, initial=1)
    cadence = forms.ChoiceField(label=_l("How often"), choices=GrantRule.Cadence.choices)
    every_months = forms.IntegerField(
        label=_l("Number of months"),
        min_value=1,
        max_value=120,
        required=False,
    )
    event_name = forms.CharField(
        label=_l("Name of the event"),
        max_length=60,
        required=False,
    )
    budget_line = forms.ChoiceField(label=_l("Paid from"), required=False)
    validity_days = forms.IntegerField(
        label=_l("Valid for (days)"),
        min_value=0,
        required=False,
        help_text=_l("Empty: until the period ends."),
    )
    cap_per_member = forms.IntegerField(
        label=_l("Units per member at most"), min_value=1, required=False
    )
    cap_units_per_period = forms.IntegerField(
        label=_l("Units per period at most"), min_value=0, required=False
    )
    cap_minor_per_period = PriceField(label=_l("Cost per period at most"), required=False)
    cap_minor_per_member = PriceField(label=_l("Cost per member at most"), required=False)
    cap_units_per_day = forms.IntegerField(
        label=_l("Units per day at most"), min_value=0, required=False
    )
    cap_minor_per_day = PriceField(label=_l("Cost per day at most"), required=False)
    cap_units_total = forms.IntegerField(
        label=_l("Units in all at most"), min_value=0, required=False
    )
    cap_minor_total = PriceField(label=_l("Cost in all at most"), required=False)
    exclusivity_group = forms.CharField(
        label=_l("Exclusivity group"),
        max_length=40,
        required=False,
        help_text=_l("A member holds live rights of one rule of a group at a time."),
    )
    on_lost = forms.ChoiceField(
        label=_l("When the condition is lost"),
        choices=GrantRule.OnChange.choices,
        required=False,
        initial=GrantRule.OnChange.KEEP,
    )
    on_refund = forms.ChoiceField(
        label=_l("When the purchase is refunded"),
        choices=GrantRule.OnChange.choices,
        required=False,
        initial=GrantRule.OnChange.REVOKE,
    )
    hold_out_bp = ShareField(
        label=_l("Hold-out (%)"),
        min_value=0,
        max_value=99,
        required=False,
        help_text=_l("Share of the audience that gets nothing, to measure against."),
    )
    priority = forms.IntegerField(
        label=_l("Priority"), initial=100, help_text=_l("Lower ones go first.")
    )
    starts_at = MomentField(label=_l("Starts"), required=False)
    ends_at = MomentField(label=_l("Ends"), required=False)

    def __init__(self, *args: Any, rule: GrantRule | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        if rule is not None:
            del self.fields["code"]
        language = get_language()
        self.fields["what"].choices = [  # type: ignore[attr-defined]
            *([("", _("Choose…"))] if rule is None else []),
            (
                _("Benefits"),
                [
                    (f"benefit:{row.code}", _localized(row.name, language))
                    for row in list_benefits()
                    # What the rule grants now stays to be chosen, whatever its stage.
                    if row.stage != Benefit.Stage.RETIRED
                    or (rule is not None and row.pk == rule.benefit_id)
                ],
            ),
            (
                _("Packages"),
                [
                    (f"package:{row.code}", _localized(row.name, language))
                    for row in list_packages(active_only=False)
                    if row.is_active or (rule is not None and row.pk == rule.package_id)
                ],
            ),
        ]
        budget = current_budget(on=clock.today(current_brand().timezone))
        self.lines = {
            row.line.code: row.line for row in (line_summaries(budget=budget) if budget else [])
        }
        if rule is not None and rule.budget_line is not None:
            self.lines.setdefault(rule.budget_line.code, rule.budget_line)
        self.fields["budget_line"].choices = [  # type: ignore[attr-defined]
            ("", _("No budget line")),
            *((code, line.name) for code, line in self.lines.items()),
        ]
        with_currency(self)
        for name, field in self.fields.items():
            if name not in _SILENT:
                # Whatever is chosen changes what stands beside the form.
                is_typed = not isinstance(field, forms.ChoiceField)
                field.widget.attrs |= {
                    "hx-post": reverse("console:condition_rows"),
                    "hx-include": "closest form",
                    "hx-swap": "none",
                    "hx-trigger": "input changed delay:400ms" if is_typed else "change",
                    # It waits its turn: what draws rows must never be called off by it.
                    "hx-sync": "closest form:queue last",
                }

    @property
    def when(self) -> str:
        """Return the cadence that is chosen now, which decides what else is asked."""
        return str(self["cadence"].value() or "")

    def facts(self) -> dict[str, Any]:
        """Return what the operations take, without the condition."""
        data = dict(self.cleaned_data)
        kind, _colon, code = data.pop("what").partition(":")
        line = self.lines.get(data.pop("budget_line"))
        return {
            **data,
            "hold_out_bp": data["hold_out_bp"] or 0,
            "on_lost": data["on_lost"] or GrantRule.OnChange.KEEP,
            "on_refund": data["on_refund"] or GrantRule.OnChange.REVOKE,
            "budget_line": line,
            "benefit": get_benefit(code=code) if kind == "benefit" else None,
            "package": get_package(code=code) if kind == "package" else None,
        }


def _initial(rule: GrantRule) -> dict[str, Any]:
    names = ["name", "quantity", "cadence", "every_months", "event_name", *_LIMITS]
    if rule.benefit is not None:
        what = f"benefit:{rule.benefit.code}"
    else:
        what = f"package:{rule.package.code}" if rule.package is not None else ""
    line = rule.budget_line.code if rule.budget_line is not None else ""
    return {**{name: getattr(rule, name) for name in names}, "what": what, "budget_line": line}


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Draft a rule."""
    form = RuleForm(request.POST or None, initial=_asked(request))
    return change_with_rows(
        request,
        form,
        stored={},
        save=lambda condition: operations.create_rule(
            condition=condition, by=request.actor, at=clock.now(), **form.facts()
        ),
        done=lambda rule: lead_on(
            request,
            _("Drafted. Test it with a member, then publish it."),
            url=reverse("console:rule", args=[rule.code]),
        ),
        show=lambda rows: _show(request, form, rows, rule=None, title=_("New grant rule")),
        names=_POINTERS,
    )


_POINTERS = {"benefit": "what", "package": "what"}


def _asked(request: StaffRequest) -> dict[str, Any]:
    for kind in ("benefit", "package"):
        if request.GET.get(kind):
            return {"what": f"{kind}:{request.GET[kind]}"}
    return {}


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change a draft or paused rule."""
    rule = queries.get_rule(code=code)
    form = RuleForm(request.POST or None, rule=rule, initial=_initial(rule))
    title = _("Change %(name)s") % {"name": rule.name}
    return change_with_rows(
        request,
        form,
        stored=rule.condition,
        save=lambda condition: operations.update_rule(
            rule=rule, condition=condition, by=request.actor, at=clock.now(), **form.facts()
        ),
        done=lambda _rule: lead_on(
            request, _("Rule saved."), url=reverse("console:rule", args=[code])
        ),
        show=lambda rows: _show(request, form, rows, rule=rule, title=title),
        names=_POINTERS,
    )


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def rows(request: StaffRequest) -> HttpResponse:
    """Draw the rows of the audience again and, in the builder, what the rule so far would mean."""
    found = ConditionRows.from_post(request.POST, more="add" in request.POST)
    context: dict[str, Any] = {"rows": found}
    tree = None
    try:
        tree = found.tree()
        condition = conditions.parse(tree)
        context |= {
            "words": conditions.describe(condition, currency=current_brand().currency),
            "reach": count_audience(condition=condition, at=clock.now()),
        }
    except DomainError:
        # A row that is not complete yet: what is wrong stands beside it once it is sent.
        for row in found.rows:
            row.error = row.error if row.value else ""
    if "builder" not in request.POST:
        return render_page(request, "console/condition_rows.html", context)
    # Unbound: what is not filled in yet is no mistake yet.
    form = RuleForm(initial=request.POST.dict())
    context |= {
        "is_oob": True,
        "effect": _effect(request, tree) if tree is not None else None,
        "form": form,
        # The questions that belong to a cadence are drawn again only when it is chosen.
        "is_when": request.headers.get("HX-Trigger-Name") == "cadence",
        "words": "",
    }
    return render_page(request, "console/rule_rows.html", context)


def _effect(request: StaffRequest, tree: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the rule so far would mean; None until it says what is given and how often."""
    known = request.POST.get("builder", "")
    stored = queries.get_rule(code=known) if known else None
    form = RuleForm(request.POST, rule=stored)
    form.is_valid()
    data = form.cleaned_data
    cadence = data.get("cadence", "")
    if not {"what", "quantity", "cadence"} <= data.keys():
        return None
    if cadence == GrantRule.Cadence.EVERY_N_MONTHS and not data.get("every_months"):
        return None
    if cadence == GrantRule.Cadence.ON_EVENT and not data.get("event_name"):
        return None
    facts = {
        name: data[name]
        for name in (*_LIMITS, "every_months", "event_name", "quantity", "cadence")
        if data.get(name) not in (None, "")
    }
    kind, _colon, code = data["what"].partition(":")
    draft = GrantRule(
        pk=stored.pk if stored else None,
        code=stored.code if stored else data.get("code") or "draft",
        condition=tree,
        benefit=get_benefit(code=code) if kind == "benefit" else None,
        package=get_package(code=code) if kind == "package" else None,
        budget_line=form.lines.get(data.get("budget_line") or ""),
        **facts,
    )
    return effect_of(draft, at=clock.now())


def _show(
    request: StaffRequest,
    form: RuleForm,
    found: ConditionRows,
    *,
    rule: GrantRule | None,
    title: str,
) -> HttpResponse:
    context = {
        **shell(request, active="rules"),
        "page_title": title,
        "form": form,
        "rows": found,
        "rule": rule,
        "action": request.get_full_path(),
        "back": reverse("console:rule", args=[rule.code]) if rule else reverse("console:rules"),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, "console/rule_form.html", context, partial="builder", status=status)
