"""Cards of this wing on the console's to-do list: what waits for staff hands."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from benefits.grants.queries import count_for_staff
from benefits.insights.registry import Todo, register_todo
from benefits.mall.queries import count_under_way


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


def register() -> None:
    """Put the cards on the list; called once when the application is ready."""
    register_todo(waiting_redemptions)
    register_todo(waiting_orders)
