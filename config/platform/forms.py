"""Forms of the platform's pages."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from config.platform.operations import BrandFacts
from core.money import CURRENCIES

_ZONES = sorted(zone for zone in available_timezones() if "/" in zone and "Etc/" not in zone)


class BrandForm(forms.Form):
    """What a person says about a new brand."""

    name = forms.CharField(label=_("Name of the brand"), max_length=80)
    slug = forms.CharField(
        label=_("Address"),
        max_length=40,
        validators=[
            RegexValidator(
                r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$",
                _("3 to 40 small letters, digits and hyphens, a letter first."),
            )
        ],
    )
    locale = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    timezone = forms.ChoiceField(
        label=_("Time zone"), choices=[("UTC", "UTC"), *((zone, zone) for zone in _ZONES)]
    )
    currency = forms.ChoiceField(
        label=_("Currency"), choices=[(code, code) for code in sorted(CURRENCIES)]
    )
    email = forms.EmailField(
        label=_("E-mail of the owner"), help_text=_("The owner signs in with a code sent there.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].help_text = _("Your pages live at <address>.%(host)s.") % {
            "host": settings.PLATFORM_HOST
        }

    @property
    def facts(self) -> BrandFacts:
        """Return the facts of a valid form."""
        return BrandFacts(**self.cleaned_data)


class CodeForm(forms.Form):
    """The code from the mail."""

    code = forms.CharField(
        label=pgettext_lazy("sent by mail", "Code"),
        max_length=6,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}
        ),
    )
