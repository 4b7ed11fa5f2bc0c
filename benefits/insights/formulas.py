"""The measures of DOMAIN §7 from facts: every figure with what it is divided from and by.

Pure: facts in, measures out. `rows` names what stands behind the numerator and the denominator
(`drill`), so that each figure can be followed to its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.insights import measures
from benefits.insights.measures import Measure
from benefits.insights.models import BenefitMonth, ProgrammeMonth


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure, its value in the period before, and the rows behind both of its parts."""

    measure: Measure
    period: str | Promise
    above: str | Promise
    below: str | Promise
    above_rows: str = ""
    below_rows: str = ""
    before: float | None = None

    @property
    def change(self) -> float | None:
        """Return the difference to the period before, or None where one of them has no data."""
        if self.measure.value is None or self.before is None:
            return None
        return round(self.measure.value - self.before, 6 if self.measure.unit == "share" else 1)


MONTH: Final = _("The calendar month")
DAYS_90: Final = _("The 90 days to the month's end")
MONTHS_3: Final = _("The month and the two before it")
TO_DATE: Final = _("All months to date")

_USERS = _("Members who requested it, not cancelled or failed")
_TARGET = _("Members who held an active grant")
_UNITS = _("Units issued")
_USED = _("Units used out of them")
_COST = _("Cost of what was fulfilled")
_REVENUE = _("Net purchases of all members")
_PROMOTERS = _("Promoters (9–10) less detractors (0–6)")
_ANSWERS = _("Answers")


def _share(
    code: str, label: Any, formula: Any, month: date, above: int, below: int, unit: str = "share"
) -> Measure:
    return Measure(code, label, formula, month, above, below, measures.share(above, below), unit)


def benefit_figures(
    *,
    fact: BenefitMonth,
    programme: ProgrammeMonth | None,
    earlier: Sequence[tuple[BenefitMonth, ProgrammeMonth | None]] = (),
    issued_to_date: int = 0,
    used_to_date: int = 0,
) -> list[Figure]:
    """Return all measures of one benefit in one month; `earlier` are the two months before."""
    f, month = fact, fact.month
    three = [(fact, programme), *earlier][:3]
    whole = programme or ProgrammeMonth(month=month, revenue_minor=0, buyers_90d=0, repeaters_90d=0)
    cost_3 = sum(row.cost_minor for row, _p in three)
    revenue_3 = sum(p.revenue_minor for _row, p in three if p is not None)
    nps_label, nps_formula = measures.NPS

    def nps(code: str, label: Any, promoters: int, detractors: int, answers: int) -> Measure:
        value = measures.nps(promoters, detractors, answers)
        above = promoters - detractors
        return Measure(code, label, nps_formula, month, above, answers, value, "points")

    return [
        Figure(
            _share("penetration", *measures.PENETRATION, month, f.users, f.target_members),
            MONTH, _USERS, _TARGET, "users", "target",
        ),
        Figure(
            _share("consumption", *measures.CONSUMPTION, month, f.units_used, f.units_issued),
            MONTH, _USED, _UNITS, "grants", "grants",
        ),
        Figure(
            _share(
                "consumption_to_date", _("Consumption to date"),
                _("Units used ÷ units issued, over all grants ever"),
                month, used_to_date, issued_to_date,
            ),
            TO_DATE, _USED, _UNITS,
        ),
        Figure(
            _share(
                "cost_per_use", _("Cost per use"),
                _("(Unit cost + partner price + points cost) of what was fulfilled ÷ its units"),
                month, f.cost_minor, f.units_fulfilled, "money",
            ),
            MONTH, _COST, _("Units fulfilled"), "fulfilments", "fulfilments",
        ),
        Figure(
            _share("cost_ratio", *measures.COST_RATIO, month, f.cost_minor, whole.revenue_minor),
            MONTH, _COST, _REVENUE, "fulfilments", "",
        ),
        Figure(
            _share(
                "cost_ratio_3m", _("Service cost ratio, three months"),
                _("The same over the month and the two before it"), month, cost_3, revenue_3,
            ),
            MONTHS_3, _COST, _REVENUE,
        ),
        Figure(
            nps("nps", nps_label, f.nps_promoters, f.nps_detractors, f.nps_answers),
            DAYS_90, _PROMOTERS, _ANSWERS, "answers", "answers",
        ),
        Figure(
            nps(
                "nps_others", _("NPS of non-users"), f.others_promoters, f.others_detractors,
                f.others_answers,
            ),
            DAYS_90, _PROMOTERS, _("Answers of members who did not use it in the month"),
        ),
        Figure(
            _share("repurchase", *measures.REPURCHASE, month, f.user_repeaters, f.user_buyers),
            DAYS_90, _("Users with two or more purchases"), _("Users with at least one"),
            "repeaters", "buyers",
        ),
        Figure(
            _share(
                "repurchase_others", _("Repurchase rate of non-users"),
                _("Other members with two or more purchases ÷ other members with at least one"),
                month, whole.repeaters_90d - f.user_repeaters, whole.buyers_90d - f.user_buyers,
            ),
            DAYS_90, _("Other members with two or more purchases"),
            _("Other members with at least one"),
        ),
        Figure(
            _share(
                "satisfaction", *measures.SATISFACTION, month, f.rating_sum, f.ratings, "stars"
            ),
            MONTH, _("Sum of ratings"), _("Ratings"), "ratings", "ratings",
        ),
        Figure(
            _share(
                "category_share", _("Linked sales to users"),
                _("Net sales of the linked categories to users ÷ to all members"), month,
                f.user_category_revenue_minor, f.category_revenue_minor,
            ),
            MONTH, _("Net sales to users"), _("Net sales to all members"),
        ),
    ]  # fmt: skip


