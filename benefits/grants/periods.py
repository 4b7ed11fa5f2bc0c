"""When a member's right comes again."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from benefits.grants.models import Grant
from benefits.rules.models import GrantRule
from benefits.rules.periods import Period, midnight, next_start, period_on
from core import clock
from tenants.brands.context import current_brand


def next_grant_at(grant: Grant, *, at: datetime) -> datetime | None:
    """Return when the rule behind a grant grants again: the next period's first instant.

    None without a rule, when the rule is no longer in force then, or has no next period.
    """
    rule = grant.rule
    if rule is None or rule.status != GrantRule.Status.PUBLISHED:
        return None
    return next_period_at(
        cadence=rule.cadence,
        every_months=rule.every_months,
        since=rule_start(rule),
        ends_at=rule.ends_at,
        at=at,
    )


def next_period_at(
    *,
    cadence: str,
    every_months: int | None,
    since: date,
    ends_at: datetime | None,
    at: datetime,
) -> datetime | None:
    """Return the first instant of the period after the present one, if the rule lasts till then."""
    zone = ZoneInfo(current_brand().timezone)
    first = next_start(
        cadence=cadence, on=clock.local_date(at, zone), every_months=every_months, since=since
    )
    if first is None:
        return None
    start = midnight(first, zone)
    return None if ends_at is not None and ends_at <= start else start


def current_period(rule: GrantRule, *, at: datetime) -> Period:
    """Return the period of a rule of the nightly job that the brand's day lies in."""
    return period_on(
        cadence=rule.cadence,
        on=clock.local_date(at, current_brand().timezone),
        every_months=rule.every_months,
        since=rule_start(rule),
    )


def rule_start(rule: GrantRule) -> date:
    """Return the brand day that a rule's months are counted from."""
    return clock.local_date(rule.starts_at or rule.created_at, current_brand().timezone)
