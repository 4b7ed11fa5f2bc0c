"""What a purchase, line, refund or event may hold. Pure: used by the operations and the file
reader alike, so that both refuse the same."""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.money import MAX_MINOR, InvalidAmountError, UnsupportedCurrencyError
from members.activity.errors import FuturePurchaseError, InvalidPurchaseError

# Clocks of tills run ahead a little.
GRACE = timedelta(minutes=5)
EARLIEST_YEAR = 1970
MAX_LINES = 1000
MAX_QUANTITY = 1_000_000
LENGTHS = {
    "external_id": 100,
    "channel": 40,
    "store": 40,
    "associate": 60,
    "sku": 64,
    "category": 64,
    "name": 60,
    "store_name": 120,
    "region": 40,
}
# What no text may hold: it would break the canonical text, the page or the database. Control
# characters, lone surrogates and the two separators of Unicode.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _refuse(field: str, message: str | Promise) -> InvalidPurchaseError:
    return InvalidPurchaseError(message, pointer=f"/{field}")


def clean_text(field: str, value: object, *, required: bool = False) -> str:
    """Return a trimmed one-line text, or refuse it by the name of its field."""
    if not isinstance(value, str):
        raise _refuse(field, _("This must be a text."))
    text = value if value.isascii() else unicodedata.normalize("NFC", value)
    text = text.strip()
    if UNSAFE.search(text):
        raise _refuse(field, _("Control characters are not allowed."))
    if required and not text:
        raise _refuse(field, _("This must not be empty."))
    if len(text) > LENGTHS[field]:
        raise _refuse(field, _("This is too long."))
    return text


def check_amount(amount_minor: object, *, field: str = "amount", lowest: int = 0) -> int:
    """Return an amount in minor units within its range."""
    if type(amount_minor) is not int:
        raise InvalidAmountError(_("This must be a whole number."), pointer=f"/{field}")
    if amount_minor < lowest:
        raise InvalidAmountError(_("This amount is too small."), pointer=f"/{field}")
    if amount_minor > MAX_MINOR:
        raise InvalidAmountError(_("This amount is too large."), pointer=f"/{field}")
    return amount_minor


def check_currency(currency: str, *, expected: str) -> str:
    """Return the currency if it is the brand's own."""
    if currency != expected:
        raise UnsupportedCurrencyError(
            _("This brand counts in another currency."),
            pointer="/currency",
            currency=str(currency)[:10],
            expected=expected,
        )
    return currency


def check_time(occurred_at: datetime, *, at: datetime, field: str = "occurred_at") -> datetime:
    """Return an aware instant that is neither in the future nor before 1970."""
    if not isinstance(occurred_at, datetime) or occurred_at.tzinfo is None:
        raise _refuse(field, _("This must be a time with its offset."))
    if occurred_at > at + GRACE:
        raise FuturePurchaseError(pointer=f"/{field}", occurred_at=occurred_at.isoformat())
    if occurred_at.year < EARLIEST_YEAR:
        raise _refuse(field, _("This time is too long ago."))
    return occurred_at


def check_quantity(quantity: object) -> int:
    """Return a number of pieces within its range."""
    if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
        raise _refuse("quantity", _("This must be a whole number from 1 to 1,000,000."))
    return quantity


def clean_properties(properties: object) -> dict[str, Any]:
    """Return the properties of an event: a JSON object of at most 8 KB."""
    if not isinstance(properties, Mapping):
        raise _refuse("properties", _("This must be an object."))
    try:
        text = json.dumps(properties, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError):
        raise _refuse("properties", _("This must be an object.")) from None
    if size > 8192:
        raise _refuse("properties", _("This is too long."))
    if "\\u0000" in text:
        raise _refuse("properties", _("Control characters are not allowed."))
    clean: dict[str, Any] = json.loads(text)
    return clean
