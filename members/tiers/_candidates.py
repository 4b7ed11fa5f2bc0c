"""For whom a night can change anything since the last run of the same scheme.

Rising is decided at once by what is bought; the night is for the rest. A member who has left the
first tier is looked at when more left the window that counts for keeping the tier than there was
to spare, when the tier is in danger, when its year ends, when it changed since the last run, or
when a refund asked for it. Any member is looked at when growth or points were entered by other
ways than a purchase. For all others the rules give what is stored. A test holds nights like this
equal to full ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from members.tiers._metrics import beginning_of, wallet_of
from members.tiers.models import Tier, TierScheme
from members.tiers.rules import is_periodic, keep_window

# An entry may be committed a while after the instant that it carries.
_MARGIN = timedelta(hours=1)

_STORED = """
SELECT stored.member_id FROM members_membertier AS stored
WHERE stored.is_due OR stored.grace_until IS NOT NULL OR stored.since >= %(last_day)s
    OR stored.valid_until <= %(valid_until)s
    OR (COALESCE(stored.earned_tier_id, stored.tier_id) = ANY(%(sliding)s::bigint[])
        AND COALESCE(stored.spare < 0, TRUE))
"""
_ENTERED = """
SELECT account.owner_id
FROM members_entry AS entry JOIN members_account AS account ON account.id = entry.account_id
WHERE entry.at >= %(since)s AND account.wallet_id = %(wallet)s
    AND (entry.kind IN (5, 10) OR (entry.kind = 1 AND entry.source_type <> 'purchase'))
"""
# Only what was added counts here: leaving out what was taken back makes the rest a lower bound.
# Materialised: the entries of some days lie together on disk, those of some members do not; and
# these members are few of those who hold the tier, which the planner can not know.
_LEFT_JOURNAL = """
WITH gone AS MATERIALIZED (
    SELECT account_id, sum(delta) AS amount FROM members_entry
    WHERE at >= {from_at} AND at < {to_at}
        AND delta > 0 AND kind IN (1, 5)
    GROUP BY account_id
), owned AS MATERIALIZED (
    SELECT account.owner_id, gone.amount
    FROM gone JOIN members_account AS account ON account.id = gone.account_id
    WHERE account.wallet_id = %(wallet)s
)
SELECT stored.member_id, owned.amount
FROM owned JOIN members_membertier AS stored ON stored.member_id = owned.owner_id
WHERE COALESCE(stored.earned_tier_id, stored.tier_id) = %(tier)s AND stored.spare >= 0
"""
_LEFT_DAYS = """
SELECT stored.member_id, sum({amount}) AS amount
FROM members_memberday AS day
JOIN members_membertier AS stored ON stored.member_id = day.member_id
WHERE day.on_date >= %(from_on)s AND day.on_date < %(to_on)s
    AND COALESCE(stored.earned_tier_id, stored.tier_id) = %(tier)s AND stored.spare >= 0
GROUP BY stored.member_id
"""


@dataclass(frozen=True, slots=True)
class Last:
    """The last run: its brand day and the instant it was made at."""

    on: date
    at: datetime


def candidates_query(
    *, scheme: TierScheme, tiers: Sequence[Tier], last: Last, on: date, zone: str
) -> tuple[str, dict[str, Any]]:
    """Return the query for the keys of members to look at on a day, ascending.

    To be asked after what left their windows was taken from what they had to spare.
    """
    wallet = wallet_of(scheme.metric)
    is_sliding = scheme.window == TierScheme.Window.ROLLING
    params: dict[str, Any] = {
        "since": last.at - _MARGIN,
        # Tiers entered on the day of the last run were not looked at then.
        "last_day": datetime.combine(last.on, time(), tzinfo=ZoneInfo(zone)),
        "valid_until": on + timedelta(days=scheme.notice_days),
        "sliding": [tier.pk for tier in tiers[1:]] if is_sliding else [],
        "wallet": wallet,
    }
    parts = [_STORED] if wallet is None else [_STORED, _ENTERED]
    return " UNION ".join(parts) + " ORDER BY 1", params


def leaving_queries(
    *, scheme: TierScheme, tiers: Sequence[Tier], last: Last, on: date, zone: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the queries for what left the windows since the last run: member and amount."""
    wallet = wallet_of(scheme.metric)
    spent = "day.spend_minor - day.refunded_minor"
    days = _LEFT_DAYS.format(
        amount=spent if scheme.metric == TierScheme.Metric.SPEND else "day.orders"
    )
    journal = _LEFT_JOURNAL.format(
        from_at=beginning_of("%(from_on)s"), to_at=beginning_of("%(to_on)s")
    )
    for tier in tiers[1:]:
        left = _left(scheme, tier, last.on, on)
        if left is not None:
            yield (
                days if wallet is None else journal,
                {
                    "from_on": left[0],
                    "to_on": left[1],
                    "zone": zone,
                    "wallet": wallet,
                    "tier": tier.pk,
                },
            )


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
