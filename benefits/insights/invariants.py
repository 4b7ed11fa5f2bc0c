"""Checks that can be run on any brand at any time; each returns what it found wrong."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.forms.models import model_to_dict

from benefits.insights.facts import changed_sources, compute_month
from benefits.insights.models import (
    Alert,
    BenefitMonth,
    BenefitSlice,
    CohortMonth,
    MonthStatus,
    ProgrammeMonth,
    TierMonth,
)
from benefits.insights.months import first_of
from core import clock
from tenants.brands.context import current_brand


def alerts_are_single() -> list[str]:
    """I11: one alert per rule, subject and period."""
    doubles = (
        Alert.objects.values("rule", "subject_type", "subject_id", "period")
        .annotate(n=Count("pk"))
        .filter(n__gt=1)
    )
    return [f"{row['rule']} {row['subject_id']} {row['period']}: {row['n']}" for row in doubles]


def _stored() -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for model in (BenefitMonth, BenefitSlice, CohortMonth, ProgrammeMonth, TierMonth):
        for row in model.objects.all():
            fact = model_to_dict(row, exclude=["computed_at", "id", "units_used"])
            facts[f"{model.__name__} {row}"] = fact
    return facts


def facts_equal_rows() -> list[str]:
    """I15: stored facts = the same facts computed again from rows.

    Computes in a transaction that is rolled back. `units_used` is to date and left out. A past
    month whose rows changed is named unless it is marked stale; the running month always lags.
    """
    statuses = list(MonthStatus.objects.filter(stale_at__isnull=True).order_by("month"))
    zone = current_brand().timezone
    changed = changed_sources(months={status.month: status.sources for status in statuses})
    settled = [status for status in statuses if status.month not in changed]
    wrong = [
        f"{status}: {', '.join(changed[status.month])} changed since"
        for status in statuses
        if status.month in changed
        and clock.local_date(status.computed_at, zone) >= first_of(status.month, back=-1)
    ]
    before = _stored()
    with transaction.atomic():
        for status in settled:
            compute_month(day=status.month, at=status.computed_at)
        after = _stored()
        transaction.set_rollback(True)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, {}), after.get(name, {})
        differing = {field for field in old.keys() | new.keys() if old.get(field) != new.get(field)}
        if differing:
            wrong.append(f"{name}: {', '.join(sorted(differing))}")
    return wrong


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I11 one alert per rule, subject and period": alerts_are_single,
    "I15 facts equal rows": facts_equal_rows,
}
