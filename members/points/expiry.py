"""Until when points are good: the wallet's expiry policy as a pure function."""

import calendar
from datetime import date

from members.points.models import NEVER, Wallet


def expires_on(*, policy: str, months: int, earned_on: date) -> date:
    """Return the last day on which points earned on a day are good.

    `months` later is the same day of that month, or its last day where the month is shorter
    (31 January + 1 month = 28 or 29 February). The end-of policies then go on to the end of that
    month, quarter or year. `NEVER` stands for points that do not expire. The SQL function
    `points_expires_on` is the same.
    """
    if policy == Wallet.ExpiryPolicy.NONE:
        return NEVER
    year, month0 = divmod(earned_on.year * 12 + earned_on.month - 1 + months, 12)
    if policy == Wallet.ExpiryPolicy.MONTHS:
        return date(year, month0 + 1, min(earned_on.day, calendar.monthrange(year, month0 + 1)[1]))
    if policy == Wallet.ExpiryPolicy.END_OF_QUARTER:
        month0 = month0 // 3 * 3 + 2
    elif policy == Wallet.ExpiryPolicy.END_OF_YEAR:
        month0 = 11
    return date(year, month0 + 1, calendar.monthrange(year, month0 + 1)[1])
