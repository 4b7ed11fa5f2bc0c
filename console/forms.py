"""Form fields that several pages share."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.money import InvalidAmountError, parse_decimal, to_decimal


class MoneyField(forms.CharField):
    """An amount typed in major units, such as 1,250.50; cleaned to minor units."""

    default_error_messages = {
        "amount": _("Give an amount such as 1250 or 1250.50."),
        "positive": _("Give an amount above zero."),
    }

    def __init__(self, *, currency: str = "USD", **options: Any) -> None:
        super().__init__(**options)
        self.currency = currency
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return str(to_decimal(value, self.currency)) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        if text in self.empty_values:
            return None
        try:
            minor = parse_decimal(text.replace(",", "").replace(" ", ""), self.currency)
        except InvalidAmountError:
            raise forms.ValidationError(self.error_messages["amount"], code="amount") from None
        if minor <= 0:
            raise forms.ValidationError(self.error_messages["positive"], code="positive")
        return minor


class DateInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")
