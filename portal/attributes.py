"""The brand's own attributes as a member sees and fills them in."""

from typing import Any

from django import forms
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from core.templatetags.tessera import day, number
from core.web.typed_fields import field_for
from members.profiles.models import AttributeDefinition, Member
from members.profiles.queries import list_attribute_definitions
from members.profiles.values import Attribute, AttributeType
from portal.nav import text

_Portal = AttributeDefinition.Portal
# As the place of a refused value reads when its slashes become lines.
_PREFIX = "attributes_"


def shown_attributes(member: Member) -> list[dict[str, str]]:
    """Return the attributes that members may see, with this member's values in words."""
    return [
        {
            "label": text(dict(one.label)),
            "value": _in_words(one, member.attributes.get(one.code)),
        }
        for one in list_attribute_definitions()
        if one.portal != _Portal.HIDDEN
    ]


def add_editable(form: forms.Form, member: Member) -> None:
    """Add a field for each attribute that members may change."""
    for one in list_attribute_definitions():
        if one.portal == _Portal.EDITED:
            name = f"{_PREFIX}{one.code}"
            form.fields[name] = field_for(
                one.type.value,
                label=text(dict(one.label)),
                choices=[(choice.code, text(dict(choice.label))) for choice in one.choices],
                required=one.is_required,
            )
            form.initial[name] = member.attributes.get(one.code)


def split_typed(form: forms.Form) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was typed: fields of the profile, and attributes by code."""
    fields = {k: v for k, v in form.cleaned_data.items() if not k.startswith(_PREFIX)}
    attributes = {
        k.removeprefix(_PREFIX): None if v == "" else v
        for k, v in form.cleaned_data.items()
        if k.startswith(_PREFIX)
    }
    return fields, attributes


def _in_words(attribute: Attribute, value: Any) -> str:
    if value is None:
        return ""
    match attribute.type:
        case AttributeType.BOOLEAN:
            return _("Yes") if value else _("No")
        case AttributeType.DATE:
            return str(day(parse_date(str(value))))
        case AttributeType.NUMBER if isinstance(value, int):
            return str(number(value))
        case AttributeType.CHOICE:
            names = {choice.code: text(dict(choice.label)) for choice in attribute.choices}
            return names.get(str(value), str(value))
        case _:
            return str(value)
