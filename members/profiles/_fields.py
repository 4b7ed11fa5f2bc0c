"""What a member's fields may hold. Pure: plain values in, clean values out."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.profiles.errors import InvalidMemberError

_LENGTHS = {
    "external_id": 64,
    "name": 120,
    "gender": 20,
    "region": 40,
    "store_code": 40,
    "locale": 10,
}
PERSONAL = frozenset({"name", "email", "phone", "gender", "birthday", "consents"})
PLAIN = frozenset({"region", "store_code", "locale", "tags", "attributes"})
_PHONE_FILLERS = re.compile(r"[\s().\-/]+")
_PHONE = re.compile(r"\+?\d{4,19}")
_EARLIEST = date(1900, 1, 1)


def _refuse(field: str, message: str | Promise) -> InvalidMemberError:
    return InvalidMemberError(message, pointer=f"/{field}")


def clean_text(field: str, value: object, *, required: bool = False) -> str:
    """Return a trimmed one-line text, or refuse it by the name of its field."""
    if not isinstance(value, str):
        raise _refuse(field, _("This must be a text."))
    text = unicodedata.normalize("NFC", value).strip()
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise _refuse(field, _("Control characters are not allowed."))
    if required and not text:
        raise _refuse(field, _("This must not be empty."))
    if len(text) > _LENGTHS.get(field, 40):
        raise _refuse(field, _("This is too long."))
    return text


def clean_email(value: object) -> str:
    """Return an e-mail address in small letters, or an empty text."""
    if not isinstance(value, str):
        raise _refuse("email", _("This must be a text."))
    address = value.strip().lower()
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError:
        raise _refuse("email", _("This is not an e-mail address.")) from None
    if len(address) > 254:
        raise _refuse("email", _("This is too long."))
    return address


def clean_phone(value: object) -> str:
    """Return a phone number as digits with an optional leading +, or an empty text."""
    if not isinstance(value, str):
        raise _refuse("phone", _("This must be a text."))
    number = _PHONE_FILLERS.sub("", unicodedata.normalize("NFKC", value))
    if number and not (number.isascii() and _PHONE.fullmatch(number)):
        raise _refuse("phone", _("This is not a phone number."))
    return number


def clean_birthday(value: object, *, today: date) -> date | None:
    """Return a day of birth that can be, or None."""
    if value is None:
        return None
    if type(value) is not date:
        raise _refuse("birthday", _("This must be a date."))
    if not _EARLIEST <= value <= today:
        raise _refuse("birthday", _("This can not be a day of birth."))
    return value


def clean_tags(value: object) -> list[str]:
    """Return tags without repeats, in the order given."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _refuse("tags", _("This must be a list of texts."))
    tags = list(dict.fromkeys(clean_text("tags", tag, required=True) for tag in value))
    if len(tags) > 50:
        raise _refuse("tags", _("A member has at most 50 tags."))
    return tags


def _json_text(field: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise _refuse(field, _("This is too long."))
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise _refuse(field, _("Control characters are not allowed."))


def clean_attributes(value: object) -> dict[str, Any]:
    """Return what is given for attributes by code; their definitions judge the values."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _refuse("attributes", _("This must be an object of attributes by code."))
    return dict(value)


def clean_consents(value: object) -> dict[str, bool]:
    """Return consents: a channel or purpose, and whether the member agrees."""
    if not isinstance(value, Mapping) or len(value) > 20:
        raise _refuse("consents", _("This must be an object of yes or no."))
    for key, item in value.items():
        if not isinstance(key, str) or not key or type(item) is not bool:
            raise _refuse("consents", _("This must be an object of yes or no."))
        _json_text("consents", key, 40)
    return dict(value)


def refuse_unknown(fields: Iterable[str]) -> None:
    """Refuse names that are no field of a profile.

    :raises InvalidMemberError: naming the first of them.
    """
    for field in fields:
        if field not in PERSONAL | PLAIN:
            raise _refuse(field, _("This field does not exist or can not be changed."))


def clean(fields: Mapping[str, Any], *, today: date, locales: Iterable[str]) -> dict[str, Any]:
    """Return clean values of those fields that are given; `locales` are the ones offered.

    :raises InvalidMemberError: naming the first wrong field in `pointer`.
    """
    refuse_unknown(fields)
    result: dict[str, Any] = {}
    for field, value in fields.items():
        match field:
            case "email":
                result[field] = clean_email(value)
            case "phone":
                result[field] = clean_phone(value)
            case "birthday":
                result[field] = clean_birthday(value, today=today)
            case "tags":
                result[field] = clean_tags(value)
            case "attributes":
                result[field] = clean_attributes(value)
            case "consents":
                result[field] = clean_consents(value)
            case _:
                result[field] = clean_text(field, value)
    locale = result.get("locale")
    if locale and locale not in set(locales):
        raise _refuse("locale", _("This language is not available."))
    return result
