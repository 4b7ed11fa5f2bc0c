"""Forms about what a brand keeps about members: its attributes, consents, tags; and erasing."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.texts import localized
from console.fields import FoldedForm, ListField, add_texts, initial_texts, languages, texts_of
from core.web.typed_fields import field_for
from members.profiles.models import AttributeDefinition
from members.profiles.values import Attribute, AttributeType, Choice, Consent

_PREFIX = "attribute_"


class ChoicesField(forms.CharField):
    """Choices typed one a line, `code: name | name`, a name for each language in their order."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        return "\n".join(
            f"{choice.code}: "
            + " | ".join(choice.label.get(code, "") for code, _name in languages()).rstrip(" |")
            for choice in value
        )

    def to_python(self, value: Any) -> Any:
        choices = []
        for line in str(value or "").splitlines():
            code, colon, names = line.replace("：", ":").partition(":")
            if not line.strip():
                continue
            texts = [name.strip() for name in (names if colon else code).split("|")]
            label = {
                language: text
                for (language, _name), text in zip(languages(), texts, strict=False)
                if text
            }
            choices.append({"code": code.strip(), "label": label})
        return choices


class AttributeForm(FoldedForm):
    """What one of the brand's own attributes is called and may hold."""

    folded_label = _("Other languages")

    def __init__(self, *args: Any, attribute: Attribute | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.attribute = attribute
        self.folded = add_texts(self, "label", _("Name"), required=True)
        if attribute is None:
            self.fields["code"] = forms.CharField(
                label=_("Code"),
                max_length=40,
                help_text=_("Small letters, digits and _; fixed for good."),
            )
            self.fields["type"] = forms.ChoiceField(
                label=_("Kind"),
                choices=AttributeDefinition.Type.choices,
                help_text=_("Fixed for good: values are stored by it."),
            )
        if attribute is None or attribute.type is AttributeType.CHOICE:
            order = " | ".join(name for _code, name in languages())
            self.fields["choices"] = ChoicesField(
                label=_("Choices"),
                required=attribute is not None,
                help_text=_("One a line: code: %(order)s. Only for the kind Choice.")
                % {"order": order},
            )
        self.fields["portal"] = forms.ChoiceField(
            label=_("In the portal"), choices=AttributeDefinition.Portal.choices
        )
        self.fields["is_required"] = forms.BooleanField(
            label=_("Required: nobody is enrolled without it"), required=False
        )

    def facts(self) -> dict[str, Any]:
        """Return what was typed, as the operations take it."""
        stored = dict(self.attribute.label) if self.attribute else {}
        facts = {"label": texts_of(self, "label", stored=stored)}
        for name in ("code", "type", "choices", "portal", "is_required"):
            if name in self.cleaned_data:
                facts[name] = self.cleaned_data[name]
        return facts


def attribute_initial(attribute: Attribute) -> dict[str, Any]:
    """Return what the form of an attribute starts with."""
    return {
        **initial_texts("label", dict(attribute.label)),
        "choices": attribute.choices,
        "portal": attribute.portal,
        "is_required": attribute.is_required,
    }


class PurposeForm(FoldedForm):
    """What the brand asks consent for, and in which words."""

    folded_label = _("Other languages")

    def __init__(self, *args: Any, purpose: Consent | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.purpose = purpose
        others = add_texts(self, "label", _("Name"), required=True)
        others += add_texts(self, "text", _("What the member agrees to"), long=True, required=True)
        self.folded = others
        if purpose is None:
            self.fields["code"] = forms.CharField(
                label=_("Code"),
                max_length=40,
                help_text=_("Small letters, digits and _; fixed for good."),
            )

    def facts(self) -> dict[str, Any]:
        """Return what was typed, as the operations take it."""
        stored = self.purpose
        return {
            "label": texts_of(self, "label", stored=dict(stored.label) if stored else {}),
            "text": texts_of(self, "text", stored=dict(stored.text) if stored else {}),
        }


def purpose_initial(purpose: Consent) -> dict[str, Any]:
    """Return what the form of a purpose starts with."""
    return initial_texts("label", dict(purpose.label)) | initial_texts("text", dict(purpose.text))


def _choices(choices: Iterable[Choice]) -> list[tuple[str, str]]:
    return [(choice.code, localized(choice.label, get_language())) for choice in choices]


def add_attributes(
    form: forms.Form, attributes: Iterable[Attribute], values: Mapping[str, Any]
) -> None:
    """Add a field for each attribute, with the value the member has."""
    for attribute in attributes:
        name = f"{_PREFIX}{attribute.code}"
        form.fields[name] = field_for(
            attribute.type.value,
            label=localized(attribute.label, get_language()),
            choices=_choices(attribute.choices),
            required=attribute.is_required,
        )
        form.initial[name] = values.get(attribute.code)


def attributes_of(form: forms.Form) -> dict[str, Any]:
    """Return what was typed into the fields of `add_attributes`; None where nothing was."""
    return {
        name.removeprefix(_PREFIX): None if value == "" else value
        for name, value in form.cleaned_data.items()
        if name.startswith(_PREFIX)
    }


ATTRIBUTE_PREFIX = _PREFIX


class AttributesForm(forms.Form):
    """The values that one member has of the brand's own attributes."""

    def __init__(
        self,
        *args: Any,
        attributes: Iterable[Attribute],
        values: Mapping[str, Any],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        add_attributes(self, attributes, values)


class TagsForm(forms.Form):
    """Tags to be added to one member."""

    tags = ListField(label=_("Tags to add"), help_text=_("With commas between."))

    def __init__(self, *args: Any, known: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.known = list(known)
        self.fields["tags"].widget.attrs |= {"list": "known-tags", "autocomplete": "off"}


class EraseForm(forms.Form):
    """The number typed by whoever erases a person for good."""

    confirm = forms.CharField(label=_("The member's number"), max_length=20)

    def __init__(self, *args: Any, number: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["confirm"].widget.attrs |= {"autocomplete": "off", "placeholder": number}
        self.fields["confirm"].help_text = _("Type %(number)s: this can not be undone.") % {
            "number": number
        }
