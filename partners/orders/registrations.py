"""What the orders room offers to lower rooms: channel, jobs, audience, card."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from benefits.grants.fulfilment import register_channel
from benefits.insights.registry import Todo, register_partner_source, register_todo
from partners.orders import member_data
from partners.orders.channel import PartnerChannel
from partners.orders.jobs import run_scorecards, run_timeouts
from partners.orders.queries import count_for_staff
from tenants.events.models import Event
from tenants.events.registry import register_audience
from tenants.jobs.registry import daily, every, register_job


def hear_own_orders(event: Event) -> list[int]:
    """Let a partner's endpoints hear of steps that concern this partner, and of nothing else."""
    if not event.type.startswith("partner_order."):
        return []
    partner_id = event.data.get("partner_id")
    return [partner_id] if isinstance(partner_id, int) else []


def orders_for_staff(at: datetime) -> list[Todo]:
    """Return cards when orders have no partner, or partners are late with what they accepted."""
    unassigned, late = count_for_staff(at=at)
    cards = []
    if unassigned:
        text = ngettext_lazy(
            "%(count)d order has no partner", "%(count)d orders have no partner", unassigned
        ) % {"count": unassigned}
        cards.append(
            Todo(
                kind="orders.unassigned",
                text=text,
                badge=_("Partners"),
                severity="danger",
                count=unassigned,
            )
        )
    if late:
        text = ngettext_lazy("%(count)d order is late", "%(count)d orders are late", late) % {
            "count": late
        }
        cards.append(Todo(kind="orders.late", text=text, badge=_("Partners"), count=late))
    return cards


def register() -> None:
    """Register everything; called once when the application is ready."""
    member_data.register()
    register_channel("partner", PartnerChannel())
    register_audience(hear_own_orders)
    register_todo(orders_for_staff)
    register_partner_source(
        "orders",
        "SELECT o.redemption_id, p.code AS value FROM partners_fulfilmentorder o"
        " JOIN partners_partner p ON p.id = o.partner_id",
    )
    register_job(
        "orders.timeouts",
        title=_("Pass on unanswered offers"),
        handler=run_timeouts,
        schedule=every(minutes=1),
    )
    register_job(
        "partners.scorecards",
        title=_("Recompute partner scorecards"),
        handler=run_scorecards,
        schedule=daily(hour=3, minute=30),
    )
