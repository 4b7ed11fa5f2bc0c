"""Reads of budgets: sums, lines, movements, the reserve over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import F, Q, Sum

from benefits.budget.models import (
    Budget,
    BudgetEntry,
    BudgetLine,
    PlanRevision,
    ReserveDraw,
    ReserveSnapshot,
)
from core.errors import NotFoundError

Kind = BudgetEntry.Kind


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """A budget in figures, all in minor units.

    `reserve_left` = opening reserve − draws + returns. `committed` is what is promised and
    neither spent nor released. `unplanned` is what can still be allocated; `free` is what has
    been allocated or drawn and is neither promised nor spent.
    """

    budget: Budget
    reserve_left: int
    drawn: int
    returned: int
    planned: int
    committed: int
    spent: int

    @property
    def unplanned(self) -> int:
        return self.budget.plannable_minor - self.planned

    @property
    def free(self) -> int:
        return self.planned + self.drawn - self.returned - self.committed - self.spent

    @property
    def reserve_below_floor(self) -> bool:
        return self.reserve_left < self.budget.floor_minor

    @property
    def free_share_bp(self) -> int:
        """Return the share of the total that is free for fast response, in basis points."""
        return self.reserve_left * 10_000 // self.budget.total_minor

    @property
    def late_spent(self) -> int | None:
        """Return what was spent since the close; None while the period is open."""
        closed = self.budget.closed_spent_minor
        return None if closed is None else self.spent - closed


@dataclass(frozen=True, slots=True)
class LineSummary:
    """One line in figures, in minor units; `funded` is what was planned or drawn for it."""

    line: BudgetLine
    planned: int
    drawn: int
    committed: int
    spent: int

    @property
    def funded(self) -> int:
        return self.planned + self.drawn

    @property
    def left(self) -> int:
        return self.funded - self.committed - self.spent

    @property
    def used_bp(self) -> int | None:
        """Return the share used in basis points; None where nothing was funded."""
        if not self.funded:
            return None
        return (self.committed + self.spent) * 10_000 // self.funded


def get_budget(*, budget_id: int) -> Budget:
    """Return a budget.

    :raises NotFoundError: if there is none with this key.
    """
    budget = Budget.objects.filter(pk=budget_id).first()
    if budget is None:
        raise NotFoundError(budget=budget_id)
    return budget


def list_budgets() -> list[Budget]:
    """Return all budgets, the latest period first."""
    return list(Budget.objects.order_by("-starts_on"))


def current_budget(*, on: date) -> Budget | None:
    """Return the budget whose period covers the day, or None."""
    return Budget.objects.filter(starts_on__lte=on, ends_on__gt=on).first()


def find_line(*, code: str, on: date) -> BudgetLine | None:
    """Return the line with this code in the open budget of the day, or None."""
    return BudgetLine.objects.filter(
        code=code, budget__starts_on__lte=on, budget__ends_on__gt=on, budget__status="open"
    ).first()


def find_line_for(*, kind: str, target_id: int | None, on: date) -> BudgetLine | None:
    """Return the line made for a benefit or package (or its kind) in the open budget, or None."""
    lines = BudgetLine.objects.filter(
        kind=kind, budget__starts_on__lte=on, budget__ends_on__gt=on, budget__status="open"
    )
    return lines.filter(target_id=target_id).order_by("pk").first()


_SUMS = {
    "planned_sum": Sum("amount_minor", filter=Q(kind=Kind.PLAN), default=0),
    "drawn_sum": Sum("amount_minor", filter=Q(kind=Kind.RESERVE_DRAW), default=0),
    "returned_sum": Sum("amount_minor", filter=Q(kind=Kind.RESERVE_RETURN), default=0),
    "commit_sum": Sum("amount_minor", filter=Q(kind=Kind.COMMIT), default=0),
    "release_sum": Sum("amount_minor", filter=Q(kind=Kind.RELEASE), default=0),
    "spend_sum": Sum("amount_minor", filter=Q(kind=Kind.SPEND), default=0),
}


def summary(*, budget: Budget, before: date | None = None) -> BudgetSummary:
    """Add up a budget's movements; with `before`, only those of earlier brand days."""
    entries = BudgetEntry.objects.filter(budget=budget)
    if before is not None:
        entries = entries.filter(on_date__lt=before)
    sums = entries.aggregate(**_SUMS)
    return BudgetSummary(
        budget=budget,
        reserve_left=budget.opening_reserve_minor - sums["drawn_sum"] + sums["returned_sum"],
        drawn=sums["drawn_sum"],
        returned=sums["returned_sum"],
        planned=sums["planned_sum"],
        committed=sums["commit_sum"] - sums["release_sum"],
        spent=sums["spend_sum"],
    )


def line_summaries(*, budget: Budget) -> list[LineSummary]:
    """Add up every line of a budget in one query, in the order in which they were added."""
    by_line: dict[int, dict[str, int]] = {
        row["line_id"]: {name: int(row[name]) for name in _SUMS}  # type: ignore[literal-required]
        for row in BudgetEntry.objects.filter(budget=budget).values("line_id").annotate(**_SUMS)
    }
    empty = dict.fromkeys(_SUMS, 0)
    summaries = []
    for line in budget.lines.order_by("pk"):
        sums = by_line.get(line.pk, empty)
        summaries.append(
            LineSummary(
                line=line,
                planned=sums["planned_sum"],
                drawn=sums["drawn_sum"] - sums["returned_sum"],
                committed=sums["commit_sum"] - sums["release_sum"],
                spent=sums["spend_sum"],
            )
        )
    return summaries


