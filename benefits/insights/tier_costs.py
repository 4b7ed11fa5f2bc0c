"""What benefits cost under the tiers of a simulation, and what that is held against."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext_lazy as _

from benefits.budget.queries import current_budget
from benefits.insights.models import ProgrammeMonth
from benefits.insights.months import first_of
from benefits.insights.operations import HIGH_COST_RATIO
from members.tiers.costs import TABLE, TierCost, Yardstick
from tenants.brands.context import current_brand

_DAYS = 90
_MONTHS = 3
_SQL = f"""
WITH spent AS (
    SELECT member_id, sum(cost_minor) AS cost FROM benefits_redemption
    WHERE fulfilled_at >= %(since)s AND fulfilled_at < %(until)s
        AND state IN ('fulfilled', 'reversed')
    GROUP BY member_id
), now AS (
    SELECT placed.old_rank AS rank, count(*) AS members, COALESCE(sum(spent.cost), 0) AS cost
    FROM {TABLE} AS placed LEFT JOIN spent USING (member_id) GROUP BY 1
), later AS (
    SELECT new_rank AS rank, count(*) AS members FROM {TABLE} GROUP BY 1
)
SELECT 'now', rank, members, cost FROM now
UNION ALL SELECT 'then', rank, members, 0 FROM later ORDER BY 1, 2
"""  # noqa: S608


def estimate_benefit_cost(*, on: date, old_codes: list[str], new_codes: list[str]) -> TierCost:
    """Return what benefits cost a month: each tier's cost per member, times its members.

    By what was fulfilled in the last 90 days. A tier that nobody holds today costs per member what
    the next one below it does.
    """
    zone = ZoneInfo(current_brand().timezone)
    since, until = (
        datetime.combine(day, time(), tzinfo=zone) for day in (on - timedelta(days=_DAYS), on)
    )
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"since": since, "until": until})
        rows = cursor.fetchall()
    each = {
        old_codes[rank - 1]: float(cost) / members
        for kind, rank, members, cost in rows
        if kind == "now"
    }
    now = sum(float(cost) for kind, _rank, _members, cost in rows if kind == "now")
    per_rank: list[float] = []
    for code in new_codes:
        per_rank.append(each.get(code, per_rank[-1] if per_rank else 0.0))
    then = sum(per_rank[rank - 1] * members for kind, rank, members, _c in rows if kind == "then")
    return TierCost("benefits", _("Benefits"), round(now / _MONTHS), round(then / _MONTHS))


def yardstick(on: date) -> Yardstick:
    """Return a month's share of the budget of the day, and the mean revenue of whole months."""
    budget = current_budget(on=on)
    each_month = None
    if budget is not None:
        months = (budget.ends_on.year - budget.starts_on.year) * 12
        months += budget.ends_on.month - budget.starts_on.month
        each_month = budget.total_minor // max(months, 1)
    revenue = list(
        ProgrammeMonth.objects.filter(
            month__gte=first_of(on, back=_MONTHS), month__lt=first_of(on, back=0)
        ).values_list("revenue_minor", flat=True)
    )
    return Yardstick(
        budget_minor=each_month,
        revenue_minor=sum(revenue) // len(revenue) if revenue else None,
        line_bp=round(HIGH_COST_RATIO * 10_000),
    )
