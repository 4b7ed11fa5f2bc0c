"""Checks that can be run on any brand at any time; each returns what it found wrong."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.forms.models import model_to_dict

from benefits.insights.models import Alert, BenefitMonth, ProgrammeMonth
from benefits.insights.operations import compute_month


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
    for row in [*BenefitMonth.objects.all(), *ProgrammeMonth.objects.all()]:
        facts[f"{type(row).__name__} {row}"] = model_to_dict(row, exclude=["computed_at", "id"])
    return facts


def facts_equal_rows() -> list[str]:
    """I15: stored facts of settled months = the same facts computed again from rows.

    Computes in a transaction that is rolled back. `units_used` is to date and left out.
    """
    before = _stored()
    months = ProgrammeMonth.objects.order_by("month").values_list("month", "computed_at")
    with transaction.atomic():
        for month, computed_at in list(months):
            compute_month(day=month, at=computed_at)
        after = _stored()
        transaction.set_rollback(True)
    wrong = []
    for name, fact in before.items():
        differing = {
            field
            for field, value in fact.items()
            if field != "units_used" and after[name][field] != value
        }
        if differing:
            wrong.append(f"{name}: {', '.join(sorted(differing))}")
    return wrong


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I11 one alert per rule, subject and period": alerts_are_single,
    "I15 facts equal rows": facts_equal_rows,
}
