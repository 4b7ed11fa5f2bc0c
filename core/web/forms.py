"""Forms in the look of the console and portal, from Django's own form classes.

Templates: `forms/form.html` draws a form, `forms/field.html` one field with label, help and
errors. Pages write `{{ form }}` or `<c-field :field="form.name" />`.
"""

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import DjangoTemplates
from django.template import loader

_CHECKS = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple)
_SELECTS = (forms.Select, forms.SelectMultiple)


class TesseraBoundField(BoundField):
    """A bound field whose widget carries our classes and says when it is invalid."""

    def build_widget_attrs(
        self, attrs: dict[str, Any], widget: forms.Widget | None = None
    ) -> dict[str, Any]:
        """Add the widget's class; `is-invalid` draws the error frame."""
        widget = widget or self.field.widget
        attrs = super().build_widget_attrs(attrs, widget)
        if isinstance(widget, _CHECKS):
            css = "form-check-input"
        elif isinstance(widget, _SELECTS):
            css = "form-select"
        elif isinstance(widget, forms.ClearableFileInput | forms.FileInput):
            css = "form-control form-control-file"
        elif widget.is_hidden:
            return attrs
        else:
            css = "form-control"
        parts = [css, str(widget.attrs.get("class", "")), str(attrs.get("class", ""))]
        if self.errors:
            parts.append("is-invalid")
        attrs["class"] = " ".join(part for part in parts if part)
        return attrs

    @property
    def is_check(self) -> bool:
        """Whether it is one checkbox, drawn with its label beside it."""
        return isinstance(self.field.widget, forms.CheckboxInput)

    @property
    def is_group(self) -> bool:
        """Whether it is a set of boxes or radio buttons, drawn as a fieldset."""
        return isinstance(self.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)


class TesseraFormRenderer(DjangoTemplates):
    """Draws forms and fields with our templates; widgets keep Django's own."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
    bound_field_class = TesseraBoundField

    def get_template(self, template_name: str) -> Any:
        """Look in the project's templates for `forms/…` only: widgets need no cotton."""
        if template_name.startswith("forms/"):
            return loader.get_template(template_name)
        return super().get_template(template_name)
