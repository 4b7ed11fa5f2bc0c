"""What the member's page shows of attributes, consents and wishes to be erased."""

from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from console.people import actor_names
from core.templatetags.tessera import day, number
from members.profiles.models import ConsentChange, Member
from members.profiles.queries import (
    get_last_erasure,
    list_attribute_definitions,
    list_consent_changes,
    list_consents,
)
from members.profiles.values import Attribute, AttributeType

_SOURCES = dict(ConsentChange.Source.choices)


def attribute_rows(member: Member) -> list[dict[str, Any]]:
    """Return each attribute with the member's value in words; retired ones only with a value."""
    rows = []
    known = set()
    for attribute in list_attribute_definitions(active_only=False):
        known.add(attribute.code)
        value = member.attributes.get(attribute.code)
        if value is None and not attribute.is_active:
            continue
        rows.append(
            {
                "label": localized(attribute.label, get_language()),
                "value": None if value is None else _in_words(attribute, value),
                "is_missing": value is None and attribute.is_required,
                "is_retired": not attribute.is_active,
            }
        )
    # Values written before their definition was; they are the brand's all the same.
    rows += [
        {"label": code, "value": value, "is_missing": False, "is_retired": True}
        for code, value in member.attributes.items()
        if code not in known
    ]
    return rows


def _in_words(attribute: Attribute, value: Any) -> str:
    match attribute.type:
        case AttributeType.BOOLEAN:
            return _("Yes") if value else _("No")
        case AttributeType.DATE:
            return str(day(parse_date(str(value))))
        case AttributeType.NUMBER:
            return str(number(value)) if isinstance(value, int) else str(value)
        case AttributeType.CHOICE:
            for choice in attribute.choices:
                if choice.code == value:
                    return localized(choice.label, get_language())
            return str(value)
        case _:
            return str(value)


def consent_rows(member: Member) -> dict[str, Any]:
    """Return the member's consents, how they came about, and the last wish to be erased."""
    changes = list_consent_changes(member=member)
    consents = list_consents(member=member)
    erasure = get_last_erasure(member=member)
    names = actor_names(
        {change.actor for change in changes}
        | ({erasure.asked_by, erasure.decided_by} - {""} if erasure else set())
    )
    return {
        "consents": [
            {
                "consent": consent,
                "source": _SOURCES.get(consent.source, ""),
                "is_outdated": bool(consent.is_given) and consent.text_version != consent.version,
            }
            for consent in consents
        ],
        "changes": [
            {
                "change": change,
                # "Automatic" need not be said twice.
                "by": " · ".join(
                    dict.fromkeys([str(_SOURCES[change.source]), str(names[change.actor])])
                ),
            }
            for change in changes
        ],
        "erasure": erasure,
        "erasure_by": names.get(erasure.asked_by, "") if erasure else "",
    }
