"""Making the statements of a month: set-based, a group of partners in each transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils.translation import gettext_noop

from core.clock import local_date
from partners.pool.models import Partner
from partners.settlements import _sql
from partners.settlements.errors import OpenMonthError
from partners.settlements.models import Statement
from tenants.audit.operations import verify_identity
from tenants.brands.context import current_brand

# Partners settled in one transaction: what a run that is stopped loses, and what it shows.
GROUP = 50
# Runs take turns: two months may both reach an order that no statement has yet.
TURNS = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' settlement'))"
# The reason of a correction that the job makes; shown in the reader's language.
UNDONE = gettext_noop("Found in a dispute not to have been delivered")


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of the brand and its instants, half-open."""

    first: date
    after: date
    starts_at: datetime
    ends_at: datetime


class Made(NamedTuple):
    """What a run has made."""

    statements: int
    orders: int


def month_of(day: date, zone: str) -> Month:
    """Return the month that holds a day."""
    first = day.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    place = ZoneInfo(zone)
    return Month(
        first, after, datetime.combine(first, time(), place), datetime.combine(after, time(), place)
    )


def month_before(at: datetime) -> date:
    """Return the first day of the brand's last whole month."""
    today = local_date(at, current_brand().timezone)
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def check_over(*, month: date, at: datetime) -> Month:
    """Return the month when it is over.

    :raises OpenMonthError: if it is not.
    """
    zone = current_brand().timezone
    found = month_of(month, zone)
    if local_date(at, zone) < found.after:
        raise OpenMonthError(month=f"{found.first:%Y-%m}", next_date=found.after)
    return found


def make_statements(
    *,
    month: date,
    at: datetime,
    progress: Callable[[int, int], None] | None = None,
    last: Callable[[Made], None] | None = None,
) -> Made:
    """Draft the statement of every partner to whom something is due for a month that is over.

    What has a statement is left alone, so a run that was stopped goes on where it was, and what
    closes or is corrected later goes to the next month's. `last` is called inside the last
    transaction.

    :raises OpenMonthError: if the month is not over.
    """
    found = check_over(month=month, at=at)
    due = list(
        Partner.objects.exclude(statements__month=found.first)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    groups = [due[start : start + GROUP] for start in range(0, len(due), GROUP)] or [[]]
    made = Made(0, 0)
    for number, group in enumerate(groups):
        if progress is not None:
            progress(min(number * GROUP, len(due)), len(due))
        with transaction.atomic():
            more = _settle(group, found, at) if group else Made(0, 0)
            made = Made(made.statements + more.statements, made.orders + more.orders)
            if last is not None and number == len(groups) - 1:
                last(made)
    return made


def _settle(partners: Sequence[int], month: Month, at: datetime) -> Made:
    """Make the statements of a group of partners, in the caller's transaction."""
    verify_identity()
    brand = current_brand()
    values: dict[str, Any] = {
        "partners": list(partners),
        "month": month.first,
        "last": month.after - timedelta(days=1),
        "starts": month.starts_at,
        "ends": month.ends_at,
        "zone": brand.timezone,
        "currency": brand.currency,
        "undone": UNDONE,
        "at": at,
    }
    with connection.cursor() as cursor:
        # Many rows, none that a request waits for.
        cursor.execute(
            "SELECT set_config('statement_timeout', '600s', true),"
            " set_config('work_mem', '64MB', true)"
        )
        cursor.execute(TURNS)
        cursor.execute(_sql.OPEN_STATEMENTS, values)
        values["statements"] = statements = [row[0] for row in cursor.fetchall()]
        if not statements:
            return Made(0, 0)
        cursor.execute(_sql.SERVICE_LINES, values)
        orders = cursor.rowcount
        for sql in (
            _sql.CHARGE_LINES,
            _sql.MONTHLY_FEES,
            _sql.COMMISSIONS,
            _sql.UNDONE,
            _sql.CORRECTION_LINES,
            _sql.TOTALS,
            _sql.DROP_EMPTY,
        ):
            cursor.execute(sql, values)
        return Made(Statement.objects.filter(pk__in=statements).count(), orders)
