"""A condition as a sentence for people, in the language that is active."""

from babel.numbers import format_currency
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from core.money import to_decimal
from members.segments.conditions.fields import Field, FieldType
from members.segments.conditions.nodes import All, AnyOf, Comparison, Condition, Not

_LOCALES = {"zh-hans": "zh_Hans", "zh-hant": "zh_Hant"}


def describe(condition: Condition, *, currency: str) -> str:
    """Return the condition as one phrase, such as “Region is north and tier is gold”.

    `currency` (ISO 4217) is used to write money.
    """
    phrase = _phrase(condition, currency, top=True)
    return phrase[:1].upper() + phrase[1:]


def _phrase(condition: Condition, currency: str, *, top: bool = False) -> str:
    match condition:
        case All(()):
            return _("all members")
        case All(parts):
            word = pgettext("between two conditions", " and ")
            return _join(word, parts, currency, top=top)
        case AnyOf(parts):
            word = pgettext("between two conditions", " or ")
            return _join(word, parts, currency, top=top)
        case Not(part):
            return _("not (%(condition)s)") % {"condition": _phrase(part, currency, top=True)}
        case Comparison():
            return _comparison(condition, currency)


def _join(word: str, parts: tuple[Condition, ...], currency: str, *, top: bool) -> str:
    text = word.join(_phrase(part, currency) for part in parts)
    return text if top or len(parts) == 1 else f"({text})"


def _comparison(test: Comparison, currency: str) -> str:
    found, op, value = test.field, test.op, test.value
    if op == "is_set":
        template = _("%(field)s is known") if value else _("%(field)s is not known")
        return template % {"field": _lower(found.label)}
    words = {
        "=": _("%(field)s is %(value)s"),
        "!=": _("%(field)s is not %(value)s"),
        "<": _("%(field)s is less than %(value)s"),
        "<=": _("%(field)s is at most %(value)s"),
        ">": _("%(field)s is more than %(value)s"),
        ">=": _("%(field)s is at least %(value)s"),
        "between": _("%(field)s is from %(low)s to %(high)s"),
        "in": _("%(field)s is one of %(value)s"),
        "not_in": _("%(field)s is none of %(value)s"),
        "contains": _("%(field)s include %(value)s"),
        "contains_any": _("%(field)s include one of %(value)s"),
        "contains_all": _("%(field)s include all of %(value)s"),
    }
    items: list[int | str] = list(value) if isinstance(value, tuple) else [value]
    texts = [_value(found, item, currency) for item in items]
    separator = pgettext("between the items of a list", ", ")
    return words[op] % {
        "field": _lower(found.label),
        "value": separator.join(texts),
        "low": texts[0],
        "high": texts[-1],
    }


def _value(found: Field, value: int | str, currency: str) -> str:
    if found.choices is not None:
        return str(found.choices().get(str(value), value))
    if found.type is FieldType.MONEY and isinstance(value, int):
        locale = _LOCALES.get(get_language() or "en", "en")
        return str(format_currency(to_decimal(value, currency), currency, locale=locale))
    return str(value)


def _lower(label: str | Promise) -> str:
    text = str(label)
    # Abbreviations keep their capitals.
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
