"""What a brand's own attributes may be, and what their values may be. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.profiles.errors import InvalidAttributeError, InvalidMemberError
from members.profiles.values import Attribute, AttributeType, Choice

MAX_DEFINITIONS = 50
MAX_CHOICES = 100
MAX_TEXT = 500
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CHOICE_CODE = re.compile(r"[\w-]{1,40}")
_LABEL_LENGTH = 80
_LARGEST = Decimal(10) ** 12
_PLACES = 6
# So many digits survive the JSON of any language as they are.
_DIGITS = 15
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
# How people write yes and no into files.
_YES = frozenset({"1", "true", "yes", "y", "是", "有"})
_NO = frozenset({"0", "false", "no", "n", "否", "无", "無"})

Value = str | int | float | bool


def _wrong(code: str, message: str | Promise) -> InvalidMemberError:
    return InvalidMemberError(message, pointer=f"/attributes/{code}")


def is_code(value: object) -> bool:
    """Say whether this can be the code of an attribute or a purpose."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def clean_value(attribute: Attribute, value: object) -> Value:
    """Return a value as it is stored; dates become `YYYY-MM-DD`, whole numbers integers.

    :raises InvalidMemberError: with the attribute's place, if the value is not of its type.
    """
    code = attribute.code
    match attribute.type:
        case AttributeType.TEXT:
            return _text(code, value)
        case AttributeType.NUMBER:
            return _number(code, value)
        case AttributeType.DATE:
            return _date(code, value).isoformat()
        case AttributeType.BOOLEAN:
            if type(value) is not bool:
                raise _wrong(code, _("This must be yes or no."))
            return value
        case AttributeType.CHOICE:
            if not isinstance(value, str) or all(c.code != value for c in attribute.choices):
                offered = ", ".join(choice.code for choice in attribute.choices)
                raise _wrong(code, _("Choose one of: %(choices)s.") % {"choices": offered})
            return value


def read_text(attribute: Attribute, text: str) -> object:
    """Return what a text out of a file stands for, to be given to `clean_value`.

    A choice is known by its code or by its name in any language, yes and no by the usual words.
    What can not be read is returned as it is: `clean_value` then refuses it.
    """
    found = text.strip()
    match attribute.type:
        case AttributeType.NUMBER:
            try:
                return Decimal(found.replace(",", ""))
            except InvalidOperation:
                return found
        case AttributeType.BOOLEAN:
            word = found.casefold()
            return True if word in _YES else False if word in _NO else found
        case AttributeType.CHOICE:
            for choice in attribute.choices:
                names = {choice.code, *choice.label.values()}
                if found.casefold() in {name.casefold() for name in names}:
                    return choice.code
            return found
        case _:
            return found


def apply_changes(
    *,
    old: Mapping[str, Any],
    given: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
) -> dict[str, Value]:
    """Return the values after a change: given ones replace, null removes, the rest stays.

    `attributes` are the definitions by code.

    :raises InvalidMemberError: for an attribute that the brand does not have or no longer
        writes, a value not of its type, or the removal of a required one.
    """
    result: dict[str, Any] = dict(old)
    for code, value in given.items():
        attribute = attributes.get(code)
        if attribute is None:
            raise _wrong(code, _("The programme has no such attribute."))
        if not attribute.is_active:
            if value == old.get(code):
                continue
            raise _wrong(code, _("This attribute is no longer written."))
        if value is None or value == "":
            if attribute.is_required and code in old:
                raise _wrong(code, _("This attribute is required and can not be emptied."))
            result.pop(code, None)
        else:
            result[code] = clean_value(attribute, value)
    return result


def refuse_missing(values: Mapping[str, Any], *, attributes: Iterable[Attribute]) -> None:
    """Refuse values in which a required attribute is missing.

    :raises InvalidMemberError: naming the first of them.
    """
    for attribute in attributes:
        if attribute.is_active and attribute.is_required and attribute.code not in values:
            raise _wrong(attribute.code, _("This attribute is required."))


