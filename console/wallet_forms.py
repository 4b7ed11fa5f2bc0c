"""Forms about wallets: one for each part of the rules, so that each is short."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from members.points.models import Wallet

MICRO = 1_000_000
_MOST = 10**12


def _number(label: Any, name: str, *, required: bool = False, least: int = 0) -> forms.IntegerField:
    field: Any = Wallet._meta.get_field(name)  # noqa: SLF001  (Django's own API)
    return forms.IntegerField(
        label=label, required=required, min_value=least, max_value=_MOST, help_text=field.help_text
    )


class ExpiryForm(forms.Form):
    """Until when points are good."""

    expiry_policy = forms.ChoiceField(label=_("Points expire"), choices=Wallet.ExpiryPolicy.choices)
    expiry_months = forms.IntegerField(label=_("Months"), min_value=0, max_value=600, initial=0)
    pending_days = forms.IntegerField(
        label=_("Days until they can be spent"), min_value=0, max_value=365
    )
    expiring_notice_days = forms.IntegerField(
        label=_("Days of notice before they expire"),
        min_value=0,
        max_value=365,
        help_text=_("0: no notice."),
    )
    restore_grace_days = forms.IntegerField(
        label=_("Days that expired points stay good when they are given back"),
        min_value=0,
        max_value=3650,
    )


class EarningForm(forms.Form):
    """Caps on having and earning."""

    balance_cap = _number(_("Most points at a time"), "balance_cap")
    earn_cap_day = _number(_("Most points earned in a day"), "earn_cap_day")
    earn_cap_month = _number(_("Most points earned in a month"), "earn_cap_month")
    cap_policy = forms.ChoiceField(
        label=_("A credit that passes a cap"), choices=Wallet.CapPolicy.choices
    )


class SpendingForm(forms.Form):
    """What members may choose to spend, and what a point costs."""

    spend_min = _number(_("Fewest points at once"), "spend_min", required=True)
    spend_step = _number(_("In steps of"), "spend_step", required=True, least=1)
    cost_per_point = forms.DecimalField(
        label=_("Cost of a point"),
        min_value=0,
        max_digits=12,
        decimal_places=6,
        help_text=_("In the smallest unit of your currency, such as cents: 0.5."),
    )

    @property
    def rules(self) -> dict[str, Any]:
        """Return the rules as the domain names them."""
        rules = dict(self.cleaned_data)
        rules["cost_per_point_micro"] = int(rules.pop("cost_per_point") * MICRO)
        return rules


class ClawbackForm(forms.Form):
    """What happens when points that are spent must be taken back."""

    way = forms.ChoiceField(
        label=_("Points that were spent"),
        choices=[
            ("write_off", _("Write off, and note the shortfall")),
            ("debt", _("Let the balance go below zero")),
            ("recover", _("Recover from later credits")),
        ],
    )
    recover_percent = forms.IntegerField(
        label=_("Share of each later credit, in per cent"),
        min_value=1,
        max_value=100,
        required=False,
        help_text=_("Only for recovery; 100 takes all of it until nothing is owed."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("way") == "recover" and not cleaned.get("recover_percent"):
            self.add_error("recover_percent", _("Say which share."))
        return cleaned

    @property
    def rules(self) -> dict[str, Any]:
        """Return the rules as the domain names them."""
        way = self.cleaned_data["way"]
        return {
            "may_go_negative": way == "debt",
            "recover_percent": self.cleaned_data["recover_percent"] if way == "recover" else 0,
        }


class ConsentForm(forms.Form):
    """How much one person adjusts alone."""

    adjust_limit = _number(_("Points that one person adjusts alone"), "adjust_limit")


class TransfersForm(forms.Form):
    """Whether and how members pass points on."""

    transfers_on = forms.BooleanField(
        label=_("Members may pass points on to each other"), required=False
    )
    transfer_min = _number(
        _("Fewest points in one transfer"), "transfer_min", required=True, least=1
    )
    transfer_day_points = _number(_("Most points a day"), "transfer_day_points")
    transfer_day_count = forms.IntegerField(
        label=_("Most transfers a day"), min_value=0, max_value=1000, required=False
    )


class NewWalletForm(forms.Form):
    """Another thing that members collect."""

    name = forms.CharField(label=_("What members call it"), max_length=60)
    code = forms.SlugField(
        label=_("Code"),
        max_length=20,
        help_text=_("What your systems call it; it stays for ever."),
    )


FORMS: dict[str, type[forms.Form]] = {
    "expiry": ExpiryForm,
    "earning": EarningForm,
    "spending": SpendingForm,
    "clawback": ClawbackForm,
    "consent": ConsentForm,
    "transfers": TransfersForm,
}


def initial_of(wallet: Wallet, form: type[forms.Form]) -> dict[str, Any]:
    """Return what a form about a wallet starts with."""
    values: dict[str, Any] = {
        name: getattr(wallet, name) for name in form.base_fields if hasattr(wallet, name)
    }
    if form is SpendingForm:
        cost = Decimal(wallet.cost_per_point_micro) / MICRO
        values["cost_per_point"] = f"{cost:f}".rstrip("0").rstrip(".") if cost else "0"
    if form is ClawbackForm:
        values["way"] = (
            "debt"
            if wallet.may_go_negative
            else "recover"
            if wallet.recover_percent
            else "write_off"
        )
        values["recover_percent"] = wallet.recover_percent or None
    return values