def daily_spend(*, budget: Budget, start: date, end: date) -> list[int]:
    """Return the spend of each brand day of `[start, end)`, days without spend as 0."""
    sums = dict(
        BudgetEntry.objects.filter(
            budget=budget, kind=Kind.SPEND, on_date__gte=start, on_date__lt=end
        )
        .values_list("on_date")
        .annotate(Sum("amount_minor"))
    )
    return [sums.get(start + timedelta(days=n), 0) for n in range((end - start).days)]


def daily_spend_by_line(*, budget: Budget, start: date, end: date) -> dict[int, list[int]]:
    """Return each line's spend of each brand day of `[start, end)`; lines without any are left out."""
    days = (end - start).days
    found: dict[int, list[int]] = {}
    rows = (
        BudgetEntry.objects.filter(
            budget=budget, kind=Kind.SPEND, on_date__gte=start, on_date__lt=end
        )
        .values_list("line_id", "on_date")
        .annotate(total=Sum("amount_minor"))
        .order_by("line_id", "on_date")
    )
    for line_id, on_date, total in rows:
        found.setdefault(line_id, [0] * days)[(on_date - start).days] = total
    return found


def list_running(*, on: date) -> list[Budget]:
    """Return the open budgets whose period has begun, the earlier first."""
    return list(
        Budget.objects.filter(status=Budget.Status.OPEN, starts_on__lte=on).order_by("starts_on")
    )


def late_spends(*, on: date) -> dict[int, int]:
    """Return what budgets that are closed spent on a day after their close, by budget."""
    rows = (
        BudgetEntry.objects.filter(
            kind=Kind.SPEND,
            on_date=on,
            budget__status=Budget.Status.CLOSED,
            at__gte=F("budget__closed_at"),
        )
        .values_list("budget_id")
        .annotate(Sum("amount_minor"))
    )
    return dict(rows)


def list_ended(*, on: date) -> list[Budget]:
    """Return the open budgets whose period has ended: they wait for their close."""
    return list(Budget.objects.filter(status=Budget.Status.OPEN, ends_on__lte=on).order_by("pk"))


def list_revisions(
    *, budget: Budget | None = None, state: str = "", limit: int = 50
) -> list[PlanRevision]:
    """Return revisions of plans, the latest first; drafts only of a budget that is named."""
    revisions = PlanRevision.objects.select_related("budget")
    if budget is not None:
        revisions = revisions.filter(budget=budget)
    if state:
        revisions = revisions.filter(state=state)
    return list(revisions.order_by("-pk")[:limit])


def get_revision(*, revision_id: int) -> PlanRevision:
    """Return a revision with its budget.

    :raises NotFoundError: if there is none with this key.
    """
    found = PlanRevision.objects.select_related("budget").filter(pk=revision_id).first()
    if found is None:
        raise NotFoundError(revision=revision_id)
    return found


def count_waiting_revisions() -> int:
    """Return how many revisions of a plan wait for approval."""
    return PlanRevision.objects.filter(state=PlanRevision.State.REQUESTED).count()


def history(*, budget: Budget) -> list[ReserveSnapshot]:
    """Return the tracker's findings of a budget, oldest first: the chart's series."""
    return list(ReserveSnapshot.objects.filter(budget=budget).order_by("on_date"))


def list_entries(
    *,
    budget: Budget,
    kinds: Sequence[str] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[BudgetEntry]:
    """Return up to `limit` + 1 movements, newest first; the one more tells that there are more."""
    entries = BudgetEntry.objects.filter(budget=budget).select_related("line")
    if kinds:
        entries = entries.filter(kind__in=kinds)
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    return list(entries.order_by("-pk")[: limit + 1])


def list_draws(*, budget: Budget | None = None, state: str = "") -> list[ReserveDraw]:
    """Return draws, those that wait for approval first, then the latest."""
    draws = ReserveDraw.objects.select_related("line", "budget")
    if budget is not None:
        draws = draws.filter(budget=budget)
    if state:
        draws = draws.filter(state=state)
    waiting = ReserveDraw.State.REQUESTED
    return sorted(draws, key=lambda draw: (draw.state != waiting, -draw.pk))


def get_draw(*, draw_id: int) -> ReserveDraw:
    """Return a draw with its line and budget.

    :raises NotFoundError: if there is none with this key.
    """
    draw = ReserveDraw.objects.select_related("line", "budget").filter(pk=draw_id).first()
    if draw is None:
        raise NotFoundError(draw=draw_id)
    return draw


def get_line(*, line_id: int) -> BudgetLine:
    """Return a line with its budget.

    :raises NotFoundError: if there is none with this key.
    """
    line = BudgetLine.objects.select_related("budget").filter(pk=line_id).first()
    if line is None:
        raise NotFoundError(line=line_id)
    return line


def count_waiting_draws() -> int:
    """Return how many draws wait for approval."""
    return ReserveDraw.objects.filter(state=ReserveDraw.State.REQUESTED).count()
