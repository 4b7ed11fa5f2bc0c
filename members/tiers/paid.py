"""Reading what is sold: plans, the terms of members, and the revenue of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Count, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth

from members.tiers.errors import PlanNotFoundError, TermNotFoundError
from members.tiers.models import PaidPlan, PaidTerm
from members.tiers.rules import add_months
from tenants.brands.context import current_brand

_NOTHING = Value(0, output_field=BigIntegerField())


@dataclass(frozen=True, slots=True)
class PaidMonth:
    """What memberships brought in a calendar month of the brand: terms paid, in minor units."""

    month: date
    terms: int
    paid_minor: int
    refunded_minor: int

    @property
    def net_minor(self) -> int:
        """Return what was paid in the month less what was given back in it."""
        return self.paid_minor - self.refunded_minor


@dataclass(frozen=True, slots=True)
class PlanUse:
    """A plan, how many members hold it now, and how many of them have stopped its renewal."""

    plan: PaidPlan
    members: int
    stopping: int


def get_plan(*, code: str) -> PaidPlan:
    """Return a plan.

    :raises PlanNotFoundError: if there is none with this code.
    """
    plan = PaidPlan.objects.filter(code=code).first()
    if plan is None:
        raise PlanNotFoundError(plan=code)
    return plan


def list_plans(*, only_offered: bool = False) -> list[PaidPlan]:
    """Return the plans, those on offer first, the cheapest first."""
    plans = PaidPlan.objects.order_by("-is_offered", "price_minor", "pk")
    return list(plans.filter(is_offered=True) if only_offered else plans)


def list_plan_uses() -> list[PlanUse]:
    """Return all plans with their members of today, in the order of `list_plans`."""
    running = Q(terms__pin__applied_at__isnull=False, terms__pin__ended_at__isnull=True)
    found = PaidPlan.objects.annotate(
        holding=Count("terms__member", filter=running, distinct=True),
        stopping=Count("terms__member", filter=running & Q(terms__renews=False), distinct=True),
    ).order_by("-is_offered", "price_minor", "pk")
    return [PlanUse(plan, plan.holding, plan.stopping) for plan in found]


def get_term(*, term_id: int) -> PaidTerm:
    """Return a term with its plan, pin and member.

    :raises TermNotFoundError: if there is none with this key.
    """
    term = _terms().filter(pk=term_id).first()
    if term is None:
        raise TermNotFoundError(term=term_id)
    return term


def list_terms(*, member_id: int, only_running: bool = False) -> list[PaidTerm]:
    """Return a member's terms with plans and pins, newest first."""
    terms = _terms().filter(member_id=member_id)
    if only_running:
        terms = terms.filter(pin__ended_at__isnull=True)
    return list(terms.order_by("-pk"))


def list_revenue(*, first: date, until: date) -> Sequence[PaidMonth]:
    """Return what memberships brought in each month of [`first`, `until`), days of the brand.

    A payment counts in the month when it was paid, a refund in that when it was given back.
    """
    zone = ZoneInfo(current_brand().timezone)
    span = tuple(datetime.combine(on, time(), tzinfo=zone) for on in (first, until))
    paid = (
        PaidTerm.objects.filter(paid_at__gte=span[0], paid_at__lt=span[1])
        .annotate(month=TruncMonth("paid_at", tzinfo=zone))
        .values_list("month")
        .annotate(terms=Count("pk"), paid=Sum("price_minor"), refunded=_NOTHING)
    )
    returned = (
        PaidTerm.objects.filter(refunded_at__gte=span[0], refunded_at__lt=span[1])
        .annotate(month=TruncMonth("refunded_at", tzinfo=zone))
        .values_list("month")
        .annotate(terms=_NOTHING, paid=_NOTHING, refunded=Sum("refunded_minor"))
    )
    found: dict[date, tuple[int, int, int]] = {}
    for at, *figures in paid.union(returned, all=True):
        before = found.get(at.date(), (0, 0, 0))
        terms, amount, back = (one + other for one, other in zip(before, figures, strict=True))
        found[at.date()] = (terms, amount, back)
    months: list[PaidMonth] = []
    month = first.replace(day=1)
    while month < until:
        months.append(PaidMonth(month, *found.get(month, (0, 0, 0))))
        month = add_months(month, 1)
    return months


def _terms() -> QuerySet[PaidTerm]:
    return PaidTerm.objects.select_related("plan", "pin__tier", "member")
