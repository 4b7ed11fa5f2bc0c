"""What may happen to an order, and that nothing else can."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from benefits.grants import operations as grants
from benefits.grants.models import Grant, Redemption
from core.errors import ConflictError
from partners.orders import operations as orders
from partners.orders.errors import (
    CodeRequiredError,
    InvalidOrderError,
    InvalidStateError,
    OrderNotFoundError,
    VersionMismatchError,
)
from partners.orders.invariants import CHECKS
from partners.orders.models import FulfilmentOrder, OrderTransition
from partners.pool import operations as pool
from partners.pool.errors import CapacityBelowReservedError, NoCapacityError
from partners.pool.models import CapacityDay
from tenants.audit.models import AuditEntry
from tenants.events.models import Event
from tests.integration.partners.world import STAFF, World, by

TODAY = date(2026, 3, 15)
Read = Callable[[FulfilmentOrder], list[str]]
STATES = [
    "unassigned",
    "offered",
    "accepted",
    "scheduled",
    "in_progress",
    "fulfilled",
    "failed",
    "cancelled",
]
STEPS = ["accept", "decline", "schedule", "start", "fulfil", "fail", "cancel", "redispatch"]
ALLOWED = {
    "unassigned": {"fail", "cancel", "redispatch"},
    "offered": {"accept", "decline", "cancel", "redispatch"},
    "accepted": {"schedule", "start", "fulfil", "fail", "cancel", "redispatch"},
    "scheduled": {"schedule", "start", "fulfil", "fail", "cancel", "redispatch"},
    "in_progress": {"fulfil", "fail"},
    "fulfilled": set(),
    "failed": set(),
    "cancelled": set(),
}
# The step that leads to a state is answered again with that state, without an effect.
REPEATED = {
    ("accepted", "accept"),
    ("in_progress", "start"),
    ("fulfilled", "fulfil"),
    ("failed", "fail"),
    ("cancelled", "cancel"),
}


def code_of(order: FulfilmentOrder) -> str:
    return Redemption.objects.get(pk=order.redemption_id).code


def take(step: str, order: FulfilmentOrder, at: datetime, **more: Any) -> FulfilmentOrder:
    """Take a step as staff, with whatever it needs."""
    needs: dict[str, dict[str, Any]] = {
        "schedule": {"when": at + timedelta(days=1)},
        "fulfil": {"override_reason": "seen by us"},
        "fail": {"reason": "van broke down"},
        "cancel": {"reason": "member called"},
    }
    return getattr(orders, step)(order=order, by=STAFF, at=at, **{**needs.get(step, {}), **more})


def order_in(state: str, world: World) -> FulfilmentOrder:
    """Return an order that came to a state by the usual way, with a second partner in the pool."""
    benefit = world.benefit()
    if state != "unassigned":
        world.offering(benefit)
        world.offering(benefit)
    order = world.order(benefit)
    path = {
        "unassigned": [],
        "offered": [],
        "accepted": ["accept"],
        "scheduled": ["accept", "schedule"],
        "in_progress": ["accept", "start"],
        "fulfilled": ["accept", "fulfil"],
        "failed": ["accept", "fail"],
        "cancelled": ["cancel"],
    }[state]
    for step in path:
        order = take(step, order, world.at)
    assert order.state == state
    return order


def picture(order: FulfilmentOrder) -> dict[str, Any]:
    """Return everything that an order's steps can change."""
    return {
        "order": FulfilmentOrder.objects.filter(pk=order.pk).values().get(),
        "offers": list(order.offers.order_by("number").values()),
        "steps": list(OrderTransition.objects.filter(order_id=order.pk).values()),
        "days": list(CapacityDay.objects.order_by("pk").values()),
        "redemption": Redemption.objects.filter(pk=order.redemption_id).values().get(),
        "events": Event.objects.count(),
        "audit": AuditEntry.objects.count(),
    }


