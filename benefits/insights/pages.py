"""What the pages of insights show: one benefit's month in depth, the programme's month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum

from benefits.catalogue.models import Benefit
from benefits.insights import formulas, measures
from benefits.insights.formulas import Figure
from benefits.insights.models import (
    BenefitMonth,
    BenefitSlice,
    CohortMonth,
    MonthStatus,
    ProgrammeMonth,
    TierMonth,
)
from benefits.insights.months import first_of, last_months

# How many values of a dimension a page lists; the file has all.
SLICES_SHOWN = 12
VALUE_AFTER = (3, 6, 12)


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One value of a dimension with its measures; None where there is no data."""

    value: str
    fact: BenefitSlice
    penetration: float | None
    consumption: float | None
    nps: float | None
    repurchase: float | None
    satisfaction: float | None
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Corner:
    """One corner of the triangle: users now, users in the month before, others now; in [0, 1]."""

    code: str
    now: float | None
    before: float | None
    others: float | None


@dataclass(frozen=True, slots=True)
class BenefitPage:
    """One benefit's month: figures with formulas, triangle, parts, whether it is up to date."""

    month: date
    fact: BenefitMonth
    figures: list[Figure]
    corners: list[Corner]
    score: float | None
    score_before: float | None
    slices: Mapping[str, list[SliceRow]]
    status: MonthStatus | None


def get_benefit_page(*, benefit: Benefit, month: date) -> BenefitPage:
    """Return one benefit's month; at most 5 queries. A month without facts has no data."""
    months = last_months(month, 4)
    facts = {f.month: f for f in BenefitMonth.objects.filter(benefit=benefit, month__in=months)}
    programmes = {p.month: p for p in ProgrammeMonth.objects.filter(month__in=months)}
    to_date = BenefitMonth.objects.filter(benefit=benefit, month__lte=month).aggregate(
        issued=Sum("units_issued"), used=Sum("units_used")
    )

    def figures(last: date) -> list[Figure]:
        earlier = [first_of(last, back=back) for back in (1, 2)]
        return formulas.benefit_figures(
            fact=facts.get(last) or empty_fact(benefit, last),
            programme=programmes.get(last),
            earlier=[(facts[m], programmes.get(m)) for m in earlier if m in facts],
            issued_to_date=to_date["issued"] or 0 if last == month else 0,
            used_to_date=to_date["used"] or 0 if last == month else 0,
        )

    now, before = figures(month), figures(first_of(month, back=1))
    corners = _corners(now, before)
    return BenefitPage(
        month=month,
        fact=facts.get(month) or empty_fact(benefit, month),
        figures=formulas.with_before(now, before),
        corners=corners,
        score=_score([corner.now for corner in corners]),
        score_before=_score([corner.before for corner in corners]),
        slices=list_slices(benefit=benefit, month=month),
        status=MonthStatus.objects.filter(pk=month).first(),
    )


def empty_fact(benefit: Benefit, month: date) -> BenefitMonth:
    """Return a fact of nothing, for a month that was not computed."""
    numbers = {
        field.name: 0
        for field in BenefitMonth._meta.concrete_fields  # noqa: SLF001  (Django's public API)
        if field.name not in {"id", "benefit", "month", "computed_at"}
    }
    return BenefitMonth(benefit=benefit, month=month, **numbers)


def _corners(now: Sequence[Figure], before: Sequence[Figure]) -> list[Corner]:
    def value(figures: Sequence[Figure], code: str) -> float | None:
        return next(f.measure.value for f in figures if f.measure.code == code)

    def scaled(nps: float | None) -> float | None:
        return None if nps is None else (nps + 100) / 200

    return [
        Corner("usage", value(now, "penetration"), value(before, "penetration"), None),
        Corner(
            "nps",
            scaled(value(now, "nps")),
            scaled(value(before, "nps")),
            scaled(value(now, "nps_others")),
        ),
        Corner(
            "repurchase",
            value(now, "repurchase"),
            value(before, "repurchase"),
            value(now, "repurchase_others"),
        ),
    ]


def _score(corners: Sequence[float | None]) -> float | None:
    usage, nps, repurchase = corners
    return measures.triangle(usage, None if nps is None else nps * 200 - 100, repurchase)


def list_slices(*, benefit: Benefit, month: date) -> dict[str, list[SliceRow]]:
    """Return the parts of a benefit's month by dimension, those with most target members first."""
    found: dict[str, list[SliceRow]] = {}
    rows = BenefitSlice.objects.filter(benefit=benefit, month=month).order_by(
        "dimension", "-target_members", "-users", "value"
    )
    for row in rows:
        found.setdefault(row.dimension, []).append(slice_row(row))
    return found


def slice_row(fact: BenefitSlice) -> SliceRow:
    """Return the measures of a part."""
    return SliceRow(
        value=fact.value,
        fact=fact,
        penetration=measures.share(fact.users, fact.target_members),
        consumption=measures.share(fact.units_used, fact.units_issued),
        nps=measures.nps(fact.nps_promoters, fact.nps_detractors, fact.nps_answers),
        repurchase=measures.share(fact.user_repeaters, fact.user_buyers),
        satisfaction=measures.share(fact.rating_sum, fact.ratings),
        cost_minor=fact.cost_minor,
    )


