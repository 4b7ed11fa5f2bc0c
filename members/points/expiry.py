"""Until when points are good: the wallet's expiry policy as a pure function."""

import calendar
from datetime import date

from members.points.models import NEVER, WHILE_ACTIVE, Wallet


def expires_on(*, policy: str, months: int, earned_on: date) -> date:
    """Return the last day on which points earned on a day are good.

    `months` later is the same day of that month, or its last day where the month is shorter
    (31 January + 1 month = 28 or 29 February). The end-of policies then go on to the end of that
    month, quarter or year. `NEVER` stands for points that do not expire, `WHILE_ACTIVE` for those
    that expire by inactivity: `good_until` says when. The SQL function `points_expires_on` is the
    same.
    """
    if policy == Wallet.ExpiryPolicy.NONE:
        return NEVER
    if policy == Wallet.ExpiryPolicy.INACTIVITY:
        return WHILE_ACTIVE
    year, month0 = divmod(earned_on.year * 12 + earned_on.month - 1 + months, 12)
    if policy == Wallet.ExpiryPolicy.MONTHS:
        return date(year, month0 + 1, min(earned_on.day, calendar.monthrange(year, month0 + 1)[1]))
    if policy == Wallet.ExpiryPolicy.END_OF_QUARTER:
        month0 = month0 // 3 * 3 + 2
    elif policy == Wallet.ExpiryPolicy.END_OF_YEAR:
        month0 = 11
    return date(year, month0 + 1, calendar.monthrange(year, month0 + 1)[1])


def good_until(*, active_on: date, months: int) -> date:
    """Return the last good day of points that expire by inactivity, after an activity on a day.

    The same day so many months later, or that month's last day; the SQL function
    `points_good_until` is the same.
    """
    return expires_on(policy=Wallet.ExpiryPolicy.MONTHS, months=months, earned_on=active_on)
