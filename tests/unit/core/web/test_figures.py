"""Money, counts, shares and times as readers of each language expect them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.money import UnsupportedCurrencyError
from core.web import figures

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (199900, "CNY", "zh-hans", "¥1,999.00"),
        (199900, "CNY", "en", "CN¥1,999.00"),
        (199900, "HKD", "zh-hant", "HK$1,999.00"),
        (199900, "USD", "en", "$1,999.00"),
        (199900, "USD", "zh-hans", "US$1,999.00"),
        (1999, "JPY", "en", "¥1,999"),
        (1, "USD", "en", "$0.01"),
        (0, "USD", "en", "$0.00"),
        (-199900, "USD", "en", "−$1,999.00"),
        (12345, "KWD", "en", "KWD12.345"),
    ],
)
def test_money(minor: int, currency: str, language: str, text: str) -> None:
    assert figures.format_money(minor, currency, language=language) == text


def test_money_refuses_an_unknown_currency() -> None:
    with pytest.raises(UnsupportedCurrencyError):
        figures.format_money(1, "XXX", language="en")


@pytest.mark.parametrize(
    ("minor", "language", "text"),
    [
        (186_000_000, "en", "CN¥1.86M"),
        (186_000_000, "zh-hans", "¥186万"),
        (999_999, "en", "CN¥9,999.99"),
        (-186_000_000, "en", "−CN¥1.86M"),
    ],
)
def test_compact_money(minor: int, language: str, text: str) -> None:
    assert figures.format_money(minor, "CNY", language=language, compact=True) == text


def test_signs() -> None:
    assert figures.format_money(500, "USD", language="en", sign=True) == "+$5.00"
    assert figures.format_money(0, "USD", language="en", sign=True) == "$0.00"
    assert figures.format_number(-5, language="en", sign=True) == "−5"
    assert figures.format_number(1200, language="en", sign=True) == "+1,200"


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (128_450, "en", "128,450"),
        (3_420_000, "en", "3.42M"),
        (3_420_000, "zh-hans", "342万"),
        (3_420_000, "zh-hant", "342萬"),
        (999_999, "zh-hans", "999,999"),
    ],
)
def test_compact_numbers(value: int, language: str, text: str) -> None:
    assert figures.format_number(value, language=language, compact=True) == text


@pytest.mark.parametrize(
    ("ratio", "digits", "sign", "text"),
    [
        (0.674, 1, False, "67.4%"),
        (0.0824, 1, True, "+8.2%"),
        (-0.013, 1, True, "−1.3%"),
        (-0.0001, 1, True, "0.0%"),
        (1, 0, False, "100%"),
        (12.5, 0, False, "1,250%"),
    ],
)
def test_percent(ratio: float, digits: int, *, sign: bool, text: str) -> None:
    assert figures.format_percent(ratio, language="en", digits=digits, sign=sign) == text


@pytest.mark.parametrize(
    ("language", "full", "short", "month", "instant"),
    [
        ("en", "31 Dec 2027", "31 Dec", "Dec 2027", "22 Nov 2026, 12:00"),
        ("zh-hans", "2027年12月31日", "12月31日", "2027年12月", "2026年11月22日 12:00"),
        ("zh-hant", "2027年12月31日", "12月31日", "2027年12月", "2026年11月22日 12:00"),
    ],
)
def test_dates(language: str, full: str, short: str, month: str, instant: str) -> None:
    day = date(2027, 12, 31)
    assert figures.format_date(day, language=language) == full
    assert figures.format_date(day, language=language, year=False) == short
    assert figures.format_month(day, language=language) == month
    assert figures.format_datetime(NOON, language=language, zone=SHANGHAI) == instant
    assert figures.format_time(NOON, language=language, zone=SHANGHAI) == "12:00"


@pytest.mark.parametrize(
    ("distance", "english", "chinese"),
    [
        (timedelta(hours=-3), "3 hours ago", "3小时前"),
        (timedelta(days=2), "in 2 days", "2天后"),
        (timedelta(minutes=-5), "5 minutes ago", "5分钟前"),
    ],
)
def test_relative(distance: timedelta, english: str, chinese: str) -> None:
    then = NOON + distance
    assert figures.format_relative(then, now=NOON, language="en") == english
    assert figures.format_relative(then, now=NOON, language="zh-hans") == chinese


def test_languages_fall_back_by_script() -> None:
    assert figures.number_locale("zh-HK") == figures.number_locale("zh-hant")
    assert figures.number_locale("zh-cn") == figures.number_locale("zh-hans")
    assert figures.number_locale("fr") == figures.number_locale("en")
