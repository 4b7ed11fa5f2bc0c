"""Whatever is called, in any order, late and twice: one partner at a time, and nothing lost."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import DomainError
from partners.orders import disputes
from partners.orders import operations as orders
from partners.orders.invariants import CHECKS
from partners.orders.models import FulfilmentOrder, OrderTransition
from partners.orders.states import STEPS
from tests.integration.partners.world import STAFF, World, by

CALLS = [
    "accept",
    "decline",
    "hand_back",
    "schedule",
    "start",
    "fulfil",
    "fail",
    "cancel",
    "redispatch",
    "time_out",
    "dispute",
    "resolve",
]


class _UndoError(Exception):
    """Takes an example back, so that each begins with the same order."""


def call(name: str, order: FulfilmentOrder, partner_id: int | None, at: Any) -> None:
    facts: dict[str, Any] = {"order": order, "at": at}
    if name == "time_out":
        orders.time_out(order_id=order.pk, at=at)
    elif name in {"cancel", "redispatch"}:
        getattr(orders, name)(reason="x", by=STAFF, **facts)
    elif name == "dispute":
        disputes.dispute(reason="x", by=STAFF, **facts)
    elif name == "resolve":
        disputes.resolve(delivered=at.minute % 2 == 0, reason="x", by=STAFF, **facts)
    else:
        facts |= {"partner_id": partner_id, "by": by(partner_id) if partner_id else STAFF}
        if name in {"decline", "hand_back", "fail"}:
            facts["reason"] = "x"
        if name == "schedule":
            facts["when"] = at + timedelta(hours=5)
        if name == "fulfil":
            facts |= {"partner_id": None, "by": STAFF, "override_reason": "seen"}
        getattr(orders, name)(**facts)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(CALLS), st.integers(0, 3), st.integers(0, 45), st.booleans()),
        min_size=4,
        max_size=10,
    )
)
def test_late_double_and_reordered_calls_are_safe(
    world: World, calls: list[tuple[str, int, int, bool]]
) -> None:
    with suppress(_UndoError), transaction.atomic():
        benefit = world.benefit()
        partners = [world.offering(benefit, capacity_per_day=1).partner_id for _ in range(3)]
        order = world.order(benefit)
        at = world.at
        for name, who, minutes, twice in calls:
            at += timedelta(minutes=minutes)
            for _ in range(1 + twice):
                with suppress(DomainError), transaction.atomic():
                    call(name, order, [None, *partners][who], at)
        steps = OrderTransition.objects.filter(order_id=order.pk).order_by("number")
        for step in steps:
            if step.event in STEPS:
                assert step.from_state in STEPS[step.event], (step.event, step.from_state)
        assert [line for check in CHECKS.values() for line in check()] == []
        raise _UndoError
