"""How an order changes: one conditional update, its steps in the timeline, its events.

Everything that changes an order goes through `advance`. Runs in the caller's transaction.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.actors import Actor
from partners.orders.errors import VersionMismatchError
from partners.orders.models import FulfilmentOrder, OrderTransition
from tenants.audit.operations import record
from tenants.events.operations import emit_many


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, the state it led to, and the partner it concerns."""

    event: str
    to_state: str
    partner_id: int | None = None
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def advance(
    order: FulfilmentOrder, steps: list[Step], *, by: Actor, at: datetime, **fields: Any
) -> None:
    """Take the steps if the order is still in the version that was read; then hold its new values.

    Each step is a row of the timeline and an event `partner_order.<event>`; what people and
    partners do is audited as well.

    :raises VersionMismatchError: if the order was changed in the meantime; nothing is written.
    """
    version = order.version + len(steps)
    values = {"state": steps[-1].to_state, "version": version, "updated_at": at, **fields}
    if not FulfilmentOrder.objects.filter(pk=order.pk, version=order.version).update(**values):
        raise VersionMismatchError(order=order.number)
    before, number = order.state, order.version
    for name, value in values.items():
        setattr(order, name, value)
    write(order, steps, before=before, number=number, by=by, at=at)
    if by.kind != "system":
        record(
            by=by,
            at=at,
            action=f"order.{steps[0].event}",
            target_type="fulfilment_order",
            target_id=order.number,
            changes={"state": [before, order.state]},
            # What partners write of a visit stays in the steps, where it can be erased.
            reason="" if by.kind == "partner" else steps[0].reason,
        )


def write(
    order: FulfilmentOrder, steps: list[Step], *, before: str, number: int, by: Actor, at: datetime
) -> None:
    """Append the steps after version `number` to the timeline and tell of them."""
    rows = []
    for step in steps:
        number += 1
        rows.append(
            OrderTransition(
                order_id=order.pk,
                number=number,
                event=step.event,
                from_state=before,
                to_state=step.to_state,
                partner_id=step.partner_id,
                actor_kind=by.kind,
                actor_id=by.id,
                actor_label=by.label,
                reason=step.reason,
                data=step.data,
                at=at,
            )
        )
        before = step.to_state
    OrderTransition.objects.bulk_create(rows)
    for row, step in zip(rows, steps, strict=True):
        tell(order, step, version=row.number, at=at)


def tell(order: FulfilmentOrder, step: Step, *, version: int, at: datetime) -> None:
    """Write the event of one step; its transition is the caller's to append."""
    emit_many(
        type=f"partner_order.{step.event}",
        events=[(f"order:{order.number}", _event_data(order, step, version))],
        at=at,
    )


def _event_data(order: FulfilmentOrder, step: Step, version: int) -> dict[str, Any]:
    """Return what brand and partner are told: keys and times, nothing personal."""
    return {
        "order": order.number,
        "state": step.to_state,
        "version": version,
        "benefit": order.benefit.code,
        "region": order.region,
        "redemption": order.redemption_id,
        "partner_id": step.partner_id,
        "reason": step.reason,
        **step.data,
    }
