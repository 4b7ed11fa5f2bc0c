"""The counters behind the caps of rules, locked while a rule issues."""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection

from benefits.grants.models import RulePeriod
from benefits.rules.caps import DAY, PERIOD, SCOPES, TOTAL, Used
from benefits.rules.models import GrantRule
from benefits.rules.periods import ISSUED_BY_JOB, Period
from core import clock
from tenants.brands.context import current_brand

# What a rule had issued before it got the cap that needs a counter.
_ISSUED = """
SELECT COALESCE(sum(g.quantity), 0)::bigint,
       COALESCE(sum(g.quantity * cost.unit_cost_minor), 0)::bigint,
       count(DISTINCT (g.member_id, g.period_key))
  FROM benefits_grant g
  LEFT JOIN benefits_benefitcost cost ON cost.benefit_id = g.benefit_id
   AND cost.valid_from <= (g.issued_at AT TIME ZONE %(zone)s)::date
   AND (cost.valid_to IS NULL OR cost.valid_to > (g.issued_at AT TIME ZONE %(zone)s)::date)
 WHERE g.rule_id = %(rule)s AND {scope}
"""
_SCOPE_SQL = {
    TOTAL: "TRUE",
    DAY: "to_char(g.issued_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD') = %(key)s",
    PERIOD: "to_char(g.issued_at AT TIME ZONE %(zone)s, 'YYYY-MM') = %(key)s",
}


def counter_keys(rule: GrantRule, period: Period, at: datetime) -> dict[str, str]:
    """Return the key of each counter at an instant.

    What events set off is capped per calendar month.
    """
    today = clock.local_date(at, current_brand().timezone)
    return {
        TOTAL: "total",
        PERIOD: period.key if rule.cadence in ISSUED_BY_JOB else f"{today:%Y-%m}",
        DAY: today.isoformat(),
    }


def lock_counters(
    rule: GrantRule, period: Period, at: datetime, *, scopes: tuple[str, ...]
) -> dict[str, RulePeriod]:
    """Return the counters of some scopes, locked: two issues of one rule take turns."""
    keys = counter_keys(rule, period, at)
    return {scope: _lock(rule, scope, keys[scope], at) for scope in SCOPES if scope in scopes}


def read_used(rule: GrantRule, period: Period, at: datetime) -> dict[str, Used]:
    """Return what a rule has issued in each scope; for looking, nothing is locked."""
    keys = counter_keys(rule, period, at)
    return {scope: _read(rule, scope, keys[scope]) for scope in SCOPES}


def used_of(counters: Mapping[str, RulePeriod]) -> dict[str, Used]:
    """Return what locked counters have counted."""
    return {scope: Used(row.units, row.cost_minor) for scope, row in counters.items()}


def add(
    counters: Mapping[str, RulePeriod],
    *,
    members: int,
    units: int,
    cost_minor: int,
    at: datetime,
) -> None:
    """Count what was issued now."""
    for counter in counters.values():
        counter.members += members
        counter.units += units
        counter.cost_minor += cost_minor
        counter.last_issued_at = at
        counter.save(update_fields=["members", "units", "cost_minor", "last_issued_at"])


def _lock(rule: GrantRule, scope: str, key: str, at: datetime) -> RulePeriod:
    mine = RulePeriod.objects.filter(rule=rule, scope=scope, period_key=key)
    found = mine.select_for_update().first()
    if found is not None:
        return found
    # Nothing is counted before the row is there and locked, so nothing is counted twice.
    RulePeriod.objects.bulk_create(
        [RulePeriod(rule=rule, scope=scope, period_key=key, first_issued_at=at, last_issued_at=at)],
        ignore_conflicts=True,
    )
    made = mine.select_for_update().get()
    if made.units == 0 and (scope != PERIOD or rule.cadence not in ISSUED_BY_JOB):
        made.units, made.cost_minor, made.members = _issued(rule, scope, key)
        if made.units:
            made.save(update_fields=["members", "units", "cost_minor"])
    return made


def _read(rule: GrantRule, scope: str, key: str) -> Used:
    row = (
        RulePeriod.objects.filter(rule=rule, scope=scope, period_key=key)
        .values_list("units", "cost_minor")
        .first()
    )
    if row is not None:
        return Used(*row)
    if scope == PERIOD and rule.cadence in ISSUED_BY_JOB:
        return Used()
    units, cost_minor, _members = _issued(rule, scope, key)
    return Used(units, cost_minor)


def _issued(rule: GrantRule, scope: str, key: str) -> tuple[int, int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            _ISSUED.format(scope=_SCOPE_SQL[scope]),
            {"rule": rule.pk, "key": key, "zone": current_brand().timezone},
        )
        units, cost_minor, members = cursor.fetchone()
    return units, cost_minor, members
