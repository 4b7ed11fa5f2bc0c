"""Dialogs of the catalogue: a benefit made or changed, moved to another stage, its cost set."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue import operations, queries
from benefits.catalogue.kinds import get_kind
from benefits.catalogue.models import CODE, Benefit, CodePool
from benefits.catalogue.stages import NEXT
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, show_form
from console.fields import (
    FoldedForm,
    IconField,
    LinesField,
    ListField,
    MomentField,
    NamedField,
    PriceField,
    ShareField,
    add_texts,
    initial_texts,
    place_error,
    texts_of,
    with_currency,
)
from core import clock
from core.errors import DomainError
from members.tiers.queries import list_tiers
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


def _tiers() -> list[tuple[str, str]]:
    language = get_language()
    rows = list_tiers(on=clock.today(current_brand().timezone))
    return [(tier.code, queries.localized(tier.name, language)) for tier in rows]


_PARAMETERS: dict[str, dict[str, Any]] = {
    "discount": {
        "percent_bp": (ShareField, _l("Share off (%)"), {"min_value": 0, "max_value": 100}),
        "amount_minor": (PriceField, _l("Or an amount off"), {}),
        "minimum_minor": (PriceField, _l("From a purchase of"), {}),
    },
    "gift": {"sku": (forms.CharField, _l("Article number"), {"max_length": 64})},
    "partner_service": {
        "duration_minutes": (forms.IntegerField, _l("Minutes it takes"), {"min_value": 1}),
        "by_appointment": (forms.BooleanField, _l("By appointment"), {}),
    },
    "free_service": {
        "duration_minutes": (forms.IntegerField, _l("Minutes it takes"), {"min_value": 1}),
        "place": (forms.CharField, _l("Where"), {"max_length": 120}),
        "by_appointment": (forms.BooleanField, _l("By appointment"), {}),
    },
    "periodic_service": {
        "every_months": (forms.IntegerField, _l("Every how many months"), {"min_value": 1}),
        "remind_days": (
            forms.IntegerField,
            _l("Remind so many days before it ends"),
            {"min_value": 1, "max_value": 365, "initial": 14},
        ),
        "duration_minutes": (forms.IntegerField, _l("Minutes it takes"), {"min_value": 1}),
    },
    "points_credit": {"points": (forms.IntegerField, _l("Points"), {"min_value": 1})},
    "points_multiplier": {
        "multiplier_bp": (
            ShareField,
            _l("Points earned (%), 200 for double"),
            {"min_value": 101, "max_value": 1_000, "initial": 20_000},
        ),
        "days": (forms.IntegerField, _l("For how many days"), {"min_value": 1, "max_value": 366}),
    },
    "upgrade": {
        "tier": (forms.ChoiceField, _l("Tier"), {"choices": _tiers}),
        "days": (
            forms.IntegerField,
            _l("For how many days"),
            {"min_value": 1, "max_value": 1_096, "required": False},
        ),
        "months": (
            forms.IntegerField,
            _l("Or for how many months"),
            {"min_value": 1, "max_value": 36},
        ),
    },
    "content": {
        "url": (
            forms.URLField,
            _l("Address (https)"),
            {"max_length": 500, "assume_scheme": "https"},
        ),
        "access_days": (forms.IntegerField, _l("Access for (days)"), {"min_value": 1}),
    },
}
# What a kind cannot do without.
_REQUIRED = {"points", "multiplier_bp", "days", "every_months", "tier"}
_FOLDED = (
    "category",
    "icon",
    "sla_hours",
    "service_steps",
    "regions",
    "linked_categories",
    "cancel_returns_unit",
    "starts_at",
    "ends_at",
)


class BenefitForm(FoldedForm):
    """What a benefit of one kind is; with an instance its code and kind are fixed."""

    folded_label = _l("More: service standard, regions, dates, other languages")

    def __init__(self, *args: Any, kind: str, is_new: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        found = get_kind(kind)
        self.kind = kind
        fields = self.fields
        others = add_texts(self, "name", _l("Name"), required=True)
        if is_new:
            fields["code"] = forms.CharField(
                label=_l("Code"),
                max_length=40,
                validators=[CODE],
                help_text=_l("Small letters, digits and hyphens; fixed for good."),
            )
        others += add_texts(self, "summary", _l("In one sentence"))
        for name, (make, label, facts) in _PARAMETERS[kind].items():
            fields[name] = make(label=label, **{"required": name in _REQUIRED, **facts})
        channels = [pair for pair in Benefit.Channel.choices if pair[0] in found.channels]
        fields["channel"] = forms.ChoiceField(
            label=_l("How it is fulfilled"),
            choices=channels,
            # With one way there is nothing to choose.
            widget=forms.Select() if len(channels) > 1 else forms.HiddenInput(),
            initial=channels[0][0],
        )
        if "code" in found.channels:
            fields["code_pool"] = NamedField(
                label=_l("Code pool"),
                queryset=CodePool.objects.order_by("code"),
                to_field_name="code",
                required=False,
                empty_label=_("Codes of our own, made on request"),
            )
        if is_new:
            fields["stage"] = forms.ChoiceField(
                label=_l("Stage"),
                choices=[pair for pair in Benefit.Stage.choices if pair[0] != "retired"],
                initial=Benefit.Stage.IDEA,
                help_text=_l("An idea, unless it is one that runs already."),
            )
            fields["unit_cost_minor"] = PriceField(
                label=_l("Unit cost"), help_text=_l("What one unit costs you, from today on.")
            )
        fields["list_price_minor"] = PriceField(
            label=_l("List price"), help_text=_l("What it is worth to the member."), initial=0
        )
        others += add_texts(self, "terms", _l("Terms of use"), long=True)
        fields["category"] = forms.CharField(label=_l("Category"), max_length=40, required=False)
        fields["icon"] = IconField(label=_l("Icon"), initial=found.icon)
        fields["sla_hours"] = forms.IntegerField(
            label=_l("Service standard (hours)"),
            min_value=1,
            required=False,
            help_text=_l("From the request to the service."),
        )
        fields["service_steps"] = LinesField(
            label=_l("Steps of the service"), required=False, help_text=_l("One a line.")
        )
        fields["regions"] = ListField(
            label=_l("Regions"), required=False, help_text=_l("Empty: everywhere.")
        )
        fields["linked_categories"] = ListField(
            label=_l("Linked product categories"),
            required=False,
            help_text=_l("Categories whose sales it should lift."),
        )
        fields["cancel_returns_unit"] = forms.BooleanField(
            label=_l("Who cancels in time gets the unit back"), required=False, initial=True
        )
        fields["starts_at"] = MomentField(label=_l("Starts"), required=False)
        fields["ends_at"] = MomentField(label=_l("Ends"), required=False)
        self.folded = (*_FOLDED, *(name for name in fields if name.startswith("terms_")), *others)
        with_currency(self)

    def facts(self, benefit: Benefit | None = None) -> dict[str, Any]:
        """Return what the operations take, for a new benefit or this one."""
        data = self.cleaned_data
        names = [*_FOLDED, "channel", "list_price_minor", "code_pool"]
        found = {name: data[name] for name in names if name in self.fields}
        found |= {
            name: texts_of(self, name, stored=getattr(benefit, name, None))
            for name in ("name", "summary", "terms")
        }
        found["parameters"] = {
            name: data[name]
            for name in _PARAMETERS[self.kind]
            if data[name] not in (None, "", False)
        }
        return found


def _initial(benefit: Benefit) -> dict[str, Any]:
    names = [*_FOLDED, "channel", "list_price_minor"]
    return {
        **{name: getattr(benefit, name) for name in names},
        **initial_texts("name", benefit.name),
        **initial_texts("summary", benefit.summary),
        **initial_texts("terms", benefit.terms),
        **benefit.parameters,
        "code_pool": benefit.code_pool.code if benefit.code_pool else None,
    }


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest, kind: str) -> HttpResponse:
    """Add a benefit of one kind to the catalogue."""
    found = get_kind(kind)
    form = BenefitForm(request.POST or None, kind=kind, is_new=True)
    title = _("New benefit: %(kind)s") % {"kind": found.label}
    if not form.is_valid():
        return show_form(request, form, title=title, active="benefits")
    data = form.cleaned_data
    try:
        benefit = operations.create_benefit(
            code=data["code"],
            kind=kind,
            stage=data["stage"],
            unit_cost_minor=data["unit_cost_minor"],
            by=request.actor,
            at=clock.now(),
            **form.facts(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, active="benefits")
    return lead_on(request, _("Benefit added."), url=_url(benefit))


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str) -> HttpResponse:
    """Change a benefit; grants keep the terms they were given."""
    benefit = queries.get_benefit(code=code)
    form = BenefitForm(
        request.POST or None, kind=benefit.kind, is_new=False, initial=_initial(benefit)
    )
    title = _("Change %(name)s") % {"name": _name(benefit)}
    lead = _("Grants that members hold keep the terms they were given.")
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, active="benefits")
    try:
        operations.update_benefit(
            benefit=benefit, by=request.actor, at=clock.now(), **form.facts(benefit)
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, lead=lead, active="benefits")
    return finish(request, _("Benefit saved."), changed="benefits", url=_url(benefit))


class StageForm(forms.Form):
    """The next stage of a benefit, and why."""

    to = forms.ChoiceField(label=_l("To"))
    reason = forms.CharField(
        label=_l("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1000,
        help_text=_l("It stays in the benefit's history."),
    )

    def __init__(self, *args: Any, stage: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["to"].choices = [  # type: ignore[attr-defined]
            pair for pair in Benefit.Stage.choices if pair[0] in NEXT[stage]
        ]


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def move(request: StaffRequest, code: str) -> HttpResponse:
    """Move a benefit to another stage of its life."""
    benefit = queries.get_benefit(code=code)
    form = StageForm(request.POST or None, stage=benefit.stage)
    title = _("Move %(name)s") % {"name": _name(benefit)}
    lead = _("It is in the stage “%(stage)s” now.") % {"stage": benefit.get_stage_display()}
    if not form.is_valid():
        return show_form(request, form, title=title, lead=lead, submit=_("Move"), active="benefits")
    try:
        operations.change_stage(
            benefit=benefit,
            to=form.cleaned_data["to"],
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        place_error(form, error)
        return show_form(request, form, title=title, lead=lead, submit=_("Move"), active="benefits")
    return finish(request, _("Moved."), changed="benefits", url=_url(benefit))


def _name(benefit: Benefit) -> str:
    return queries.localized(benefit.name, get_language())


def _url(benefit: Benefit) -> str:
    return reverse("console:benefit", args=[benefit.code])
