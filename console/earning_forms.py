"""The forms of earning rules and campaigns; the audience has rows of its own."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from console.fields import FoldedForm, ListField, MomentField, with_currency
from console.forms import MoneyField
from members.earning.models import Campaign, EarningRule
from members.earning.queries import list_rules
from members.earning.triggers import PURCHASE, list_triggers

_BASIS = 10_000


class FactorField(forms.DecimalField):
    """A multiplier typed as 1.5; cleaned to basis points."""

    def __init__(self, **options: Any) -> None:
        super().__init__(decimal_places=4, min_value=0, max_value=100, **options)

    def prepare_value(self, value: Any) -> Any:
        return f"{value / _BASIS:g}" if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        factor = super().clean(value)
        return None if factor is None else int(factor * _BASIS)


class EarningRuleForm(FoldedForm):
    """An earning rule without its audience."""

    folded_label = _l("Which purchases, stacking and dates")
    folded = (
        "categories",
        "category_mode",
        "stores",
        "channels",
        "stacking",
        "stack_group",
        "priority",
        "starts_at",
        "ends_at",
    )

    name = forms.CharField(label=_l("Name"), max_length=80)
    trigger = forms.ChoiceField(label=_l("What for"))
    event_name = forms.CharField(
        label=_l("Name of the event"),
        max_length=60,
        required=False,
        help_text=_l("Only for “An event”."),
    )
    points = forms.IntegerField(label=_l("Points"), min_value=1, initial=1)
    effect = forms.ChoiceField(label=_l("Way of counting"), choices=EarningRule.Effect.choices)
    unit_minor = MoneyField(label=_l("For each"), required=False, initial=100)
    wallets = forms.ChoiceField(label=_l("Credits"), choices=EarningRule.Wallets.choices)
    cap_per_day = forms.IntegerField(
        label=_l("Per member and day at most"), min_value=0, required=False
    )
    cap_per_month = forms.IntegerField(
        label=_l("Per member and month at most"), min_value=0, required=False
    )
    pending_days = forms.IntegerField(
        label=_l("Days until they can be spent"),
        min_value=0,
        max_value=366,
        required=False,
        help_text=_l("Empty: as the wallet says."),
    )
    categories = ListField(
        label=_l("Categories"), required=False, help_text=_l("With commas between; empty: all.")
    )
    category_mode = forms.ChoiceField(
        label=_l("Of these"), choices=EarningRule.CategoryMode.choices
    )
    stores = ListField(
        label=_l("Stores"), required=False, help_text=_l("Codes, with commas between.")
    )
    channels = ListField(label=_l("Channels"), required=False, help_text=_l("Such as web, store."))
    stacking = forms.ChoiceField(
        label=_l("Beside other rules"), choices=EarningRule.Stacking.choices
    )
    stack_group = forms.CharField(label=_l("Group"), max_length=40, required=False)
    priority = forms.IntegerField(
        label=_l("Priority"), initial=100, min_value=0, help_text=_l("Lower ones go first.")
    )
    starts_at = MomentField(label=_l("Starts"), required=False)
    ends_at = MomentField(label=_l("Ends"), required=False)

    def __init__(self, *args: Any, rule: EarningRule | None = None, **options: Any) -> None:
        initial = dict(options.pop("initial", None) or {})
        if rule is not None:
            initial |= {name: getattr(rule, name) for name in self.base_fields}
        options["initial"] = initial
        super().__init__(*args, **options)
        triggers = [(code, str(label)) for code, label in list_triggers().items()]
        self.fields["trigger"].choices = triggers  # type: ignore[attr-defined]
        with_currency(self)

    def facts(self) -> dict[str, Any]:
        """Return what the operations take, without the condition."""
        data = dict(self.cleaned_data)
        data["unit_minor"] = data["unit_minor"] or 100
        if data["trigger"] != PURCHASE:
            data["effect"] = EarningRule.Effect.FIXED
        return data


class CampaignForm(FoldedForm):
    """A campaign without its audience."""

    folded_label = _l("Which rules and purchases")
    folded = ("rule_ids", "combine", "categories", "stores", "channels")

    name = forms.CharField(label=_l("Name"), max_length=80)
    effect = forms.ChoiceField(label=_l("What it gives"), choices=Campaign.Effect.choices)
    multiplier_bp = FactorField(
        label=_l("Points × "), required=False, help_text=_l("Such as 2; for a multiplier.")
    )
    points = forms.IntegerField(
        label=_l("Bonus points"), min_value=1, required=False, help_text=_l("For a bonus.")
    )
    starts_at = MomentField(label=_l("Starts"))
    ends_at = MomentField(label=_l("Ends"))
    rule_ids = forms.TypedMultipleChoiceField(
        label=_l("Acts on"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_l("None chosen: on all rules for purchases."),
    )
    combine = forms.ChoiceField(
        label=_l("Beside other campaigns"), choices=Campaign.Combine.choices
    )
    categories = ListField(
        label=_l("Categories"),
        required=False,
        help_text=_l("A purchase with a line of one of them counts; empty: all."),
    )
    stores = ListField(
        label=_l("Stores"), required=False, help_text=_l("Codes, with commas between.")
    )
    channels = ListField(label=_l("Channels"), required=False, help_text=_l("Such as web, store."))

    def __init__(self, *args: Any, campaign: Campaign | None = None, **options: Any) -> None:
        initial = dict(options.pop("initial", None) or {})
        if campaign is not None:
            initial |= {name: getattr(campaign, name) for name in self.base_fields}
            if campaign.effect == Campaign.Effect.BONUS:
                initial["multiplier_bp"] = None
            else:
                initial["points"] = None
        options["initial"] = initial
        super().__init__(*args, **options)
        self.fields["rule_ids"].choices = [  # type: ignore[attr-defined]
            (rule.pk, rule.name)
            for rule in list_rules()
            if rule.trigger == PURCHASE and rule.status != EarningRule.Status.ENDED
        ]

    def clean(self) -> dict[str, Any]:
        """See that what the chosen effect needs is there."""
        data = super().clean() or {}
        needed = "points" if data.get("effect") == Campaign.Effect.BONUS else "multiplier_bp"
        if not data.get(needed) and needed not in self.errors:
            self.add_error(needed, _("Give a value."))
        return data

    def facts(self) -> dict[str, Any]:
        """Return what the operations take, without the condition."""
        data = dict(self.cleaned_data)
        is_bonus = data["effect"] == Campaign.Effect.BONUS
        data["multiplier_bp"] = _BASIS if is_bonus else data["multiplier_bp"]
        data["points"] = data["points"] if is_bonus else 0
        return data
