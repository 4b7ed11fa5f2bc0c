"""Form fields for values whose type is data: text, number, date, yes or no, one of several."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Label = str | Promise
_YES_NO = [("", "–"), ("yes", _("Yes")), ("no", _("No"))]


class YesNoField(forms.TypedChoiceField):
    """Yes, no, or not known: cleaned to True, False or None."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=_YES_NO, coerce=lambda text: text == "yes", empty_value=None, **options
        )

    def prepare_value(self, value: Any) -> Any:
        return {True: "yes", False: "no"}.get(value, value) if type(value) is bool else value


def field_for(
    kind: str,
    *,
    label: Label,
    choices: Sequence[tuple[str, Label]] = (),
    required: bool = False,
    help_text: Label = "",
) -> forms.Field:
    """Return a field for `text`, `number`, `date`, `boolean` or `choice`.

    What is left empty is cleaned to None, or to an empty text.
    """
    options: dict[str, Any] = {"label": label, "required": required, "help_text": help_text}
    match kind:
        case "number":
            return forms.DecimalField(max_digits=15, decimal_places=6, **options)
        case "date":
            widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
            return forms.DateField(widget=widget, **options)
        case "boolean":
            return YesNoField(**options)
        case "choice":
            return forms.ChoiceField(choices=[("", "–"), *choices], **options)
        case _:
            return forms.CharField(max_length=500, **options)
