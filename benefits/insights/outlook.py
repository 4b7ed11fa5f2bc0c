"""What publishing a rule asks of insights: how much gets used, and cost against revenue."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Sum

from benefits.insights.models import BenefitMonth, ProgrammeMonth
from benefits.insights.months import first_of
from benefits.insights.operations import HIGH_COST_RATIO
from benefits.rules.registry import Outlook, register_outlook, register_uptake
from core import clock
from tenants.brands.context import current_brand

_MONTHS = 3
_WHOLE = 10_000


def uptake(benefit_ids: Sequence[int], at: datetime) -> Mapping[int, int]:
    """Return units used ÷ units issued over the last three whole months, in basis points."""
    today = clock.local_date(at, current_brand().timezone)
    rows = (
        BenefitMonth.objects.filter(
            benefit_id__in=list(benefit_ids),
            month__gte=first_of(today, back=_MONTHS),
            month__lt=first_of(today, back=0),
        )
        .values("benefit_id")
        .annotate(issued=Sum("units_issued"), used=Sum("units_used"))
    )
    return {
        row["benefit_id"]: min(row["used"] * _WHOLE // row["issued"], _WHOLE)
        for row in rows
        if row["issued"]
    }


def outlook(at: datetime) -> Outlook | None:
    """Return the mean revenue and cost of the last three whole months; None before the first."""
    today = clock.local_date(at, current_brand().timezone)
    months = list(
        ProgrammeMonth.objects.filter(
            month__gte=first_of(today, back=_MONTHS), month__lt=first_of(today, back=0)
        ).values_list("revenue_minor", "cost_minor")
    )
    if not months:
        return None
    return Outlook(
        revenue_minor=sum(revenue for revenue, _cost in months) // len(months),
        cost_minor=sum(cost for _revenue, cost in months) // len(months),
        line_bp=round(HIGH_COST_RATIO * _WHOLE),
    )


def register() -> None:
    """Tell the room of rules; called once at start."""
    register_uptake("insights", uptake)
    register_outlook("insights", outlook)
