"""Booking what redemptions cost: promised when requested, spent when fulfilled."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Sum

from benefits.budget import operations as budget
from benefits.budget.models import BudgetLine
from benefits.budget.queries import find_line, find_line_for
from benefits.catalogue.kinds import get_kind
from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import unit_cost
from benefits.grants.models import Grant, Redemption
from benefits.rules.registry import estimate_price
from core import clock
from core.actors import Actor
from core.ids import derived_uuid
from tenants.brands.context import current_brand


def brand_day(at: datetime) -> date:
    """Return the brand's own date of an instant."""
    return clock.local_date(at, current_brand().timezone)


def line_for(*, grant: Grant, benefit: Benefit, on: date) -> BudgetLine | None:
    """Return the line of the day's open budget that pays for a grant's uses, if there is one.

    The rule's line, or its namesake when the budget of another period has come; without one,
    the line made for the benefit.
    """
    if grant.rule is not None and grant.rule.budget_line is not None:
        return find_line(code=grant.rule.budget_line.code, on=on)
    return find_line_for(kind=BudgetLine.Kind.BENEFIT, target_id=benefit.pk, on=on)


def promise(redemption: Redemption, *, line: BudgetLine | None, by: Actor, at: datetime) -> None:
    """Commit the unit's cost on the line; called once, when the redemption is made.

    :raises LineExhaustedError: if the line refuses what passes its plan.
    """
    amount = redemption.committed_minor
    if line is not None and amount:
        budget.commit(
            line=line,
            amount_minor=amount,
            key=derived_uuid("redemption-commit", redemption.pk),
            source=("redemption", redemption.pk),
            by=by,
            at=at,
        )


def to_promise(*, grant: Grant, benefit: Benefit, on: date) -> int:
    """Return what one use will cost: unit cost, the partner's price, the points it credits.

    :raises CostMissingError: if no unit cost is in force.
    """
    amount = cost_of_unit(benefit.pk, on=on)
    if benefit.channel == Benefit.Channel.PARTNER:
        amount += estimate_price(benefit_id=benefit.pk, on=on)
    return amount + get_kind(benefit.kind).expected_cost(grant.terms.content["parameters"])


def points_paid(since: date, until: date) -> int:
    """Return what points that benefits credited on the brand days `[since, until)` cost."""
    zone = ZoneInfo(current_brand().timezone)
    starts_at, ends_at = (datetime.combine(day, time(), tzinfo=zone) for day in (since, until))
    found = Redemption.objects.filter(
        state=Redemption.State.FULFILLED,
        fulfilled_at__gte=starts_at,
        fulfilled_at__lt=ends_at,
        budget_line__isnull=False,
    ).aggregate(total=Sum("points_cost_minor"))
    return int(found["total"] or 0)


def cost_of_unit(benefit_id: int, *, on: date) -> int:
    """Return the unit cost in force on a day. :raises CostMissingError: if there is none."""
    return unit_cost(benefit=benefit_id, on=on)


def spend(redemption: Redemption, *, by: Actor, at: datetime) -> None:
    """Book the cost of a fulfilled redemption against what was promised for it."""
    if redemption.budget_line is not None and redemption.cost_minor is not None:
        budget.spend(
            line=redemption.budget_line,
            amount_minor=redemption.cost_minor,
            committed_minor=redemption.committed_minor,
            key=derived_uuid("redemption-spend", redemption.pk),
            source=("redemption", redemption.pk),
            by=by,
            at=at,
        )


def give_up(redemption: Redemption, *, by: Actor, at: datetime) -> None:
    """Release what was promised for a redemption that comes to nothing."""
    if redemption.budget_line is not None and redemption.committed_minor:
        budget.release(
            line=redemption.budget_line,
            amount_minor=redemption.committed_minor,
            key=derived_uuid("redemption-release", redemption.pk),
            source=("redemption", redemption.pk),
            by=by,
            at=at,
        )
