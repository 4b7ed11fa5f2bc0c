"""Work of the clock: offers that run out, and the scorecards of the day."""

from datetime import timedelta

from django.db import connection, transaction

from core.clock import local_date
from partners.orders.models import FulfilmentOrder
from partners.orders.operations import time_out
from partners.orders.queries import SCORECARD_DAYS, record_sql
from tenants.brands.context import current_brand
from tenants.jobs.runs import JobRun

_FIELDS = (
    "offers_answered",
    "offers_accepted",
    "orders_closed",
    "orders_failed",
    "orders_fulfilled",
    "orders_on_time",
    "ratings",
    "rating_sum",
)


def run_timeouts(run: JobRun) -> None:
    """Job `orders.timeouts`: pass on every offer whose time is over, each in a transaction."""
    due = list(
        FulfilmentOrder.objects.filter(state=FulfilmentOrder.State.OFFERED, accept_by__lte=run.at)
        .order_by("accept_by", "pk")
        .values_list("pk", flat=True)
    )
    passed_on = 0
    for number, order_id in enumerate(due):
        run.progress(number, len(due))
        passed_on += time_out(order_id=order_id, at=run.at)
    run.complete({"timed_out": passed_on})


def run_scorecards(run: JobRun) -> None:
    """Job `partners.scorecards`: count every partner's 90 days in one statement."""
    today = local_date(run.at, current_brand().timezone)
    fields = ", ".join(_FIELDS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in (*_FIELDS, "computed_on"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO partners_partnerscore (partner_id, {fields}, computed_on)"  # noqa: S608
            f" SELECT r.*, %(today)s FROM ({record_sql()}) r"
            f" ON CONFLICT (partner_id) DO UPDATE SET {changes}",
            {
                "since": run.at - timedelta(days=SCORECARD_DAYS),
                "at": run.at,
                "today": today,
            },
        )
        run.complete({"partners": cursor.rowcount})
