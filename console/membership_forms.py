"""Forms of paid memberships and of tiers set by hand."""

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.texts import localized
from console.forms import DateInput, MoneyField
from core.ids import uuid7
from members.tiers.models import PaidPlan, Tier, TierPin
from tenants.brands.context import current_brand


def _choices(tiers: list[Tier]) -> list[tuple[str, str]]:
    return [(tier.code, localized(tier.name, get_language())) for tier in tiers]


class OverrideForm(forms.Form):
    """A tier set by hand, through a day."""

    tier = forms.ChoiceField(label=_("Tier"))
    mode = forms.ChoiceField(
        label=_("How"),
        choices=TierPin.Mode.choices,
        help_text=_("Exactly also holds a member below what is earned or paid."),
    )
    until = forms.DateField(label=_("Last day"), widget=DateInput())
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stays in the tier history and in the audit."),
    )

    def __init__(self, *args: Any, tiers: list[Tier], **options: Any) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["tier"]
        field.choices = _choices(tiers)


class PlanForm(forms.Form):
    """A plan: which tier for how long at what price."""

    code = forms.SlugField(
        label=_("Code"), max_length=30, help_text=_("Your shop system names the plan by it.")
    )
    name = forms.CharField(label=_("Name"), max_length=60)
    tier_code = forms.ChoiceField(label=_("Gives at least"))
    price_minor = MoneyField(label=_("Price"))
    period_months = forms.IntegerField(label=_("Months per payment"), min_value=1, max_value=120)
    renews = forms.BooleanField(label=_("A renewal is expected"), required=False)
    grace_days = forms.IntegerField(
        label=_("Grace days"),
        min_value=0,
        max_value=90,
        initial=0,
        help_text=_("How long a renewal may be late; the tier is kept so long."),
    )
    is_offered = forms.BooleanField(label=_("On offer"), required=False, initial=True)

    def __init__(
        self, *args: Any, tiers: list[Tier], plan: PaidPlan | None = None, **options: Any
    ) -> None:
        brand = current_brand()
        self.plan = plan
        if plan is not None:
            options["initial"] = {
                name: getattr(plan, name)
                for name in (
                    "tier_code", "price_minor", "period_months", "renews", "grace_days",
                    "is_offered",
                )
            } | {"name": localized(plan.name, brand.locale)}  # fmt: skip
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["tier_code"].choices = _choices(tiers[1:])
        fields["price_minor"].currency = brand.currency
        fields["price_minor"].label = f"{fields['price_minor'].label} ({brand.currency})"
        del fields["code" if plan is not None else "is_offered"]

    def facts(self) -> dict[str, Any]:
        """Return what the operation takes; other languages of the name stay."""
        known = self.plan.name if self.plan is not None else {}
        return {
            **self.cleaned_data,
            "name": {**known, current_brand().locale: self.cleaned_data["name"]},
        }


class PaymentForm(forms.Form):
    """A payment that was taken: the first or a renewal."""

    plan = forms.ChoiceField(label=_("Plan"))
    amount_minor = MoneyField(
        label=_("Amount paid"), required=False, help_text=_("Empty: the plan's price.")
    )
    reference = forms.CharField(
        label=_("Payment reference"),
        max_length=100,
        help_text=_("From the till or the payment provider; the same one again changes nothing."),
    )

    def __init__(self, *args: Any, plans: list[PaidPlan], **options: Any) -> None:
        super().__init__(*args, **options)
        fields: Any = self.fields
        fields["plan"].choices = [
            (plan.code, localized(plan.name, get_language())) for plan in plans
        ]
        fields["amount_minor"].currency = current_brand().currency


class TermRefundForm(forms.Form):
    """Money given back for a term, which ends by it."""

    amount_minor = MoneyField(label=_("Amount given back"))
    reference = forms.CharField(label=_("Refund id"), max_length=100)
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, currency: str, paid_minor: int, **options: Any) -> None:
        super().__init__(*args, **options)
        amount: Any = self.fields["amount_minor"]
        amount.currency, amount.initial = currency, paid_minor
        amount.label = f"{amount.label} ({currency})"
        self.fields["reference"].initial = lambda: f"console-{uuid7().hex}"
