"""Facts every night, alerts after them, and what other rooms' events open."""

from datetime import timedelta

from django.db import transaction

from benefits.catalogue.models import Benefit
from benefits.insights.facts import compute_month
from benefits.insights.models import Alert
from benefits.insights.months import first_of
from benefits.insights.operations import check_alerts, open_alert
from benefits.insights.returns import estimate_return
from core import clock
from tenants.brands.context import current_brand
from tenants.events.models import Event
from tenants.jobs.registry import JobRun

# Late purchases and fulfilments change a month for this long after its end.
SETTLING_DAYS = 10
# Stages in which members have the benefit, so that it may bring something.
MEASURED = (Benefit.Stage.PILOT, Benefit.Stage.CORE, Benefit.Stage.STAR, Benefit.Stage.WATCH)


def compute_facts(run: JobRun) -> None:
    """Job `insights.facts`: the running month, and the last one while it settles."""
    today = clock.local_date(run.at, current_brand().timezone)
    days = [today]
    if today.day <= SETTLING_DAYS:
        days.insert(0, first_of(today) - timedelta(days=1))
    with transaction.atomic():
        for number, day in enumerate(days):
            run.progress(number, len(days))
            compute_month(day=day, at=run.at)
        run.complete({"months": [f"{day:%Y-%m}" for day in days]})


def compute_running(run: JobRun) -> None:
    """Job `insights.running`: the totals of the running month, between two nights."""
    today = clock.local_date(run.at, current_brand().timezone)
    with transaction.atomic():
        compute_month(day=today, at=run.at, slices=False)
        run.complete({"month": f"{today:%Y-%m}"})


def compute_returns(run: JobRun) -> None:
    """Job `insights.returns`: what each benefit in use brings; once each, so that it may go on."""
    benefits = list(Benefit.objects.filter(stage__in=MEASURED).order_by("pk"))
    found = 0
    for number, benefit in enumerate(benefits):
        run.progress(number, len(benefits))
        found += estimate_return(benefit=benefit, at=run.at) is not None
    with transaction.atomic():
        run.complete({"benefits": len(benefits), "estimates": found})


def open_alerts(run: JobRun) -> None:
    """Job `insights.alerts`: recompute the last whole month, then open what needs a person."""
    today = clock.local_date(run.at, current_brand().timezone)
    with transaction.atomic():
        compute_month(day=first_of(today, back=1), at=run.at)
        run.complete({"opened": check_alerts(at=run.at)})


def on_reserve_low(event: Event) -> None:
    """Open one alert a month for a reserve under its floor."""
    open_alert(
        rule=Alert.Rule.RESERVE_LOW,
        subject=("budget", int(event.subject.partition(":")[2])),
        period=f"{clock.local_date(event.at, current_brand().timezone):%Y-%m}",
        severity=Alert.Severity.CRITICAL,
        figures=event.data,
        at=event.at,
    )


def on_order_unassigned(event: Event) -> None:
    """Open an alert for an order that no partner takes: the day it happened is its period."""
    open_alert(
        rule=Alert.Rule.ORDER_UNASSIGNED,
        subject=("redemption", event.data["redemption"]),
        period=f"{clock.local_date(event.at, current_brand().timezone):%Y-%m-%d}",
        severity=Alert.Severity.WARNING,
        figures=event.data,
        at=event.at,
        days_to_act=1,
    )
