"""The daily roll-up made anew from the rows: finds days that differ, and mends them.

The roll-up is kept by the statement of each purchase and refund and should never differ. What
differs anyway (a restored table, a mistake of ours) is found without a lock and mended under one.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Max, Min

from members.activity.models import MemberDay, Purchase
from tenants.jobs.runs import JobRun

REBUILD = "activity.rebuild"
PART = 20_000

_TRUE_DAYS = """
    SELECT member_id, local_date AS on_date,
        count(*) FILTER (WHERE refunded_minor < amount_minor OR amount_minor = 0) AS orders,
        sum(amount_minor) AS spend_minor, sum(refunded_minor) AS refunded_minor
    FROM members_purchase WHERE member_id >= %(low)s AND member_id < %(high)s
    GROUP BY member_id, local_date
"""
_DIFFERING = f"""
SELECT EXISTS (
    SELECT FROM ({_TRUE_DAYS}) AS truth
    FULL JOIN (SELECT * FROM members_memberday
        WHERE member_id >= %(low)s AND member_id < %(high)s) AS stored
        ON stored.member_id = truth.member_id AND stored.on_date = truth.on_date
    WHERE (stored.orders, stored.spend_minor, stored.refunded_minor)
        IS DISTINCT FROM (truth.orders, truth.spend_minor, truth.refunded_minor))
"""  # noqa: S608
_MEND = f"""
WITH truth AS MATERIALIZED ({_TRUE_DAYS}), gone AS (
    DELETE FROM members_memberday AS stored
    WHERE stored.member_id >= %(low)s AND stored.member_id < %(high)s AND NOT EXISTS (
        SELECT FROM truth WHERE truth.member_id = stored.member_id
            AND truth.on_date = stored.on_date)
    RETURNING 1
), mended AS (
    INSERT INTO members_memberday AS stored
        (member_id, on_date, orders, spend_minor, refunded_minor)
    SELECT member_id, on_date, orders, spend_minor, refunded_minor FROM truth
    ON CONFLICT (member_id, on_date) DO UPDATE SET orders = EXCLUDED.orders,
        spend_minor = EXCLUDED.spend_minor, refunded_minor = EXCLUDED.refunded_minor
    WHERE (stored.orders, stored.spend_minor, stored.refunded_minor) IS DISTINCT FROM
        (EXCLUDED.orders, EXCLUDED.spend_minor, EXCLUDED.refunded_minor)
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM mended)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many days were written, changed or removed."""

    days: int


def rebuild_days(*, low: int, high: int) -> Rebuilt:
    """Make the days of members with keys in [low, high) equal to their purchases.

    One transaction. Only where something differs are purchases made to wait, for as long as it
    takes to mend it.
    """
    keys = {"low": low, "high": high}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(_DIFFERING, keys)
        if not cursor.fetchone()[0]:
            return Rebuilt(0)
        # Purchases and refunds of other transactions are waited for, then seen.
        cursor.execute("LOCK TABLE members_memberday IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(_MEND, keys)
        return Rebuilt(int(cursor.fetchone()[0]))


def run_rebuild(run: JobRun) -> None:
    """Rebuild the days of all members, part by part; may run at any time and again."""
    bounds = [
        model.objects.aggregate(first=Min("member_id"), last=Max("member_id"))
        for model in (Purchase, MemberDay)
    ]
    low = min((found["first"] for found in bounds if found["first"] is not None), default=0)
    end = max((found["last"] for found in bounds if found["last"] is not None), default=0) + 1
    starts = list(range(low, end, PART))
    days = 0
    for number, start in enumerate(starts, start=1):
        run.progress(number - 1, len(starts))
        with transaction.atomic():
            days += rebuild_days(low=start, high=start + PART).days
            if number == len(starts):
                run.complete({"mended_days": days})
