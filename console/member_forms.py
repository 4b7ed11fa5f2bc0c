"""Forms about one member."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import localized
from console.fields import FoldedForm, ListField
from console.forms import DateInput, MoneyField
from core.ids import uuid7
from members.profiles.models import Member


class ProfileForm(FoldedForm):
    """What is known of a person; the domain looks at each value."""

    folded_label = _("More: region, store, language, tags")
    folded = ("gender", "birthday", "region", "store_code", "locale", "tags")

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"), max_length=120, required=False
    )
    email = forms.EmailField(
        label=_("E-mail"), required=False, help_text=_("The member signs in by a code sent there.")
    )
    phone = forms.CharField(label=_("Phone"), max_length=30, required=False)
    gender = forms.CharField(label=_("Gender"), max_length=20, required=False)
    birthday = forms.DateField(label=_("Birthday"), widget=DateInput(), required=False)
    region = forms.CharField(
        label=_("Region"), max_length=40, required=False, help_text=_("Where benefits reach them.")
    )
    store_code = forms.CharField(label=_("Store"), max_length=40, required=False)
    locale = forms.ChoiceField(label=_("Language"), required=False)
    tags = ListField(label=_("Tags"), required=False, help_text=_("With commas between."))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        languages: Any = self.fields["locale"]
        languages.choices = [("", _("The brand's own")), *settings.LANGUAGES]


class EnrolForm(ProfileForm):
    """A person to be enrolled by hand."""

    external_id = forms.CharField(
        label=_("Customer id"),
        max_length=64,
        help_text=_("The key of this person in your shop system; purchases name it."),
    )
    field_order = ("external_id",)


def profile_values(member: Member) -> dict[str, Any]:
    """Return what a profile form starts with."""
    personal = getattr(member, "personal", None)
    return {
        field: getattr(row, field)
        for row, fields in (
            (personal, ("name", "email", "phone", "gender", "birthday")),
            (member, ("region", "store_code", "locale", "tags")),
        )
        if row is not None
        for field in fields
    }


class OnceForm(forms.Form):
    """A form that carries the key of its effect, so that sending it twice does it once."""

    key = forms.UUIDField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["key"].initial = uuid7

    @property
    def effect_key(self) -> UUID:
        """Return the key of what this form does."""
        key: UUID = self.cleaned_data["key"]
        return key


class ReasonForm(forms.Form):
    """Why something is done; it stays in the audit."""

    reason = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )


class AdjustForm(OnceForm):
    """A correction of a balance by hand."""

    wallet = forms.ChoiceField(
        label=_("Wallet"), choices=[("points", _("Points")), ("growth", _("Growth"))]
    )
    direction = forms.ChoiceField(
        label=_("Direction"), choices=[("add", _("Add")), ("take", _("Take away"))]
    )
    amount = forms.IntegerField(label=_("How many"), min_value=1, max_value=1_000_000)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The member sees it in the points history; it stays in the audit."),
    )

    def __init__(self, *args: Any, wallets: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        chooser: Any = self.fields["wallet"]
        chooser.choices = [*chooser.choices, *wallets]

    @property
    def signed_amount(self) -> int:
        """Return the change of the balance."""
        amount: int = self.cleaned_data["amount"]
        return amount if self.cleaned_data["direction"] == "add" else -amount


class RefundForm(forms.Form):
    """Money given back for a purchase."""

    amount_minor = MoneyField(label=_("Amount given back"))
    external_id = forms.CharField(
        label=_("Refund id"),
        max_length=100,
        help_text=_("The id in your shop system; the same id again changes nothing."),
    )

    def __init__(self, *args: Any, currency: str, left_minor: int, **options: Any) -> None:
        super().__init__(*args, **options)
        amount: Any = self.fields["amount_minor"]
        amount.currency, amount.initial = currency, left_minor
        amount.label = f"{amount.label} ({currency})"
        self.fields["external_id"].initial = lambda: f"console-{uuid7().hex}"


class GiveForm(OnceForm):
    """A benefit given by hand."""

    benefit = forms.ChoiceField(label=_("Benefit"))
    quantity = forms.IntegerField(label=_("Units"), min_value=1, max_value=100, initial=1)
    ends_on = forms.DateField(
        label=_("Good until"), widget=DateInput(), required=False, help_text=_("Empty: no end.")
    )
    note = forms.CharField(
        label=_("Reason"), max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, benefits: list[Benefit], **options: Any) -> None:
        super().__init__(*args, **options)
        chooser: Any = self.fields["benefit"]
        chooser.choices = [
            (benefit.code, localized(benefit.name, get_language() or "")) for benefit in benefits
        ]
