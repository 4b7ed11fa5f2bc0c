"""The brand's own attributes as fields of conditions: `attribute.shoe_size`, typed by definition."""

from collections.abc import Callable, Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language

from members.profiles.queries import list_attribute_definitions
from members.profiles.values import Attribute, AttributeType
from members.segments.conditions import Field, FieldType, Group, register_provider

PREFIX = "attribute"

_TYPES = {
    AttributeType.TEXT: FieldType.TEXT,
    AttributeType.CHOICE: FieldType.TEXT,
    AttributeType.NUMBER: FieldType.NUMBER,
    AttributeType.DATE: FieldType.DATE,
    AttributeType.BOOLEAN: FieldType.BOOLEAN,
}
# A value that is not of its definition's type counts as not known. Codes are plain names.
_SQL = {
    AttributeType.TEXT: "NULLIF(member.attributes ->> '{code}', '')",
    AttributeType.CHOICE: "NULLIF(member.attributes ->> '{code}', '')",
    AttributeType.NUMBER: (
        "CASE WHEN jsonb_typeof(member.attributes -> '{code}') = 'number' "
        "THEN (member.attributes ->> '{code}')::numeric END"
    ),
    AttributeType.DATE: (
        "CASE WHEN pg_input_is_valid(member.attributes ->> '{code}', 'date') "
        "THEN (member.attributes ->> '{code}')::date END"
    ),
    AttributeType.BOOLEAN: (
        "CASE WHEN jsonb_typeof(member.attributes -> '{code}') = 'boolean' "
        "THEN (member.attributes ->> '{code}')::boolean END"
    ),
}


def attribute_fields() -> Mapping[str, Field]:
    """Return a field for each attribute of the brand; retired ones too, for stored conditions."""
    found = {}
    for attribute in list_attribute_definitions(active_only=False):
        name = f"{PREFIX}.{attribute.code}"
        found[name] = Field(
            name=name,
            type=_TYPES[attribute.type],
            label=_localized(attribute.label) or attribute.code,
            group=Group.OWN,
            sql=_SQL[attribute.type].format(code=attribute.code),
            choices=_choices(attribute),
        )
    return found


def _choices(attribute: Attribute) -> Callable[[], Mapping[str, str | Promise]] | None:
    if attribute.type is not AttributeType.CHOICE:
        return None
    labels = {choice.code: _localized(choice.label) or choice.code for choice in attribute.choices}
    return lambda: labels


def _localized(text: Mapping[str, str]) -> str:
    language = get_language() or "en"
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


def register() -> None:
    """Let the catalogue ask for them; called once at start."""
    register_provider(PREFIX, attribute_fields)