def clean_definition(
    *,
    code: object,
    type: object,  # noqa: A002
    label: object,
    choices: object,
) -> tuple[str, AttributeType, dict[str, str], tuple[Choice, ...]]:
    """Return the parts of a definition, or refuse them by their place.

    :raises InvalidAttributeError: with `pointer`.
    """
    if not isinstance(code, str) or not is_code(code):
        raise InvalidAttributeError(
            _("A code is made of small letters, digits and _ and begins with a letter."),
            pointer="/code",
        )
    try:
        kind = AttributeType(str(type))
    except ValueError:
        raise InvalidAttributeError(
            _("There is no such kind of attribute."), pointer="/type"
        ) from None
    return code, kind, clean_label(label, "/label"), clean_choices(choices, kind)


def clean_label(value: object, pointer: str) -> dict[str, str]:
    """Return names by language, without empty ones; at least one is needed.

    :raises InvalidAttributeError: with `pointer`.
    """
    if not isinstance(value, Mapping) or not all(
        isinstance(key, str) and isinstance(text, str) for key, text in value.items()
    ):
        raise InvalidAttributeError(_("Names are a map from language to text."), pointer=pointer)
    texts = {key.lower(): text.strip() for key, text in value.items() if text.strip()}
    if not texts:
        raise InvalidAttributeError(
            _("A name in at least one language is needed."), pointer=pointer
        )
    for key, text in texts.items():
        if len(text) > _LABEL_LENGTH or _has_controls(text):
            raise InvalidAttributeError(_("This name can not be."), pointer=f"{pointer}/{key}")
    return texts


def clean_choices(value: object, kind: AttributeType) -> tuple[Choice, ...]:
    """Return the choices of a choice attribute; the other kinds have none.

    :raises InvalidAttributeError: with the place.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InvalidAttributeError(_("Choices are a list."), pointer="/choices")
    if (kind is AttributeType.CHOICE) != bool(value):
        message = (
            _("Give at least one choice.")
            if kind is AttributeType.CHOICE
            else _("Only a choice has choices.")
        )
        raise InvalidAttributeError(message, pointer="/choices")
    if len(value) > MAX_CHOICES:
        raise InvalidAttributeError(_("This is too many."), pointer="/choices")
    choices = []
    for number, item in enumerate(value):
        place = f"/choices/{number}"
        given = item if isinstance(item, Mapping) else {}
        code = given.get("code")
        if not isinstance(code, str) or not _CHOICE_CODE.fullmatch(code):
            raise InvalidAttributeError(
                _("A choice has a code of letters, digits, - and _."), pointer=f"{place}/code"
            )
        choices.append(Choice(code, clean_label(given.get("label"), f"{place}/label")))
    if len({choice.code for choice in choices}) < len(choices):
        raise InvalidAttributeError(_("Two choices have the same code."), pointer="/choices")
    return tuple(choices)


def _text(code: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(code, _("This must be a text."))
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise _wrong(code, _("This must not be empty."))
    if len(text) > MAX_TEXT:
        raise _wrong(code, _("This is too long."))
    if _has_controls(text):
        raise _wrong(code, _("Control characters are not allowed."))
    return text


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def _number(code: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise _wrong(code, _("This must be a number."))
    try:
        exact = Decimal(str(value))
    except InvalidOperation:  # pragma: no cover - every int, float and Decimal has a text
        raise _wrong(code, _("This must be a number.")) from None
    if not exact.is_finite() or abs(exact) >= _LARGEST:
        raise _wrong(code, _("This number is too large."))
    if exact == exact.to_integral_value():
        return int(exact)
    if exact != round(exact, _PLACES) or len(exact.normalize().as_tuple().digits) > _DIGITS:
        raise _wrong(code, _("A number has at most six decimal places and fifteen digits."))
    return float(exact)


def _date(code: str, value: object) -> date:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise _wrong(code, _("This must be a date such as 2026-03-15.")) from None
    if type(value) is not date:
        raise _wrong(code, _("This must be a date such as 2026-03-15."))
    if not _FIRST_DAY <= value <= _LAST_DAY:
        raise _wrong(code, _("This date can not be."))
    return value
