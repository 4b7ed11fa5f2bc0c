"""Money in minor units: exact integers, one rounding rule."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from core.errors import InvalidError

# Digits after the point (ISO 4217) of the currencies a brand may use.
CURRENCIES: dict[str, int] = {
    "AUD": 2, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "DKK": 2, "EUR": 2, "GBP": 2,
    "HKD": 2, "IDR": 2, "INR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "MOP": 2, "MXN": 2,
    "MYR": 2, "NOK": 2, "NZD": 2, "PHP": 2, "PLN": 2, "SEK": 2, "SGD": 2, "THB": 2,
    "TWD": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
# Largest amount accepted anywhere: far above a real one, far below what a bigint sum can hold.
MAX_MINOR = 10**13


class UnsupportedCurrencyError(InvalidError):
    """The currency is unknown, or not the one of this brand."""

    code = "unsupported_currency"


class InvalidAmountError(InvalidError):
    """The amount is no number, has too many decimals, or is out of range."""

    code = "invalid_amount"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of an ISO 4217 currency."""

    minor: int
    currency: str


def exponent(currency: str) -> int:
    """Return the number of digits after the point of a currency.

    :raises UnsupportedCurrencyError: if the currency is not known here.
    """
    try:
        return CURRENCIES[currency]
    except KeyError:
        raise UnsupportedCurrencyError(
            f"Currency {currency!r} is not supported.", currency=currency
        ) from None


def parse_decimal(text: str, currency: str) -> int:
    """Turn a decimal text such as `19.99` into minor units, exactly.

    :raises InvalidAmountError: if it is no plain number, has more decimals than the currency,
        or its size passes `MAX_MINOR`.
    """
    digits = exponent(currency)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidAmountError(f"{text[:40]!r} is not an amount.") from None
    if not value.is_finite():
        raise InvalidAmountError(f"{text[:40]!r} is not an amount.")
    if value.adjusted() > 15:
        raise InvalidAmountError(f"{text[:40]!r} is too large.")
    scaled = value.scaleb(digits)
    if scaled != scaled.to_integral_value():
        raise InvalidAmountError(f"{text[:40]!r} has more decimals than {currency} has.")
    minor = int(scaled)
    if abs(minor) > MAX_MINOR:
        raise InvalidAmountError(f"{text[:40]!r} is too large.")
    return minor


def to_decimal(minor: int, currency: str) -> Decimal:
    """Return the amount in major units, with the currency's number of decimals."""
    return Decimal(minor).scaleb(-exponent(currency))


def share(minor: int, *, basis_points: int) -> int:
    """Return a share of an amount, rounded half-even once; 10,000 basis points are the whole."""
    return int((Decimal(minor) * basis_points / 10_000).quantize(Decimal(1), ROUND_HALF_EVEN))
