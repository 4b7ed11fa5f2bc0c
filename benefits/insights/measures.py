"""The measures of DOMAIN §7 as plain arithmetic, each with its formula in words.

Shares are fractions; None where the denominator is zero: no data, never 0 %.
"""

from dataclasses import dataclass
from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure with where it comes from; `value` None means no data."""

    code: str
    label: str | Promise
    formula: str | Promise
    month: date
    numerator: int
    denominator: int
    value: float | None
    unit: str = "share"


def share(numerator: int, denominator: int) -> float | None:
    """Return numerator ÷ denominator, or None where there is nothing to divide by."""
    return numerator / denominator if denominator > 0 else None


def nps(promoters: int, detractors: int, answers: int) -> float | None:
    """Return % promoters − % detractors, from −100 to 100, or None without answers."""
    return 100 * (promoters - detractors) / answers if answers > 0 else None


def triangle(
    usage: float | None, nps_value: float | None, repurchase: float | None
) -> float | None:
    """Return (u·n·r)^(1/3) with n = (NPS + 100) / 200 (DOMAIN 7.5), or None if one is missing."""
    if usage is None or nps_value is None or repurchase is None:
        return None
    return float((usage * (nps_value + 100) / 200 * repurchase) ** (1 / 3))


PENETRATION = (
    _("Penetration"),
    _("Members who requested it in the month ÷ members who held an active grant in the month"),
)
CONSUMPTION = (
    _("Consumption"),
    _("Units used out of grants issued in the month, to date ÷ units issued in the month"),
)
COST_RATIO = (_("Service cost ratio"), _("Cost of fulfilled benefits ÷ net purchases of the month"))
NPS = (_("NPS"), _("% answers 9–10 − % answers 0–6, over the 90 days to the month's end"))
REPURCHASE = (
    _("Repurchase rate of users"),
    _("Users with two or more purchases in the 90 days to the month's end ÷ users with one"),
)
SATISFACTION = (_("Satisfaction"), _("Sum of ratings from 1 to 5 ÷ number of ratings"))
