"""Computing facts, opening and closing alerts."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from benefits.catalogue.models import Benefit
from benefits.catalogue.operations import change_stage
from benefits.insights.errors import AlertClosedError, OutcomeMissingError, SnoozeError
from benefits.insights.models import Alert, BenefitMonth, ProgrammeMonth
from benefits.insights.months import first_of, last_months
from core import clock
from core.actors import SYSTEM, Actor
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

LOW_PENETRATION = 0.15
HIGH_COST_RATIO = 0.07
LONGEST_SNOOZE = timedelta(days=90)
# Stages whose use is watched: an idea or a pilot is judged by its evaluation instead.
WATCHED = (Benefit.Stage.CORE, Benefit.Stage.STAR, Benefit.Stage.WATCH)


def open_alert(
    *,
    rule: str,
    subject: tuple[str, int],
    period: str,
    severity: str,
    figures: dict[str, Any],
    at: datetime,
    days_to_act: int = 14,
) -> Alert | None:
    """Open an alert, once per rule, subject and period; None if it was opened before (I11)."""
    due_on = clock.local_date(at, current_brand().timezone) + timedelta(days=days_to_act)
    with transaction.atomic():
        alert, created = Alert.objects.get_or_create(
            rule=rule,
            subject_type=subject[0],
            subject_id=subject[1],
            period=period,
            defaults={
                "severity": severity,
                "figures": figures,
                "opened_at": at,
                "due_on": due_on,
            },
        )
        if not created:
            return None
        emit(
            type="alert.opened",
            subject=f"alert:{alert.pk}",
            data={"rule": rule, "about": f"{subject[0]}:{subject[1]}", "period": period},
            at=at,
        )
    return alert


def assign_alert(*, alert: Alert, owner_id: int, due_on: date, by: Actor, at: datetime) -> Alert:
    """Give an open alert an owner among staff and a due date.

    :raises AlertClosedError: if it is closed.
    """
    with transaction.atomic():
        row = _lock_open(alert)
        changes: dict[str, list[Any]] = {
            "owner_id": [row.owner_id, owner_id],
            "due_on": [str(row.due_on), str(due_on)],
        }
        row.owner_id, row.due_on = owner_id, due_on
        row.save(update_fields=["owner_id", "due_on"])
        record(
            by=by,
            at=at,
            action="alert.assigned",
            target_type="alert",
            target_id=row.pk,
            changes=changes,
        )
    return row


def snooze_alert(*, alert: Alert, until: date, reason: str, by: Actor, at: datetime) -> Alert:
    """Put an open alert off: it comes back to the list on a day, at most 90 days away.

    :raises SnoozeError: for another day, or without a reason.
    :raises AlertClosedError: if it is closed.
    """
    today = clock.local_date(at, current_brand().timezone)
    if not today < until <= today + LONGEST_SNOOZE:
        raise SnoozeError(pointer="/until", latest=str(today + LONGEST_SNOOZE))
    if not reason.strip() or len(reason.strip()) > 200:
        raise SnoozeError(pointer="/reason")
    with transaction.atomic():
        row = _lock_open(alert)
        before = str(row.snoozed_until) if row.snoozed_until else None
        row.snoozed_until, row.snooze_reason = until, reason.strip()
        row.save(update_fields=["snoozed_until", "snooze_reason"])
        record(
            by=by,
            at=at,
            action="alert.snoozed",
            target_type="alert",
            target_id=row.pk,
            changes={"snoozed_until": [before, str(until)]},
            reason=row.snooze_reason,
        )
    return row


def close_alert(*, alert: Alert, outcome: str, by: Actor, at: datetime) -> Alert:
    """Close an alert with what came of it.

    :raises OutcomeMissingError: if the outcome is empty.
    :raises AlertClosedError: if it is closed already.
    """
    if not outcome.strip():
        raise OutcomeMissingError(pointer="/outcome")
    with transaction.atomic():
        row = _lock_open(alert)
        row.state = Alert.State.CLOSED
        row.closed_at, row.closed_by, row.outcome = at, by.key, outcome.strip()
        row.save(update_fields=["state", "closed_at", "closed_by", "outcome"])
        record(
            by=by,
            at=at,
            action="alert.closed",
            target_type="alert",
            target_id=row.pk,
            changes={"state": ["open", "closed"]},
            reason=row.outcome,
        )
        emit(
            type="alert.closed",
            subject=f"alert:{row.pk}",
            data={"rule": row.rule, "period": row.period},
            at=at,
        )
    return row


def note_export(*, benefit: Benefit, month: date, kind: str, by: Actor, at: datetime) -> None:
    """Write into the audit that the rows behind a figure were taken as a file."""
    record(
        by=by,
        at=at,
        action="insights.exported",
        target_type="benefit",
        target_id=benefit.pk,
        changes={"rows": [None, kind], "month": [None, f"{month:%Y-%m}"]},
    )


def check_alerts(*, at: datetime) -> int:
    """Look at the last whole months and open what needs a person; the number opened.

    Facts of the months looked at must have been computed.
    """
    today = clock.local_date(at, current_brand().timezone)
    last = first_of(today, back=1)
    return _check_penetration(last, at) + _check_cost_ratio(last, at)


def _check_penetration(last: date, at: datetime) -> int:
    months = last_months(last, 13)
    facts: dict[int, dict[date, BenefitMonth]] = {}
    for fact in BenefitMonth.objects.filter(
        month__gte=months[0], month__lte=last, benefit__stage__in=WATCHED
    ).select_related("benefit"):
        facts.setdefault(fact.benefit_id, {})[fact.month] = fact
    opened = 0
    for benefit_id, by_month in sorted(facts.items()):
        streak = low_streak([_penetration(by_month.get(month)) for month in months])
        if streak == 0:
            _close_recovered(benefit_id, by_month.get(last), at)
        elif (
            streak >= 2
            and not Alert.objects.filter(
                # The same episode: opened in a month that this streak covers.
                rule=Alert.Rule.PENETRATION_LOW,
                subject_type="benefit",
                subject_id=benefit_id,
                period__gte=f"{months[-streak]:%Y-%m}",
            ).exists()
        ):
            opened += _open_penetration(by_month, months[-2:], at)
    return opened


def low_streak(values: list[float | None]) -> int:
    """Return how many of the last months in a row are below the limit; no data ends the row."""
    streak = 0
    for value in reversed(values):
        if value is None or value >= LOW_PENETRATION:
            break
        streak += 1
    return streak


def _penetration(fact: BenefitMonth | None) -> float | None:
    if fact is None or fact.target_members == 0:
        return None
    return fact.users / fact.target_members


def _open_penetration(by_month: dict[date, BenefitMonth], months: list[date], at: datetime) -> int:
    benefit = by_month[months[-1]].benefit
    figures = {
        f"{month:%Y-%m}": [by_month[month].users, by_month[month].target_members]
        for month in months
    }
    with transaction.atomic():
        alert = open_alert(
            rule=Alert.Rule.PENETRATION_LOW,
            subject=("benefit", benefit.pk),
            period=f"{months[-1]:%Y-%m}",
            severity=Alert.Severity.WARNING,
            figures=figures,
            at=at,
        )
        if alert is not None and benefit.stage != Benefit.Stage.WATCH:
            change_stage(
                benefit=benefit,
                to=Benefit.Stage.WATCH,
                reason="Penetration below 15 % two months running",
                by=SYSTEM,
                at=at,
            )
    return int(alert is not None)


def _close_recovered(benefit_id: int, fact: BenefitMonth | None, at: datetime) -> None:
    if _penetration(fact) is None:
        return
    for alert in Alert.objects.filter(
        rule=Alert.Rule.PENETRATION_LOW,
        subject_type="benefit",
        subject_id=benefit_id,
        state=Alert.State.OPEN,
    ):
        close_alert(alert=alert, outcome="Penetration is back above 15 %", by=SYSTEM, at=at)


def _check_cost_ratio(last: date, at: datetime) -> int:
    fact = ProgrammeMonth.objects.filter(month=last).first()
    if fact is None or fact.revenue_minor <= 0:
        return 0
    if fact.cost_minor <= HIGH_COST_RATIO * fact.revenue_minor:
        return 0
    alert = open_alert(
        rule=Alert.Rule.COST_RATIO_HIGH,
        subject=("programme", 0),
        period=f"{last:%Y-%m}",
        severity=Alert.Severity.CRITICAL,
        figures={"cost_minor": fact.cost_minor, "revenue_minor": fact.revenue_minor},
        at=at,
    )
    return int(alert is not None)


def _lock_open(alert: Alert) -> Alert:
    row = Alert.objects.select_for_update().get(pk=alert.pk)
    if row.state != Alert.State.OPEN:
        raise AlertClosedError
    return row
