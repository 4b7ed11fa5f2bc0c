"""Form fields for what the programme is made of: texts by language, shares, lists, times."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.texts import localized
from console.forms import MoneyField
from core.errors import DomainError
from core.web.icons import icon_names
from tenants.brands.context import current_brand


class FoldedForm(forms.Form):
    """A form whose `folded` fields are behind one click, so that the first view is short."""

    template_name = "forms/folded.html"
    folded: Iterable[str] = ()
    folded_label: str | Promise = _("More")

    @property
    def shown_fields(self) -> list[BoundField]:
        """Return the fields that are always to be seen."""
        return [self[name] for name in self.fields if name not in set(self.folded)]

    @property
    def folded_fields(self) -> list[BoundField]:
        """Return the fields behind the click."""
        return [self[name] for name in self.fields if name in set(self.folded)]

    @property
    def is_open(self) -> bool:
        """Say whether the folded part must be seen at once: something in it is wrong."""
        return any(name in self.errors for name in self.folded) if self.is_bound else False


class PriceField(MoneyField):
    """An amount in major units that may also be nothing."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if "0" in text and not text.strip("0.,"):
            return 0
        return super().to_python(value)


class ShareField(forms.DecimalField):
    """A share typed in per cent; cleaned to basis points."""

    def __init__(self, **options: Any) -> None:
        super().__init__(decimal_places=2, **options)

    def prepare_value(self, value: Any) -> Any:
        return f"{value / 100:g}" if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        share = super().clean(value)
        return None if share is None else int(share * 100)


class ListField(forms.CharField):
    """Short texts typed with commas between; cleaned to a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value) or "").replace("，", ",").replace("、", ",")
        return [part.strip() for part in text.split(",") if part.strip()]


class LinesField(ListField):
    """Texts typed one a line; cleaned to a list."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class IconField(forms.ChoiceField):
    """One of the icons that pages can draw."""

    def __init__(self, **options: Any) -> None:
        choices = [(name, name.replace("-", " ")) for name in icon_names()]
        super().__init__(choices=choices, **options)


class NamedField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One row of a table, called by its name in the language of the page."""

    def label_from_instance(self, obj: Any) -> str:
        return obj.name if isinstance(obj.name, str) else localized(obj.name, get_language())


class MomentField(forms.DateTimeField):
    """A date and time in the brand's zone, with the browser's own picker."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M")
        widget.input_type = "datetime-local"
        super().__init__(widget=widget, **options)


def languages() -> list[tuple[str, str]]:
    """Return the languages of texts, the brand's own first."""
    own = current_brand().locale
    return sorted(
        ((code, str(name)) for code, name in settings.LANGUAGES), key=lambda pair: pair[0] != own
    )


def add_texts(
    form: forms.Form, name: str, label: str | Promise, *, long: bool = False, required: bool = False
) -> list[str]:
    """Add a field for each language; return the names of those that are not the brand's own."""
    others = []
    for place, (code, language) in enumerate(languages()):
        key = f"{name}_{code}"
        form.fields[key] = forms.CharField(
            label=f"{label} · {language}",
            required=required and place == 0,
            max_length=4000 if long else 120,
            widget=forms.Textarea(attrs={"rows": 3}) if long else forms.TextInput(),
        )
        if place:
            others.append(key)
    return others


def texts_of(
    form: forms.Form, name: str, *, stored: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what was typed as a map from language to text.

    Texts that are `stored` in languages the form does not show stay.
    """
    shown = {code for code, _language in languages()}
    kept = {code: text for code, text in (stored or {}).items() if code not in shown}
    return kept | {
        code: form.cleaned_data[f"{name}_{code}"]
        for code, _language in languages()
        if form.cleaned_data.get(f"{name}_{code}")
    }


def initial_texts(name: str, texts: dict[str, str]) -> dict[str, str]:
    """Return the initial values of the fields of `add_texts`."""
    return {f"{name}_{code}": text for code, text in texts.items()}


def with_currency(form: forms.Form) -> None:
    """Tell the form's amounts of the brand's currency, and people by the label."""
    for field in form.fields.values():
        if isinstance(field, MoneyField):
            field.currency = current_brand().currency
            field.label = f"{field.label} ({field.currency})"


def place_error(
    form: forms.Form, error: DomainError, *, names: dict[str, str] | None = None
) -> None:
    """Put a refusal of the domain on the field its pointer names, or on the form.

    `names` maps the domain's names to the form's, where they differ; `/name/en` finds the
    field `name_en`, `/parameters/points` the field `points`.
    """
    steps = [step for step in str(error.data.get("pointer", "")).split("/") if step]
    candidates = [*steps[::-1], "_".join(steps), f"{steps[0]}_{languages()[0][0]}" if steps else ""]
    mapped = [(names or {}).get(step, step) for step in candidates]
    place = next((name for name in mapped if name in form.fields), None)
    form.add_error(place, error.detail)
