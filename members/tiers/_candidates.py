"""For whom a night can change anything since the last run of the same scheme.

Rising is decided at once by what is bought; the night is for the rest. A member who has left the
first tier is looked at when days left the window that counts for keeping the tier (`_moved`),
when the tier is in danger, when its year ends, when it changed since the last run, or when a
refund asked for it. Any member is looked at when growth or points were entered by other ways than
a purchase. For all others the rules give what is stored. A test holds nights like this equal to
full ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from members.tiers._metrics import wallet_of
from members.tiers.models import Tier, TierScheme
from members.tiers.rules import is_periodic, keep_window

# An entry may be committed a while after the instant that it carries.
_MARGIN = timedelta(hours=1)

_STORED = """
SELECT stored.member_id FROM members_membertier AS stored
WHERE stored.is_due OR stored.grace_until IS NOT NULL OR stored.since >= %(since)s
    OR stored.valid_until <= %(valid_until)s
"""
_ENTERED = """
SELECT account.owner_id
FROM members_entry AS entry JOIN members_account AS account ON account.id = entry.account_id
WHERE entry.at >= %(since)s AND account.wallet_id = %(wallet)s
    AND (entry.kind IN (5, 10) OR (entry.kind = 1 AND entry.source_type <> 'purchase'))
"""
_LEFT_JOURNAL = """
SELECT account.owner_id
FROM members_entry AS entry
JOIN members_account AS account ON account.id = entry.account_id
JOIN members_membertier AS stored ON stored.member_id = account.owner_id
WHERE account.wallet_id = %(wallet)s AND stored.tier_id = {tier}
    AND entry.at >= (%({name}_from)s::date::timestamp AT TIME ZONE %(zone)s)
    AND entry.at < (%({name}_to)s::date::timestamp AT TIME ZONE %(zone)s)
"""
_LEFT_DAYS = """
SELECT day.member_id
FROM members_memberday AS day
JOIN members_membertier AS stored ON stored.member_id = day.member_id
WHERE stored.tier_id = {tier} AND day.on_date >= %({name}_from)s AND day.on_date < %({name}_to)s
"""


@dataclass(frozen=True, slots=True)
class Last:
    """The last run: its brand day and the instant it was made at."""

    on: date
    at: datetime


def candidates_query(
    *, scheme: TierScheme, tiers: Sequence[Tier], last: Last, on: date, zone: str
) -> tuple[str, dict[str, Any]]:
    """Return the query for the keys of members to look at on a day, ascending."""
    wallet = wallet_of(scheme.metric)
    params: dict[str, Any] = {
        # Tiers entered on the day of the last run were not looked at then.
        "since": min(last.at - _MARGIN, last.at - timedelta(days=1)),
        "valid_until": on + timedelta(days=scheme.notice_days),
        "wallet": wallet,
        "zone": zone,
    }
    parts = [_STORED]
    if wallet is not None:
        parts.append(_ENTERED)
    for tier in tiers[1:]:
        left = _left(scheme, tier, last.on, on)
        if left is not None:
            name = f"left{tier.rank}"
            params |= {f"{name}_from": left[0], f"{name}_to": left[1]}
            part = _LEFT_JOURNAL if wallet is not None else _LEFT_DAYS
            parts.append(part.format(tier=tier.pk, name=name))
    return " UNION ".join(parts) + " ORDER BY 1", params


def _left(scheme: TierScheme, tier: Tier, last_on: date, on: date) -> tuple[date, date] | None:
    """Return the days that left the window for keeping a tier between two runs."""
    if is_periodic(scheme.window) or scheme.window == TierScheme.Window.LIFETIME:
        return None
    before, now = (
        keep_window(scheme, tier=tier, valid_until=None, on=day, enrolled_on=day).from_on
        for day in (last_on, on)
    )
    if before is None or now is None or before >= now:
        return None
    return before, now
