"""What the insights room offers at start: jobs, what it hears, its cards."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from benefits.budget.queries import count_waiting_draws
from benefits.insights import outlook
from benefits.insights.jobs import (
    compute_facts,
    compute_returns,
    compute_running,
    on_order_unassigned,
    on_reserve_low,
    open_alerts,
)
from benefits.insights.recount import JOB, on_members_merged, recount_months
from benefits.insights.registry import Todo, register_todo
from benefits.insights.returns import review_hold_out
from benefits.insights.tier_costs import estimate_benefit_cost, yardstick
from benefits.rules.registry import register_review
from members.tiers.costs import register_cost, register_yardstick
from tenants.events.registry import on_event
from tenants.jobs.registry import daily, every, register_job


def waiting_draws(at: datetime) -> list[Todo]:
    """Return a card when draws on the reserve wait for a second pair of eyes."""
    count = count_waiting_draws()
    if not count:
        return []
    text = ngettext(
        "%(count)s draw on the reserve waits for approval",
        "%(count)s draws on the reserve wait for approval",
        count,
    )
    return [Todo(kind="reserve_draws", text=text % {"count": count}, badge=_("Approval"))]


def register() -> None:
    """Register everything; called once. The handlers' names are stored: never change them."""
    register_job(
        "insights.facts",
        title=_("Compute facts"),
        handler=compute_facts,
        schedule=daily(hour=4, minute=30),
    )
    register_job(
        "insights.alerts",
        title=_("Look for what needs a person"),
        handler=open_alerts,
        schedule=daily(hour=5),
    )
    register_job(
        JOB,
        title=_("Count past months anew"),
        handler=recount_months,
        schedule=daily(hour=3, minute=50),
    )
    register_job(
        "insights.running",
        title=_("Figures of the running month"),
        handler=compute_running,
        schedule=every(minutes=30),
    )
    on_event("member.merged", "member.unmerged", name="insights.members_merged")(on_members_merged)
    on_event("budget.reserve_low", name="insights.reserve_low")(on_reserve_low)
    on_event("partner_order.unassigned", name="insights.order_unassigned")(on_order_unassigned)
    register_todo(waiting_draws)
    outlook.register()
    register_review("insights", review_hold_out)
    register_job(
        "insights.returns",
        title=_("What benefits bring"),
        handler=compute_returns,
        schedule=daily(hour=5, minute=30),
    )
    register_cost("benefits", estimate_benefit_cost, label=_("Benefits"))
    register_yardstick(yardstick)
