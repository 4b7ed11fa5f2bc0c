"""What the console's overview and benefit pages show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from benefits.catalogue.models import Benefit
from benefits.insights import measures
from benefits.insights.measures import Measure
from benefits.insights.models import Alert, BenefitMonth, CohortMonth, ProgrammeMonth
from benefits.insights.months import first_of, last_months, month_of
from benefits.insights.registry import Todo, collect
from core import clock
from core.errors import NotFoundError
from members.tiers import queries as tiers
from members.tiers.moves import TierMove, tier_moves
from members.tiers.values import TierSize
from tenants.brands.context import current_brand

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the last whole month against the month before, and its series of months.

    `change` is relative for counts, and a difference of shares for shares; None where there is
    nothing to compare with. `so_far` is the figure of the running month, which is not over:
    comparing it with a whole one would mislead. A standing figure such as the liability has none:
    its value is today's and its change the one since the last month's end.
    """

    code: str
    value: float | None
    change: float | None
    so_far: float | None
    series: list[float | None]
    unit: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the console's first page; flows are those of `shown`, the last whole month."""

    month: date
    shown: date
    kpis: list[Kpi]
    months: list[date]
    issued: list[int]
    spent: list[int]
    tier_sizes: Sequence[TierSize]
    tier_moves: Sequence[TierMove]
    cohorts: list["CohortRow"]
    computed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A joining month and the share of it that bought in each month since; None: no data."""

    cohort: date
    members: int
    shares: list[float | None]


def overview(*, at: datetime) -> Overview:
    """Collect the overview from facts; at most 8 queries; what waits is a page of its own (`list_todos`)."""
    today = clock.local_date(at, current_brand().timezone)
    months = last_months(today, MONTHS)
    facts = {
        fact.month: fact
        for fact in ProgrammeMonth.objects.filter(month__gte=months[0], month__lte=months[-1])
    }
    rows = [facts.get(month) for month in months]
    newest = rows[-1]
    since = month_of(first_of(today, back=2), current_brand().timezone).starts_at
    return Overview(
        month=months[-1],
        shown=months[-2],
        kpis=_kpis(rows),
        months=months,
        issued=[row.points_issued if row else 0 for row in rows],
        spent=[row.points_spent if row else 0 for row in rows],
        tier_sizes=tiers.tier_sizes(on=today),
        tier_moves=tier_moves(since=since, on=today),
        cohorts=cohorts(last=months[-1]),
        computed_at=newest.computed_at if newest else None,
    )


def list_todos(*, at: datetime) -> tuple[list[Alert], list[Todo]]:
    """Return what waits for a person: open alerts and the cards of all rooms, a query each."""
    today = clock.local_date(at, current_brand().timezone)
    return list_alerts(state=Alert.State.OPEN, limit=6, awake_on=today), collect(at)


def _kpis(rows: Sequence[ProgrammeMonth | None]) -> list[Kpi]:
    def series(field: str) -> list[float | None]:
        return [getattr(row, field) if row else None for row in rows]

    def flow(code: str, field: str, unit: str) -> Kpi:
        found = series(field)
        value, before = found[-2], found[-3]
        return Kpi(code, value, _relative(value, before), found[-1], found[:-1], unit)

    used = [measures.share(row.units_used, row.units_issued) if row else None for row in rows]
    value, before = used[-2], used[-3]
    change = value - before if value is not None and before is not None else None
    owed = series("liability_minor")
    return [
        flow("active_members", "active_members", "count"),
        flow("points_issued", "points_issued", "points"),
        Kpi("consumption", value, change, used[-1], used[:-1], "share"),
        Kpi("liability", owed[-1], _relative(owed[-1], owed[-2]), None, owed, "money"),
    ]


def _relative(value: float | None, before: float | None) -> float | None:
    return (value - before) / before if value is not None and before else None


def cohorts(*, last: date, size: int = 8) -> list[CohortRow]:
    """Return the retention table: joining months as rows, months since joining as columns."""
    first = first_of(last, back=size - 1)
    found: dict[date, dict[date, CohortMonth]] = {}
    for row in CohortMonth.objects.filter(cohort__gte=first, month__gte=first, month__lte=last):
        found.setdefault(row.cohort, {})[row.month] = row
    table = []
    for cohort, by_month in sorted(found.items()):
        since = last_months(last, (last.year - cohort.year) * 12 + last.month - cohort.month + 1)
        shares = [
            measures.share(by_month[month].buyers, by_month[month].members)
            if month in by_month
            else None
            for month in since
        ]
        newest = max(by_month)
        table.append(CohortRow(cohort, by_month[newest].members, shares))
    return table


@dataclass(frozen=True, slots=True)
class BenefitFigures:
    """One benefit's measures in a month, and its penetration and consumption over 12 months."""

    benefit: Benefit
    month: date
    measures: list[Measure]
    months: list[date]
    penetration: list[float | None]
    consumption: list[float | None]
    cost: list[int]
    triangle: float | None