def broken() -> list[str]:
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check()]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_from_every_state(step: str, state: str, world: World) -> None:
    order = order_in(state, world)
    before = picture(order)
    if step in ALLOWED[state]:
        moved = take(step, order, world.at + timedelta(minutes=1), **_another_time(step, world))
        assert moved.version > order.version
        assert picture(order)["order"] != before["order"]
    elif (state, step) in REPEATED:
        again = take(step, order, world.at + timedelta(minutes=1))
        assert (again.state, again.version) == (state, order.version)
        assert picture(order) == before
    else:
        with pytest.raises(InvalidStateError) as caught:
            take(step, order, world.at + timedelta(minutes=1))
        assert caught.value.status == 409
        assert caught.value.data["state"] == state
        assert caught.value.data["version"] == order.version
        assert caught.value.data["current"]["id"] == order.number
        assert picture(order) == before
    assert broken() == []


def _another_time(step: str, world: World) -> dict[str, Any]:
    return {"when": world.at + timedelta(days=2)} if step == "schedule" else {}


def test_the_whole_way(world: World, at: datetime, events: Read) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, price_minor=5_000, sla_hours=24)
    partner_id = offering.partner_id
    actor = by(partner_id)
    order = world.order(benefit)
    assert (order.state, order.partner_id, order.price_minor) == ("offered", partner_id, None)
    assert order.accept_by == at + timedelta(minutes=30)
    assert order.service_on == TODAY

    at += timedelta(minutes=10)
    order = orders.accept(order=order, partner_id=partner_id, by=actor, at=at)
    assert (order.state, order.price_minor) == ("accepted", 5_000)
    assert order.due_at == at + timedelta(hours=24)
    assert order.redemption.state == "requested"  # as read; the row itself has moved on
    assert Redemption.objects.get(pk=order.redemption_id).state == "confirmed"

    when = at + timedelta(hours=20)
    order = orders.schedule(order=order, when=when, partner_id=partner_id, by=actor, at=at)
    assert (order.state, order.scheduled_for, order.service_on) == (
        "scheduled",
        when,
        TODAY + timedelta(days=1),
    )
    order = orders.start(order=order, partner_id=partner_id, by=actor, at=when)
    assert (order.state, order.started_at) == ("in_progress", when)
    order = orders.fulfil(
        order=order,
        partner_id=partner_id,
        code=code_of(order),
        evidence={"photo": "ref-1"},
        by=actor,
        at=when,
    )
    assert (order.state, order.fulfilled_at, order.version) == ("fulfilled", when, 5)
    assert order.evidence == {"photo": "ref-1", "proof": "code"}
    redemption = Redemption.objects.get(pk=order.redemption_id)
    assert (redemption.state, redemption.partner_price_minor, redemption.cost_minor) == (
        "fulfilled",
        5_000,
        5_300,
    )
    assert events(order) == ["offered", "accepted", "scheduled", "started", "fulfilled"]
    steps = OrderTransition.objects.filter(order_id=order.pk).order_by("number")
    assert [(s.number, s.event, s.from_state, s.to_state) for s in steps] == [
        (1, "offered", "", "offered"),
        (2, "accepted", "offered", "accepted"),
        (3, "scheduled", "accepted", "scheduled"),
        (4, "started", "scheduled", "in_progress"),
        (5, "fulfilled", "in_progress", "fulfilled"),
    ]
    assert [s.actor_kind for s in steps] == ["system", "partner", "partner", "partner", "partner"]
    assert broken() == []


