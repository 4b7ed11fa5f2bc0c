"""What an order costs the brand: promised when it is placed, spent when it is on its way."""

from datetime import datetime

from benefits.budget import operations as budget
from benefits.budget.models import BudgetLine
from benefits.budget.queries import find_line
from benefits.mall.models import MallItem, MallOrder
from core import clock
from core.actors import Actor
from core.ids import derived_uuid
from tenants.brands.context import current_brand


def line_of(item: MallItem, at: datetime) -> BudgetLine | None:
    """Return the item's line, or its namesake in the budget of the day."""
    if item.budget_line is None:
        return None
    return find_line(code=item.budget_line.code, on=clock.local_date(at, current_brand().timezone))


def promise(order: MallOrder, by: Actor, at: datetime) -> None:
    """Commit what the order will cost. :raises LineExhaustedError: if the line refuses."""
    if order.budget_line is not None and order.committed_minor:
        budget.commit(
            line=order.budget_line,
            amount_minor=order.committed_minor,
            key=derived_uuid("mall-commit", order.pk),
            source=("mall_order", order.pk),
            by=by,
            at=at,
        )


def give_up_promise(order: MallOrder, by: Actor, at: datetime) -> None:
    """Release what was committed."""
    if order.budget_line is not None and order.committed_minor:
        budget.release(
            line=order.budget_line,
            amount_minor=order.committed_minor,
            key=derived_uuid("mall-release-money", order.pk),
            source=("mall_order", order.pk),
            by=by,
            at=at,
        )


def spend(order: MallOrder, by: Actor, at: datetime) -> None:
    """Book what the order costs."""
    order.cost_minor = order.item.unit_cost_minor * order.quantity
    if order.budget_line is not None:
        budget.spend(
            line=order.budget_line,
            amount_minor=order.cost_minor,
            committed_minor=order.committed_minor,
            key=derived_uuid("mall-spend", order.pk),
            source=("mall_order", order.pk),
            by=by,
            at=at,
        )
