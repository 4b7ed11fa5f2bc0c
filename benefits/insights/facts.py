"""Computing a month's facts from rows, and noticing that late data changed what they came from."""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction

from benefits.insights import _facts_sql, _slices_sql
from benefits.insights.models import BenefitSlice, MonthStatus, ProgrammeMonth, TierMonth
from benefits.insights.months import Month, first_of, month_of
from benefits.insights.registry import list_partner_sources
from core import clock
from members.points import queries as points
from members.points.models import Wallet
from members.tiers.queries import list_tiers
from tenants.brands.context import current_brand

COHORTS_KEPT: Final = 12
# How many later months see a month's rows: purchases and answers count for 90 days, a right or a
# member for as long as there are any; None means all later months.
_REACH: Final[dict[str, int | None]] = {
    "purchases": 3,
    "requests": 0,
    "fulfilments": 0,
    "answers": 3,
    "grants": None,
    "members": None,
    "tiers": 0,
    "service": 0,
}

_KEEP_STATUS = """
INSERT INTO benefits_monthstatus (month, sources, computed_at, stale_causes)
VALUES (%(first)s, %(sources)s::jsonb, %(at)s, '[]')
ON CONFLICT (month) DO UPDATE SET sources = EXCLUDED.sources, computed_at = EXCLUDED.computed_at,
    stale_at = NULL, stale_causes = '[]'
"""


def compute_month(*, day: date, at: datetime, slices: bool = True) -> None:
    """Compute all facts of the month that holds `day`, anew if they exist; same rows, same facts.

    Without `slices` only the totals, which is quick enough for the running month at any time.
    """
    month = month_of(day, current_brand().timezone)
    values = _values(month, at)
    with transaction.atomic(), connection.cursor() as cursor:
        # Taken first: a row that comes in meanwhile makes the month stale, not the facts wrong.
        sources = _fingerprints(month.first, month.first).get(month.first, {})
        cursor.execute(_facts_sql.BENEFIT_MONTHS, values)
        cursor.execute(_facts_sql.PROGRAMME_MONTH, values)
        if not slices:
            return
        cursor.execute(_facts_sql.COHORTS, values)
        BenefitSlice.objects.filter(month=month.first).delete()
        cursor.execute(_slices_sql.SLICES, values)
        for source in list_partner_sources():
            cursor.execute(_slices_sql.PARTNER_SLICES.format(source=source), values)
        TierMonth.objects.filter(month=month.first).delete()
        if values["first_tier"]:
            cursor.execute(_slices_sql.TIER_MOVES, values)
        cursor.execute(
            _KEEP_STATUS, {"first": month.first, "at": at, "sources": json.dumps(sources)}
        )


def _values(month: Month, at: datetime) -> dict[str, Any]:
    zone = current_brand().timezone
    books = {
        line.account: line.points
        for line in points.double_entry(since=month.starts_at, until=month.ends_at)
        if line.wallet == "points"
    }
    outstanding = _outstanding_points(month, books)
    cost_micro = Wallet.objects.get(code="points").cost_per_point_micro
    last_day = month.after - timedelta(days=1)
    tiers = list_tiers(on=last_day) or list_tiers(on=clock.local_date(at, zone))
    # The last night of the month that was looked at; the running month has its own so far.
    days = points.list_liability(since=month.first, until=last_day)
    return {
        "first": month.first,
        "after": month.after,
        "starts": month.starts_at,
        "ends": month.ends_at,
        "days90": month.days90,
        "nps_from": month.ends_at - timedelta(days=90),
        "oldest": month_of(first_of(month.first, back=COHORTS_KEPT), zone).starts_at,
        "zone": zone,
        "at": at,
        "first_tier": tiers[0].code if tiers else "",
        "points_issued": -books.get("issued", 0),
        "points_spent": books.get("redeemed", 0),
        "points_expired": books.get("expired", 0),
        "liability_points": outstanding,
        "liability_minor": round(Decimal(outstanding * cost_micro) / 1_000_000),
        "breakage_points": days[-1].breakage if days else None,
    }


def _outstanding_points(month: Month, books: Mapping[str, int]) -> int:
    """Points owed to members at the month's end: last month's figure and this month's flow."""
    before = ProgrammeMonth.objects.filter(month=first_of(month.first, back=1)).first()
    if before is not None:
        start = before.liability_points
    else:
        earlier = points.double_entry(until=month.starts_at)
        start = sum(
            line.points
            for line in earlier
            if line.wallet == "points" and line.account in {"members", "held"}
        )
    return start + books.get("members", 0) + books.get("held", 0)


def _fingerprints(first: date, last: date) -> dict[date, dict[str, str]]:
    """Return the fingerprint of each kind of row by month, for months [first, last]."""
    zone = current_brand().timezone
    found: dict[date, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_slices_sql.FINGERPRINTS, _bounds(first, last, zone))
        for kind, month, mark in cursor.fetchall():
            found.setdefault(month, {})[kind] = mark
    return found


def _bounds(first: date, last: date, zone: str) -> dict[str, Any]:
    return {
        "zone": zone,
        "from_day": first,
        "to_day": first_of(last, back=-1),
        "from_at": month_of(first, zone).starts_at,
        "to_at": month_of(last, zone).ends_at,
    }


def changed_sources(*, months: Mapping[date, Mapping[str, str]]) -> dict[date, list[str]]:
    """Return which kinds of rows have changed since facts were computed, by month of the rows.

    `months` holds the fingerprints that were kept.
    """
    if not months:
        return {}
    now = _fingerprints(min(months), max(months))
    changed: dict[date, list[str]] = {}
    for month, kept in months.items():
        found = now.get(month, {})
        kinds = [kind for kind in _REACH if kept.get(kind) != found.get(kind)]
        if kinds:
            changed[month] = kinds
    return changed


def mark_stale_months(*, at: datetime) -> list[date]:
    """Mark past months whose rows changed after their facts were computed; return all stale ones.

    A change reaches later months too, where their figures look back on it.
    """
    running = first_of(clock.local_date(at, current_brand().timezone))
    statuses = {status.month: status for status in MonthStatus.objects.filter(month__lt=running)}
    causes: dict[date, set[str]] = {}
    changed = changed_sources(months={m: status.sources for m, status in statuses.items()})
    for month, kinds in changed.items():
        for kind in kinds:
            reach = _REACH[kind]
            last = max(statuses) if reach is None else first_of(month, back=-reach)
            for reached in statuses:
                if month <= reached <= last:
                    causes.setdefault(reached, set()).add(kind)
    with transaction.atomic():
        for month, kinds_of in sorted(causes.items()):
            status = statuses[month]
            MonthStatus.objects.filter(pk=month).update(
                stale_at=status.stale_at or at,
                stale_causes=sorted(kinds_of | set(status.stale_causes)),
            )
    return list(
        MonthStatus.objects.filter(stale_at__isnull=False, month__lt=running)
        .order_by("month")
        .values_list("month", flat=True)
    )


def refresh_used(*, at: datetime) -> None:
    """Bring units used out of the grants of the last 13 months up to date: they still move."""
    zone = current_brand().timezone
    today = clock.local_date(at, zone)
    values = _bounds(first_of(today, back=COHORTS_KEPT), first_of(today), zone)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_slices_sql.REFRESH_USED, values)
        cursor.execute(_slices_sql.REFRESH_USED_PROGRAMME)