def test_the_order_of_a_redemption_is_made_once(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    redemption = world.redemption(benefit)
    made = [orders.request_order(redemption_id=redemption.pk, at=at) for _ in range(3)]
    assert len({order.pk for order in made if order}) == 1
    assert CapacityDay.objects.get().reserved == 1


def test_no_order_for_a_redemption_that_is_closed(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    redemption = world.redemption(benefit)
    grants.cancel(redemption=redemption, by=STAFF, at=at)
    assert orders.request_order(redemption_id=redemption.pk, at=at) is None
    assert not FulfilmentOrder.objects.exists()
    assert not CapacityDay.objects.exists()


def test_the_price_in_force_at_acceptance_counts(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, price_minor=5_000)
    pool.set_price(
        offering=offering,
        price_minor=6_000,
        valid_from=TODAY + timedelta(days=1),
        by=STAFF,
        at=at,
    )
    # offered at 23:50 in Shanghai, accepted after midnight
    world.at = datetime(2026, 3, 15, 15, 50, tzinfo=UTC)
    order = world.order(benefit)
    assert order.offers.get().price_minor == 5_000
    order = orders.accept(order=order, by=STAFF, at=world.at + timedelta(minutes=15))
    assert order.price_minor == 6_000


def test_the_standard_runs_from_the_wanted_time(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit, sla_hours=24)
    wanted = at + timedelta(days=3)
    order = world.order(benefit, slot_at=wanted)
    assert (order.wanted_at, order.service_on) == (wanted, TODAY + timedelta(days=3))
    order = orders.accept(order=order, by=STAFF, at=at)
    assert order.due_at == wanted + timedelta(hours=24)


def test_an_offer_cannot_be_accepted_after_its_time(world: World, at: datetime) -> None:
    order = order_in("offered", world)
    before = picture(order)
    assert order.accept_by is not None
    with pytest.raises(InvalidStateError) as caught:
        orders.accept(
            order=order, partner_id=order.partner_id, by=by(order.partner_id), at=order.accept_by
        )
    assert caught.value.data["state"] == "timed_out"
    assert picture(order) == before
    last = order.accept_by - timedelta(microseconds=1)
    assert orders.accept(order=order, by=STAFF, at=last).state == "accepted"


def test_anothers_order_does_not_exist(world: World, at: datetime) -> None:
    order = order_in("accepted", world)
    stranger = world.partner()
    before = picture(order)
    calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (orders.accept, {}),
        (orders.decline, {}),
        (orders.schedule, {"when": at + timedelta(days=1)}),
        (orders.start, {}),
        (orders.fulfil, {"code": code_of(order)}),
        (orders.fail, {"reason": "x"}),
    ]
    for call, facts in calls:
        with pytest.raises(OrderNotFoundError):
            call(order=order, partner_id=stranger.pk, by=by(stranger.pk), at=at, **facts)
    with pytest.raises(OrderNotFoundError):
        orders.verify_code(order=order, partner_id=stranger.pk, code=code_of(order), at=at)
    assert picture(order) == before


def test_who_has_lost_an_order_hears_how_its_own_offer_ended(world: World, at: datetime) -> None:
    benefit = world.benefit()
    first = world.offering(benefit, price_minor=1_000)
    second = world.offering(benefit, price_minor=9_000)
    order = world.order(benefit)
    assert order.partner_id == first.partner_id
    actor = by(first.partner_id)
    declined = orders.decline(order=order, partner_id=first.partner_id, by=actor, at=at)
    assert (declined.state, declined.partner_id) == ("offered", second.partner_id)
    before = picture(order)
    again = orders.decline(order=order, partner_id=first.partner_id, by=actor, at=at)
    assert (again.state, again.version) == ("offered", declined.version)
    with pytest.raises(InvalidStateError) as caught:
        orders.accept(order=order, partner_id=first.partner_id, by=actor, at=at)
    assert caught.value.data["state"] == "declined"
    assert picture(order) == before
    orders.accept(order=order, partner_id=second.partner_id, by=by(second.partner_id), at=at)
    with pytest.raises(InvalidStateError) as caught:
        orders.accept(order=order, partner_id=first.partner_id, by=actor, at=at)
    shown = caught.value.data["current"]
    assert (shown["state"], shown["accepted_at"], shown["due_at"]) == ("declined", None, None)
    assert shown["price"]["amount"] == 1_000


def test_a_call_on_an_older_version_is_refused(world: World, at: datetime) -> None:
    order = order_in("scheduled", world)
    before = picture(order)
    with pytest.raises(VersionMismatchError) as caught:
        orders.start(order=order, if_version=order.version - 1, by=STAFF, at=at)
    assert caught.value.status == 412
    assert caught.value.data == {"version": order.version, "order": order.number}
    assert picture(order) == before
    assert orders.start(order=order, if_version=order.version, by=STAFF, at=at).version == 4


def test_scheduling_moves_the_reserved_day(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, capacity_per_day=1)
    order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
    for days in (3, 1, 1):
        order = orders.schedule(order=order, when=at + timedelta(days=days), by=STAFF, at=at)
    held = CapacityDay.objects.filter(reserved=1).get()
    assert (held.offering_id, held.on_date) == (offering.pk, TODAY + timedelta(days=1))
    assert (order.version, broken()) == (4, [])


def test_scheduling_on_a_full_day_changes_nothing(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
    pool.set_capacity(
        offering=offering, on_date=TODAY + timedelta(days=1), capacity=0, by=STAFF, at=at
    )
    before = picture(order)
    with pytest.raises(NoCapacityError):
        orders.schedule(order=order, when=at + timedelta(days=1), by=STAFF, at=at)
    assert picture(order) == before


@pytest.mark.parametrize("days", [-1, 367])
def test_scheduling_needs_a_sensible_time(days: int, world: World, at: datetime) -> None:
    order = order_in("accepted", world)
    with pytest.raises(InvalidOrderError):
        orders.schedule(order=order, when=at + timedelta(days=days), by=STAFF, at=at)
    order.refresh_from_db()
    assert order.scheduled_for is None


def test_failing_gives_unit_and_day_back(world: World, at: datetime, events: Read) -> None:
    order = order_in("accepted", world)
    partner_id = order.partner_id
    grant = Grant.objects.get(redemptions=order.redemption_id)
    assert grant.used == 1
    order = orders.fail(
        order=order, reason="van broke down", partner_id=partner_id, by=by(partner_id), at=at
    )
    redemption = Redemption.objects.get(pk=order.redemption_id)
    grant.refresh_from_db()
    assert (redemption.state, redemption.unit_returned, grant.used) == ("failed", True, 0)
    assert (order.failure_reason, order.closed_at) == ("van broke down", at)
    assert [day.reserved for day in CapacityDay.objects.all()] == [0]
    assert events(order)[-1] == "failed"
    assert Event.objects.filter(type="redemption.failed").count() == 1
    assert broken() == []


def test_failing_needs_a_reason(world: World, at: datetime) -> None:
    order = order_in("accepted", world)
    before = picture(order)
    with pytest.raises(InvalidOrderError):
        orders.fail(order=order, reason="  ", by=STAFF, at=at)
    assert picture(order) == before


def test_staff_cancel_order_and_redemption_together(world: World, at: datetime) -> None:
    order = order_in("scheduled", world)
    order = orders.cancel(order=order, reason="member called", by=STAFF, at=at)
    redemption = Redemption.objects.get(pk=order.redemption_id)
    assert (order.state, redemption.state, redemption.unit_returned) == (
        "cancelled",
        "cancelled",
        True,
    )
    assert sum(day.reserved for day in CapacityDay.objects.all()) == 0
    entry = AuditEntry.objects.get(action="order.cancelled")
    assert (entry.target_id, entry.reason) == (order.number, "member called")
    assert entry.changes == {"state": ["scheduled", "cancelled"]}
    assert broken() == []


@pytest.mark.parametrize("state", ["unassigned", "offered", "accepted", "in_progress"])
def test_a_cancelled_redemption_takes_its_order_along(
    state: str, world: World, at: datetime
) -> None:
    order = order_in(state, world)
    redemption = grants.cancel(
        redemption=Redemption.objects.get(pk=order.redemption_id), by=STAFF, at=at
    )
    for _ in range(3):
        orders.withdraw_order(redemption_id=redemption.pk, reason="cancelled", by=STAFF, at=at)
    order.refresh_from_db()
    assert (order.state, order.version) == ("cancelled", OrderTransition.objects.count())
    assert sum(day.reserved for day in CapacityDay.objects.all()) == 0
    assert broken() == []


def test_a_fulfilled_order_is_not_withdrawn(world: World, at: datetime) -> None:
    order = order_in("fulfilled", world)
    before = picture(order)
    changed = orders.withdraw_order(
        redemption_id=order.redemption_id, reason="late", by=STAFF, at=at
    )
    assert changed is False
    assert picture(order) == before


def test_staff_fulfil_without_a_code_only_with_a_reason(world: World, at: datetime) -> None:
    order = order_in("accepted", world)
    before = picture(order)
    with pytest.raises(CodeRequiredError):
        orders.fulfil(order=order, by=STAFF, at=at)
    with pytest.raises(CodeRequiredError):
        orders.fulfil(
            order=order,
            partner_id=order.partner_id,
            override_reason="trust me",
            by=by(order.partner_id),
            at=at,
        )
    assert picture(order) == before
    order = orders.fulfil(order=order, override_reason="seen by us", by=STAFF, at=at)
    assert order.evidence == {"proof": "override"}
    assert AuditEntry.objects.get(action="order.fulfilled").reason == "seen by us"


@pytest.mark.parametrize(
    "evidence", [{"photo": "x" * 501}, {"n": 1}, {str(n): "x" for n in range(21)}]
)
def test_evidence_is_bounded(evidence: dict[str, Any], world: World, at: datetime) -> None:
    order = order_in("accepted", world)
    with pytest.raises(InvalidOrderError):
        orders.fulfil(order=order, override_reason="ok", evidence=evidence, by=STAFF, at=at)
    order.refresh_from_db()
    assert order.state == "accepted"


@pytest.mark.parametrize("step", ["accept", "fulfil", "fail"])
def test_a_partner_cannot_move_what_the_member_has_just_called_off(
    step: str, world: World, at: datetime
) -> None:
    """Between the cancellation and its event the order is still open; the redemption is not."""
    order = order_in("offered" if step == "accept" else "accepted", world)
    redemption = Redemption.objects.get(pk=order.redemption_id)
    grants.cancel(redemption=redemption, by=STAFF, at=at)
    before = picture(order)
    facts = {"fulfil": {"code": redemption.code}, "fail": {"reason": "x"}}.get(step, {})
    with pytest.raises(ConflictError) as caught:
        getattr(orders, step)(
            order=order, partner_id=order.partner_id, by=by(order.partner_id), at=at, **facts
        )
    assert (caught.value.code, caught.value.data["state"]) == ("invalid_state", "cancelled")
    assert picture(order) == before


def test_the_timeline_cannot_be_rewritten(world: World) -> None:
    order = order_in("accepted", world)
    rows = OrderTransition.objects.filter(order_id=order.pk)
    for change in (lambda: rows.update(reason="x"), rows.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert [step.event for step in rows.order_by("number")] == ["offered", "accepted"]


@pytest.mark.parametrize("seed", range(12))
def test_random_stories_keep_the_books_whole(seed: int, world: World, at: datetime) -> None:
    """Any step by anybody at any time: refused or done, and the invariants hold after each."""
    chance = random.Random(seed)
    benefit = world.benefit()
    pool_of = [
        world.offering(benefit, capacity_per_day=2, price_minor=chance.randint(1, 9_999))
        for _ in range(3)
    ]
    numbers: list[int] = []
    done: Counter[str] = Counter()
    for number in range(40):
        moment = world.at = at + timedelta(minutes=7 * number)
        if len(numbers) < 5 and chance.random() < 0.3:
            numbers.append(world.order(benefit).pk)
            continue
        if not numbers:
            continue
        order = FulfilmentOrder.objects.get(pk=chance.choice(numbers))
        step = chance.choice([*STEPS, "time_out", "close_day"])
        if step == "time_out":
            orders.time_out(order_id=order.pk, at=moment)
        elif step == "close_day":
            offering = chance.choice(pool_of)
            day = TODAY + timedelta(days=chance.randint(0, 3))
            with suppress(CapacityBelowReservedError):
                pool.set_capacity(
                    offering=offering, on_date=day, capacity=chance.randint(0, 3), by=STAFF,
                    at=moment,
                )  # fmt: skip
        else:
            more: dict[str, Any] = {}
            if step == "schedule":
                more["when"] = moment + timedelta(days=chance.randint(0, 4))
            if step not in {"cancel", "redispatch"}:
                more["partner_id"] = chance.choice([None, *(o.partner_id for o in pool_of)])
            if step == "fulfil" and more["partner_id"]:
                more["code"] = code_of(order)
            before = picture(order)
            try:
                take(step, order, moment, **more)
                done[step] += 1
            except (ConflictError, OrderNotFoundError):
                assert picture(order) == before
        assert broken() == []
    assert sum(done.values()) > 3
