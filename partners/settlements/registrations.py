"""What the settlements room offers to lower rooms: jobs, audience, cards."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from benefits.insights.registry import Todo, register_todo
from core.clock import local_date
from partners.settlements import member_data
from partners.settlements.jobs import run_floats, run_month
from partners.settlements.operations import JOB
from partners.settlements.queries import count_for_staff
from tenants.brands.context import current_brand
from tenants.events.models import Event
from tenants.events.registry import register_audience
from tenants.jobs.registry import daily, monthly, register_job


def hear_own_statements(event: Event) -> list[int]:
    """Let a partner's endpoints hear of its own statements and of what it was paid ahead."""
    if not event.type.startswith(("statement.", "prepaid.")):
        return []
    partner_id = event.data.get("partner_id")
    return [partner_id] if isinstance(partner_id, int) else []


def statements_for_staff(at: datetime) -> list[Todo]:
    """Return cards for disputes to answer, statements to approve and payments that are due."""
    disputes, ready, due = count_for_staff(today=local_date(at, current_brand().timezone))
    cards = []
    if disputes:
        text = ngettext_lazy(
            "%(count)d statement has a disputed line",
            "%(count)d statements have disputed lines",
            disputes,
        ) % {"count": disputes}
        cards.append(
            Todo(kind="statements.disputed", text=text, badge=_("Settlement"), count=disputes)
        )
    if ready:
        text = ngettext_lazy(
            "%(count)d statement waits for approval",
            "%(count)d statements wait for approval",
            ready,
        ) % {"count": ready}
        cards.append(Todo(kind="statements.ready", text=text, badge=_("Approval"), count=ready))
    if due:
        text = ngettext_lazy(
            "%(count)d statement is due for payment",
            "%(count)d statements are due for payment",
            due,
        ) % {"count": due}
        cards.append(
            Todo(
                kind="statements.due",
                text=text,
                badge=_("Settlement"),
                severity="danger",
                count=due,
            )
        )
    return cards


def register() -> None:
    """Register everything; called once when the application is ready."""
    member_data.register()
    register_audience(hear_own_statements)
    register_todo(statements_for_staff)
    register_job(
        JOB,
        title=_("Make partners' statements"),
        handler=run_month,
        schedule=monthly(day=1, hour=5),
    )
    register_job(
        "settlements.floats",
        title=_("Look after money paid ahead"),
        handler=run_floats,
        schedule=daily(hour=5, minute=30),
    )
