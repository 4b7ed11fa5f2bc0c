"""Figures and dates as people of a language read them.

Pure: the language is an argument. Amounts are integers in minor units, shares are ratios
(0.25 is 25 %), times are aware. None means "no data", which is shown as such, never as zero.
"""

from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.dates import format_date as babel_date
from babel.dates import format_datetime as babel_datetime
from babel.dates import format_time as babel_time
from babel.dates import format_timedelta
from babel.numbers import format_compact_currency, format_compact_decimal, format_decimal
from babel.numbers import format_currency as babel_currency
from babel.numbers import format_percent as babel_percent

from core.money import to_decimal

MINUS = "\N{MINUS SIGN}"

# Numbers and dates apart: English pages show "$" for dollars, but "31 Dec 2027", which readers
# on both sides of the Atlantic take the same way.
_NUMBER_LOCALES = {"en": "en", "zh-hans": "zh_Hans_CN", "zh-hant": "zh_Hant"}
_DATE_LOCALES = {"en": "en_GB", "zh-hans": "zh_Hans_CN", "zh-hant": "zh_Hant_HK"}
_DATE_PATTERNS = {"en": "d MMM y", "zh-hans": "y年M月d日", "zh-hant": "y年M月d日"}
_DAY_PATTERNS = {"en": "d MMM", "zh-hans": "M月d日", "zh-hant": "M月d日"}
_MONTH_PATTERNS = {"en": "MMM y", "zh-hans": "y年M月", "zh-hant": "y年M月"}


def _known(language: str) -> str:
    language = language.lower()
    if language in _NUMBER_LOCALES:
        return language
    if language.startswith(("zh-tw", "zh-hk", "zh-mo", "zh-hant")):
        return "zh-hant"
    return "zh-hans" if language.startswith("zh") else "en"


@cache
def number_locale(language: str) -> Locale:
    """Return the CLDR locale whose digits and currency signs a page language uses."""
    return Locale.parse(_NUMBER_LOCALES[_known(language)])


@cache
def date_locale(language: str) -> Locale:
    """Return the CLDR locale whose dates a page language uses."""
    return Locale.parse(_DATE_LOCALES[_known(language)])


def _signed(text: str, *, negative: bool, sign: bool, zero: bool) -> str:
    text = text.replace("-", MINUS)
    return f"+{text}" if sign and not negative and not zero else text


def format_money(
    minor: int, currency: str, *, language: str, compact: bool = False, sign: bool = False
) -> str:
    """Format minor units: `¥1,999.00`; compact: `¥1.86M` or `¥186万`; sign: `+¥5.00`.

    :raises UnsupportedCurrencyError: if the currency is not one of ours.
    """
    amount = to_decimal(minor, currency)
    locale = number_locale(language)
    if compact and abs(amount) >= 10_000:
        digits = 2 if abs(amount) >= 1_000_000 else 1
        text = format_compact_currency(amount, currency, locale=locale, fraction_digits=digits)
    else:
        text = babel_currency(amount, currency, locale=locale)
    return _signed(text, negative=minor < 0, sign=sign, zero=minor == 0)


def format_number(
    value: float | Decimal, *, language: str, compact: bool = False, sign: bool = False
) -> str:
    """Format a count or points with the language's grouping: `128,450`; compact: `3.42M`, `342万`."""
    locale = number_locale(language)
    if compact and not -1_000_000 < value < 1_000_000:
        text = format_compact_decimal(value, locale=locale, fraction_digits=2)
    else:
        text = format_decimal(value, locale=locale)
    return _signed(text, negative=value < 0, sign=sign, zero=value == 0)


def format_percent(
    ratio: float | Decimal, *, language: str, digits: int = 1, sign: bool = False
) -> str:
    """Format a ratio: 0.674 is `67.4%`; with sign `+8.2%`."""
    pattern = "#,##0" + ("." + "0" * digits if digits else "") + "%"
    rounded = round(Decimal(str(ratio)), digits + 2) + 0  # no negative zero
    text = babel_percent(rounded, format=pattern, locale=number_locale(language))
    return _signed(text, negative=rounded < 0, sign=sign, zero=rounded == 0)


def format_date(day: date, *, language: str, year: bool = True) -> str:
    """Format a date: `31 Dec 2027`, `2027年12月31日`; without year `31 Dec`, `12月31日`."""
    patterns = _DATE_PATTERNS if year else _DAY_PATTERNS
    known = _known(language)
    return babel_date(day, format=patterns[known], locale=date_locale(language))


def format_month(day: date, *, language: str) -> str:
    """Format a month: `Nov 2026`, `2026年11月`."""
    return babel_date(day, format=_MONTH_PATTERNS[_known(language)], locale=date_locale(language))


def format_time(instant: datetime, *, language: str, zone: tzinfo) -> str:
    """Format the time of day in a zone: `14:05`."""
    local = instant.astimezone(zone)
    return babel_time(local, format="HH:mm", locale=date_locale(language), tzinfo=zone)


def format_datetime(instant: datetime, *, language: str, zone: tzinfo) -> str:
    """Format an instant in a zone: `31 Dec 2027, 14:05`, `2027年12月31日 14:05`."""
    known = _known(language)
    joint = ", " if known == "en" else " "
    pattern = f"{_DATE_PATTERNS[known]}'{joint}'HH:mm"
    local = instant.astimezone(zone)
    return babel_datetime(local, format=pattern, locale=date_locale(language), tzinfo=zone)


def format_relative(instant: datetime, *, now: datetime, language: str) -> str:
    """Format the way from now to an instant: `3 hours ago`, `in 2 days`, `3小时前`."""
    distance = instant.astimezone(UTC) - now.astimezone(UTC)
    return format_timedelta(distance, add_direction=True, locale=date_locale(language))
