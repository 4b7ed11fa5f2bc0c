"""Cards of this wing on the console's to-do list: what waits for staff hands."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from benefits.budget.queries import count_waiting_revisions, list_ended
from benefits.catalogue.queries import list_low_pools
from benefits.grants.queries import count_for_staff
from benefits.insights.registry import Todo, register_todo
from benefits.mall.payments.queries import count_refunds_due
from benefits.mall.queries import count_under_way
from core import clock
from tenants.brands.context import current_brand


def waiting_redemptions(at: datetime) -> list[Todo]:
    """Return a card when benefits wait to be handed over by staff."""
    count = count_for_staff()
    if not count:
        return []
    text = ngettext(
        "%(count)d benefit waits to be handed over",
        "%(count)d benefits wait to be handed over",
        count,
    ) % {"count": count}
    return [Todo(kind="redemptions", text=text, badge=_("Benefits"), count=count)]


def waiting_orders(at: datetime) -> list[Todo]:
    """Return a card when orders of the mall wait to be confirmed or shipped."""
    count = count_under_way()
    if not count:
        return []
    text = ngettext(
        "%(count)d mall order is under way", "%(count)d mall orders are under way", count
    ) % {"count": count}
    return [Todo(kind="mall_orders", text=text, badge=_("Points mall"), count=count)]


def low_pools(at: datetime) -> list[Todo]:
    """Return a card when pools run out of codes."""
    pools = list_low_pools()
    if not pools:
        return []
    text = ngettext(
        "%(count)d code pool is running low", "%(count)d code pools are running low", len(pools)
    ) % {"count": len(pools)}
    return [Todo(kind="code_pools", text=text, badge=_("Points mall"), count=len(pools))]


def refunds_due(at: datetime) -> list[Todo]:
    """Return a card when cash of mall orders waits to be given back."""
    count = count_refunds_due()
    if not count:
        return []
    text = ngettext("%(count)d cash refund is due", "%(count)d cash refunds are due", count) % {
        "count": count
    }
    return [Todo(kind="mall_orders", text=text, badge=_("Points mall"), count=count)]


def waiting_revisions(at: datetime) -> list[Todo]:
    """Return a card when revisions of a plan wait for a second pair of eyes."""
    count = count_waiting_revisions()
    if not count:
        return []
    text = ngettext(
        "%(count)d revision of the plan waits for approval",
        "%(count)d revisions of the plan wait for approval",
        count,
    ) % {"count": count}
    return [Todo(kind="reserve_draws", text=text, badge=_("Approval"), count=count)]


def ended_budgets(at: datetime) -> list[Todo]:
    """Return a card for each budget whose period has ended and that is not closed."""
    today = clock.local_date(at, current_brand().timezone)
    return [
        Todo(kind="budget_ended", text=_("A period has ended and is not closed"), badge=row.name)
        for row in list_ended(on=today)
    ]


def register() -> None:
    """Put the cards on the list; called once when the application is ready."""
    register_todo(waiting_redemptions)
    register_todo(waiting_orders)
    register_todo(low_pools)
    register_todo(refunds_due)
    register_todo(waiting_revisions)
    register_todo(ended_budgets)
