"""What points cost the budget: what members are owed is promised, not spent.

Points given out bind money of the line that is there for points; points spent, expired or taken
back free it again, and what they bought is booked where it is bought (the mall's line). So no
point is counted twice. At the end of each day the line's commitment is

    max(0, liability that day - liability the day before the period - paid by benefits)

with the liability of the points room, and `paid by benefits` the cost of points that a benefit
credited, which its own line has spent. The job only books the difference to what is booked.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.db import transaction

from benefits.budget import _allowance
from benefits.budget._book import Kind, append, tell_overrun
from benefits.budget.models import Budget, BudgetLine
from benefits.budget.queries import line_summaries
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from members.points.queries import list_liability
from tenants.brands.context import current_brand

_paid: list[Callable[[date, date], int]] = []


def register_paid_elsewhere(source: Callable[[date, date], int]) -> None:
    """Add who says what points in `[since, until)` were paid from other lines, in minor units."""
    _paid.append(source)


def accrue_points(*, at: datetime) -> int:
    """Bring the commitment of each open budget's line for points up to the last whole day.

    Returns the number of lines whose commitment moved. Run again, nothing moves.
    """
    today = clock.local_date(at, current_brand().timezone)
    moved = 0
    lines = BudgetLine.objects.filter(
        kind=BudgetLine.Kind.POINTS,
        target_id=None,
        budget__status=Budget.Status.OPEN,
        budget__starts_on__lt=today,
    )
    budgets: set[int] = set()
    for line in lines.select_related("budget").order_by("budget_id", "pk"):
        # Where a budget has several lines for points, the first is theirs.
        if line.budget_id not in budgets:
            budgets.add(line.budget_id)
            moved += _accrue(line, until=min(today, line.budget.ends_on), at=at)
    return moved


def _accrue(line: BudgetLine, *, until: date, at: datetime) -> int:
    owed = _owed_since(line.budget.starts_on, until)
    if owed is None:
        return 0
    with transaction.atomic():
        budget = Budget.objects.select_for_update().get(pk=line.budget_id)
        if budget.status != Budget.Status.OPEN:
            return 0
        found = next(one for one in line_summaries(budget=budget) if one.line.pk == line.pk)
        step = max(owed, 0) - found.committed
        if not step:
            return 0
        append(
            line=line,
            kind=Kind.COMMIT if step > 0 else Kind.RELEASE,
            amount_minor=abs(step),
            key=uuid7(),
            by=SYSTEM,
            at=at,
            source=("points_owed", None),
        )
        # The points are owed already: nothing is refused, going over is told.
        if step < 0:
            _allowance.give(line.pk, -step)
        elif _allowance.force(line.pk, step):
            tell_overrun(line, at)
    return 1


def _owed_since(start: date, until: date) -> int | None:
    """Return how much what is owed for points has grown in `[start, until)`; None: not known."""
    days = list_liability(since=start - timedelta(days=7), until=until - timedelta(days=1))
    before = [day.cost_minor for day in days if day.on_date < start]
    within = [day.cost_minor for day in days if day.on_date >= start]
    if not within:
        return None
    opening = before[-1] if before else 0
    return within[-1] - opening - sum(source(start, until) for source in _paid)