@dataclass(frozen=True, slots=True)
class BenefitRow:
    """One benefit in the programme's table of a month."""

    benefit: Benefit
    fact: BenefitMonth
    penetration: float | None
    consumption: float | None
    nps: float | None
    repurchase: float | None
    satisfaction: float | None
    score: float | None


@dataclass(frozen=True, slots=True)
class CohortValue:
    """A joining month: members, and net purchases per member over the months since; None: too young."""

    cohort: date
    members: int
    per_member: Mapping[int, float | None]


@dataclass(frozen=True, slots=True)
class ProgrammePage:
    """The programme's month: figures, the benefits side by side, moves of tiers, cohorts."""

    month: date
    fact: ProgrammeMonth | None
    figures: list[Figure]
    benefits: list[BenefitRow]
    moves: list[TierMonth]
    values: list[CohortValue]
    points: list[ProgrammeMonth]
    status: MonthStatus | None


def get_programme_page(*, month: date) -> ProgrammePage:
    """Return the programme's month; at most 6 queries."""
    months = last_months(month, 12)
    facts = {p.month: p for p in ProgrammeMonth.objects.filter(month__in=months)}

    def figures(last: date) -> list[Figure]:
        fact = facts.get(last)
        if fact is None:
            return []
        earlier = [facts[m] for back in (1, 2) if (m := first_of(last, back=back)) in facts]
        return formulas.programme_figures(fact=fact, earlier=earlier)

    return ProgrammePage(
        month=month,
        fact=facts.get(month),
        figures=formulas.with_before(figures(month), figures(first_of(month, back=1))),
        benefits=_benefit_rows(month),
        moves=list(TierMonth.objects.filter(month=month).order_by("from_code", "to_code")),
        values=list_cohort_values(last=month),
        points=[facts[m] for m in months if m in facts],
        status=MonthStatus.objects.filter(pk=month).first(),
    )


def _benefit_rows(month: date) -> list[BenefitRow]:
    rows = []
    facts = BenefitMonth.objects.filter(month=month).select_related("benefit")
    for fact in facts.exclude(benefit__stage=Benefit.Stage.RETIRED).order_by("benefit__code"):
        nps = measures.nps(fact.nps_promoters, fact.nps_detractors, fact.nps_answers)
        penetration = measures.share(fact.users, fact.target_members)
        repurchase = measures.share(fact.user_repeaters, fact.user_buyers)
        rows.append(
            BenefitRow(
                benefit=fact.benefit,
                fact=fact,
                penetration=penetration,
                consumption=measures.share(fact.units_used, fact.units_issued),
                nps=nps,
                repurchase=repurchase,
                satisfaction=measures.share(fact.rating_sum, fact.ratings),
                score=measures.triangle(penetration, nps, repurchase),
            )
        )
    return rows


def list_cohort_values(*, last: date, size: int = 12) -> list[CohortValue]:
    """Return what members of each joining month bought per head within 3, 6 and 12 months.

    The joining month is the first of them; a span counts only when all its months are over by
    the end of `last`.
    """
    first = first_of(last, back=size - 1)
    found: dict[date, dict[date, CohortMonth]] = {}
    for row in CohortMonth.objects.filter(cohort__gte=first, month__lte=last):
        found.setdefault(row.cohort, {})[row.month] = row
    values = []
    for cohort, by_month in sorted(found.items()):
        members = by_month[max(by_month)].members
        spans: dict[int, float | None] = {}
        for span in VALUE_AFTER:
            wanted = [first_of(cohort, back=-n) for n in range(span)]
            whole = bool(members) and all(m in by_month for m in wanted)
            spans[span] = sum(by_month[m].net_minor for m in wanted) / members if whole else None
        values.append(CohortValue(cohort, members, spans))
    return values


_FACT_FIELDS = (
    "target_members", "users", "units_issued", "units_used", "units_fulfilled", "unit_cost_minor",
    "partner_cost_minor", "points_cost_minor", "ratings", "rating_sum", "nps_answers",
    "nps_promoters", "nps_detractors", "user_buyers", "user_repeaters", "category_revenue_minor",
    "user_category_revenue_minor",
)  # fmt: skip


def list_facts(
    *, first: date, last: date, benefit: Benefit | None = None, dimension: str = ""
) -> list[dict[str, Any]]:
    """Return facts of benefits by month, whole or by the values of a dimension, as plain rows."""
    model: Any = BenefitSlice if dimension else BenefitMonth
    rows = model.objects.filter(month__gte=first, month__lte=last)
    if benefit is not None:
        rows = rows.filter(benefit=benefit)
    names: tuple[str, ...] = ("month", "benefit__code")
    if dimension:
        rows = rows.filter(dimension=dimension)
        names += ("dimension", "value")
    return [
        {"month": f"{row.pop('month'):%Y-%m}", "benefit": row.pop("benefit__code"), **row}
        for row in rows.order_by(*names).values(*names, *_FACT_FIELDS)
    ]


def list_programme_facts(*, first: date, last: date) -> list[dict[str, Any]]:
    """Return facts of the programme by month, as plain rows."""
    rows = ProgrammeMonth.objects.filter(month__gte=first, month__lte=last).order_by("month")
    names = [
        field.attname
        for field in ProgrammeMonth._meta.concrete_fields  # noqa: SLF001  (Django's public API)
        if field.attname not in {"id", "month", "computed_at"}
    ]
    return [
        {"month": f"{row['month']:%Y-%m}", **{name: row[name] for name in names}}
        for row in rows.values("month", *names)
    ]
