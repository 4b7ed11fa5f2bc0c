"""A condition as a sentence for people, in the language that is active, with names for codes."""

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from core.money import to_decimal
from members.segments.conditions.fields import FIELDS, Catalogue, Field, FieldType, Names
from members.segments.conditions.naming import Scalar
from members.segments.conditions.nodes import All, AnyOf, Comparison, Condition, Not

_LOCALES = {"zh-hans": "zh_Hans", "zh-hant": "zh_Hant"}


class Labels:
    """The names that the brand's rows give to codes, read once however many sentences need them."""

    def __init__(self, catalogue: Catalogue = FIELDS) -> None:
        self.catalogue = catalogue
        self._read: dict[Names, Mapping[str, str | Promise]] = {}

    def of(self, names: Names | None, value: object) -> str:
        """Return the name of a value, or the value itself."""
        return str(value) if names is None else str(self._names(names).get(str(value), value))

    def options(self, names: Names | None) -> list[tuple[str, str]]:
        """Return all values with their names, in their order."""
        if names is None:
            return []
        return [(value, str(name)) for value, name in self._names(names).items()]

    def _names(self, names: Names) -> Mapping[str, str | Promise]:
        if names not in self._read:
            self._read[names] = names()
        return self._read[names]

    def subject(self, field: Field) -> str:
        """Return what a field is called, with its arguments by their names."""
        template = self.catalogue.template(field.template)
        if template is None or not template.phrase:
            return _lower(field.label)
        return str(template.phrase) % self._arguments(field)

    def truth(self, field: Field, *, is_true: bool) -> str:
        """Return the phrase for yes or for no of a boolean field."""
        if field.phrases is None:
            template = _("%(field)s is yes") if is_true else _("%(field)s is no")
            return template % {"field": _lower(field.label)}
        return str(field.phrases[0 if is_true else 1]) % self._arguments(field)

    def _arguments(self, field: Field) -> dict[str, str]:
        template = self.catalogue.template(field.template)
        if template is None:
            return {}
        args: dict[str, Scalar] = dict(field.args)
        found: dict[str, str] = {}
        for argument in template.arguments:
            value = args[argument.name]
            if argument.names is None and isinstance(value, int):
                found[argument.name] = ngettext("%(n)d day", "%(n)d days", value) % {"n": value}
            else:
                found[argument.name] = self.of(argument.names, value)
        return found


def describe(condition: Condition, *, currency: str, labels: Labels | None = None) -> str:
    """Return the condition as one phrase, such as “Region is north and tier is Gold”.

    `currency` (ISO 4217) is used to write money. Give the same `labels` to several sentences of
    one page: the names of tiers, stores and benefits are then read once.
    """
    phrase = _Describer(currency, labels or Labels()).phrase(condition, top=True)
    return phrase[:1].upper() + phrase[1:]


class _Describer:
    def __init__(self, currency: str, labels: Labels) -> None:
        self.currency = currency
        self.labels = labels

    def phrase(self, condition: Condition, *, top: bool = False) -> str:
        match condition:
            case All(()):
                return _("all members")
            case All(parts):
                return self._join(pgettext("between two conditions", " and "), parts, top=top)
            case AnyOf(parts):
                return self._join(pgettext("between two conditions", " or "), parts, top=top)
            case Not(part):
                return _("not (%(condition)s)") % {"condition": self.phrase(part, top=True)}
            case Comparison():
                return self._comparison(condition)

    def _join(self, word: str, parts: tuple[Condition, ...], *, top: bool) -> str:
        text = word.join(self.phrase(part) for part in parts)
        return text if top or len(parts) == 1 else f"({text})"

    def _comparison(self, test: Comparison) -> str:
        found, op, value = test.field, test.op, test.value
        if op == "is":
            return self.labels.truth(found, is_true=bool(value))
        subject = self.labels.subject(found)
        if op == "is_set":
            template = _("%(field)s is known") if value else _("%(field)s is not known")
            return template % {"field": subject}
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
            "within": _("%(field)s is %(value)s or a part of it"),
            "contains": _("%(field)s include %(value)s"),
            "contains_any": _("%(field)s include one of %(value)s"),
            "contains_all": _("%(field)s include all of %(value)s"),
        }
        if found.type is FieldType.DATE:
            words |= {
                "<": _("%(field)s is before %(value)s"),
                "<=": _("%(field)s is %(value)s or before"),
                ">": _("%(field)s is after %(value)s"),
                ">=": _("%(field)s is %(value)s or after"),
            }
        items: list[float | str] = list(value) if isinstance(value, tuple) else [value]
        texts = [self._value(found, item) for item in items]
        return words[op] % {
            "field": subject,
            "value": pgettext("between the items of a list", ", ").join(texts),
            "low": texts[0],
            "high": texts[-1],
        }

    def _value(self, found: Field, value: float | str) -> str:
        names = found.choices or found.names
        if names is not None:
            return self.labels.of(names, value)
        locale = _LOCALES.get(get_language() or "en", "en")
        if found.type is FieldType.MONEY and isinstance(value, int):
            amount = to_decimal(value, self.currency)
            return str(format_currency(amount, self.currency, locale=locale))
        if found.type is FieldType.DATE:
            day = date.fromisoformat(str(value))
            return str(format_date(day, "medium", locale=locale))
        if found.type is FieldType.NUMBER and isinstance(value, int | float):
            return str(format_decimal(value, locale=locale))
        return str(value)


def _lower(label: str | Promise) -> str:
    text = str(label)
    # Abbreviations keep their capitals.
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