def programme_figures(
    *, fact: ProgrammeMonth, earlier: Sequence[ProgrammeMonth] = ()
) -> list[Figure]:
    """Return the measures of the whole programme in one month; `earlier` are the two before."""
    f, month = fact, fact.month
    three = [fact, *earlier][:3]
    all_revenue = f.revenue_minor + f.service_revenue_minor
    return [
        Figure(
            _share("cost_ratio", *measures.COST_RATIO, month, f.cost_minor, f.revenue_minor),
            MONTH, _COST, _REVENUE,
        ),
        Figure(
            _share(
                "cost_ratio_3m", _("Service cost ratio, three months"),
                _("The same over the month and the two before it"), month,
                sum(row.cost_minor for row in three), sum(row.revenue_minor for row in three),
            ),
            MONTHS_3, _COST, _REVENUE,
        ),
        Figure(
            _share(
                "service_share", _("Service revenue share"),
                _("Revenue from paid benefits, packages and memberships ÷ all revenue"), month,
                f.service_revenue_minor, all_revenue,
            ),
            MONTH, _("Paid memberships, benefits and packages, less refunds"),
            _("Net purchases and that"),
        ),
        Figure(
            _share("consumption", *measures.CONSUMPTION, month, f.units_used, f.units_issued),
            MONTH, _USED, _UNITS,
        ),
        Figure(
            _share(
                "repurchase", _("Repurchase rate"),
                _("Members with two or more purchases ÷ members with at least one"), month,
                f.repeaters_90d, f.buyers_90d,
            ),
            DAYS_90, _("Members with two or more purchases"), _("Members with at least one"),
        ),
        Figure(
            _share(
                "active", _("Active members"),
                _("Members who bought or requested a benefit ÷ members enrolled by its end"),
                month, f.active_members, f.members,
            ),
            MONTH, _("Members who bought or requested a benefit"), _("Members"),
        ),
        Figure(
            _share(
                "breakage", _("Expected breakage"),
                _("Points expected never to be redeemed ÷ points outstanding"), month,
                f.breakage_points or 0, f.liability_points if f.breakage_points is not None else 0,
            ),
            _("The month's end"), _("Points expected never to be redeemed"),
            _("Points outstanding"),
        ),
    ]  # fmt: skip


def with_before(figures: Sequence[Figure], before: Sequence[Figure]) -> list[Figure]:
    """Return the figures, each with its value in the period before."""
    values = {figure.measure.code: figure.measure.value for figure in before}
    return [replace(figure, before=values.get(figure.measure.code)) for figure in figures]
