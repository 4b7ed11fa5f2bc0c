"""Words and addresses for things that several pages show."""

from datetime import date

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from benefits.insights.models import Alert
from benefits.insights.registry import Todo
from members.tiers.queries import list_tiers


def alert_subject(alert: Alert, names: dict[int, str]) -> str:
    """Return what an alert is about; `names` maps the keys of benefits to their names."""
    if alert.subject_type == "benefit":
        return names.get(alert.subject_id, f"#{alert.subject_id}")
    if alert.subject_type == "programme":
        return _("The whole programme")
    if alert.subject_type == "redemption":
        return _("Order %(number)s") % {"number": alert.figures.get("order", alert.subject_id)}
    return _("Budget")


def todo_url(todo: Todo) -> str:
    """Return the page where the work of a to-do card is done."""
    pages = {
        "reserve_draws": "console:approvals",
        "budget_ended": "console:budget",
        "orders.unassigned": "console:orders",
        "statements.disputed": "console:settlements",
        "statements.ready": "console:settlements",
        "statements.due": "console:settlements",
        "code_pools": "console:code_pools",
        "mall_orders": "console:mall_orders",
        "redemptions": "console:redemptions",
        "erasures": "console:attributes",
    }
    return reverse(pages.get(todo.kind, "console:alerts"))


def tier_names(*, on: date) -> dict[str, str]:
    """Return the names of the tiers in force on a day in the page's language, by code."""
    return {tier.code: localized(tier.name, get_language()) for tier in list_tiers(on=on)}