def benefit_figures(*, benefit: Benefit, at: datetime, month: date | None = None) -> BenefitFigures:
    """Return the measures of a benefit, for the last whole month unless one is given."""
    today = clock.local_date(at, current_brand().timezone)
    shown = first_of(month) if month is not None else first_of(today, back=1)
    months = last_months(today, MONTHS)
    facts = {
        fact.month: fact
        for fact in BenefitMonth.objects.filter(benefit=benefit, month__gte=months[0])
    }
    if shown not in facts:
        extra = BenefitMonth.objects.filter(benefit=benefit, month=shown).first()
        if extra is not None:
            facts[shown] = extra
    fact = facts.get(shown)
    rows = [facts.get(m) for m in months]
    found = _measures(fact, shown)
    by_code = {m.code: m.value for m in found}
    return BenefitFigures(
        benefit=benefit,
        month=shown,
        measures=found,
        months=months,
        penetration=[measures.share(r.users, r.target_members) if r else None for r in rows],
        consumption=[measures.share(r.units_used, r.units_issued) if r else None for r in rows],
        cost=[r.cost_minor if r else 0 for r in rows],
        triangle=measures.triangle(by_code["penetration"], by_code["nps"], by_code["repurchase"]),
    )


def _measures(fact: BenefitMonth | None, month: date) -> list[Measure]:
    f = fact or BenefitMonth(
        month=month, target_members=0, users=0, units_issued=0, units_used=0, ratings=0,
        rating_sum=0, nps_answers=0, nps_promoters=0, nps_detractors=0, user_buyers=0,
        user_repeaters=0,
    )  # fmt: skip

    def of_share(code: str, words: tuple[object, object], above: int, below: int) -> Measure:
        label, formula = words
        value = measures.share(above, below)
        return Measure(code, label, formula, month, above, below, value)  # type: ignore[arg-type]

    label, formula = measures.NPS
    satisfied, satisfied_formula = measures.SATISFACTION
    return [
        of_share("penetration", measures.PENETRATION, f.users, f.target_members),
        of_share("consumption", measures.CONSUMPTION, f.units_used, f.units_issued),
        Measure(
            "nps",
            label,
            formula,
            month,
            f.nps_promoters - f.nps_detractors,
            f.nps_answers,
            measures.nps(f.nps_promoters, f.nps_detractors, f.nps_answers),
            "points",
        ),
        of_share("repurchase", measures.REPURCHASE, f.user_repeaters, f.user_buyers),
        Measure(
            "satisfaction",
            satisfied,
            satisfied_formula,
            month,
            f.rating_sum,
            f.ratings,
            measures.share(f.rating_sum, f.ratings),
            "stars",
        ),
    ]


def latest_penetration(*, at: datetime) -> dict[int, float | None]:
    """Return each benefit's penetration in the last whole month, for the board, in one query."""
    today = clock.local_date(at, current_brand().timezone)
    month = first_of(today, back=1)
    return {
        fact.benefit_id: measures.share(fact.users, fact.target_members)
        for fact in BenefitMonth.objects.filter(month=month)
    }


def service_cost_ratio(*, at: datetime) -> list[Measure]:
    """Return the service cost ratio of the last 12 months, oldest first."""
    today = clock.local_date(at, current_brand().timezone)
    months = last_months(today, MONTHS)
    facts = {f.month: f for f in ProgrammeMonth.objects.filter(month__gte=months[0])}
    label, formula = measures.COST_RATIO
    found = []
    for month in months:
        fact = facts.get(month)
        above, below = (fact.cost_minor, fact.revenue_minor) if fact else (0, 0)
        found.append(
            Measure("cost_ratio", label, formula, month, above, below, measures.share(above, below))
        )
    return found


def list_alerts(
    *, state: str = "", before_id: int | None = None, limit: int = 50, awake_on: date | None = None
) -> list[Alert]:
    """Return alerts: open ones by due date, otherwise the latest first.

    `awake_on` leaves out those that are put off beyond that day.
    """
    alerts = Alert.objects.all()
    if before_id is not None:
        alerts = alerts.filter(pk__lt=before_id)
    if awake_on is not None:
        alerts = alerts.exclude(snoozed_until__gt=awake_on)
    if state == Alert.State.OPEN:
        return list(alerts.filter(state=state).order_by("due_on", "pk")[:limit])
    if state:
        alerts = alerts.filter(state=state)
    return list(alerts.order_by("-pk")[:limit])


def get_alert(*, alert_id: int) -> Alert:
    """Return an alert.

    :raises NotFoundError: if there is none with this key.
    """
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is None:
        raise NotFoundError(alert=alert_id)
    return alert
