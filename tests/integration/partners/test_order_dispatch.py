"""Who gets an order, who gets it next, and what happens when nobody does."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from benefits.grants import operations as grants
from benefits.grants.fulfilment import get_channel
from benefits.grants.models import Redemption
from core.actors import SYSTEM
from partners.orders import operations as orders
from partners.orders import queries
from partners.orders.errors import InvalidPolicyError
from partners.orders.invariants import CHECKS
from partners.orders.models import (
    DispatchPolicy,
    FulfilmentOrder,
    OrderTransition,
)
from partners.orders.registrations import hear_own_orders, orders_for_staff
from partners.pool import operations as pool
from partners.pool.models import CapacityDay, Offering
from tenants.events.models import Event, WebhookDelivery
from tenants.events.operations import deliver_pending
from tenants.events.webhooks import create_endpoint
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_job
from tests.integration.partners.world import STAFF, World, by

TODAY = date(2026, 3, 15)
Read = Callable[[FulfilmentOrder], list[str]]
WEIGHTS = {"coverage": 0, "capacity": 0, "price": 1, "scorecard": 0, "lead_time": 0}


def broken() -> list[str]:
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check()]


def offers_of(order: FulfilmentOrder) -> list[tuple[int, str]]:
    return [(each.partner_id, each.state) for each in order.offers.order_by("number")]


@pytest.fixture
def three(world: World) -> tuple[Any, list[int]]:
    """Return a benefit and three partners who deliver it, the best (cheapest) first."""
    benefit = world.benefit()
    prices = (1_000, 2_000, 4_000)
    return benefit, [world.offering(benefit, price_minor=p).partner_id for p in prices]


def test_a_redemption_becomes_an_order_after_the_commit(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit)
    redemption = world.redemption(benefit)
    assert not FulfilmentOrder.objects.exists()
    for _ in range(3):
        deliver_pending(at=at)
    order = FulfilmentOrder.objects.get()
    assert (order.redemption_id, order.partner_id) == (redemption.pk, offering.partner_id)
    status = get_channel("partner").status(redemption)
    assert (status.state, status.detail) == ("offered", {"order": order.number})
    grants.cancel(redemption=redemption, by=STAFF, at=at)
    deliver_pending(at=at)
    order.refresh_from_db()
    assert order.state == "cancelled"
    assert CapacityDay.objects.get().reserved == 0


def test_the_members_screen_names_the_partner_once_it_has_accepted(
    world: World, at: datetime
) -> None:
    benefit = world.benefit()
    world.offering(benefit, world.partner("spa"), sla_hours=5)
    order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
    status = get_channel("partner").status(order.redemption)
    assert (status.state, status.detail) == (
        "accepted",
        {
            "order": order.number,
            "partner": "Spa",
            "due_at": (at + timedelta(hours=5)).isoformat(),
        },
    )


def test_declines_go_down_the_ranking_to_nobody(
    three: tuple[Any, list[int]], world: World, at: datetime, events: Read
) -> None:
    benefit, (first, second, third) = three
    order = world.order(benefit)
    assert order.partner_id == first
    for partner_id, following in ((first, second), (second, third), (third, None)):
        order = orders.decline(
            order=order, partner_id=partner_id, reason="full", by=by(partner_id), at=at
        )
        assert order.partner_id == following
        held = CapacityDay.objects.filter(reserved__gt=0)
        assert [day.offering.partner_id for day in held] == ([following] if following else [])
    assert (order.state, order.version) == ("unassigned", 7)
    assert offers_of(order) == [(first, "declined"), (second, "declined"), (third, "declined")]
    assert events(order) == ["offered"] + ["declined", "offered"] * 2 + ["declined", "unassigned"]
    last = Event.objects.get(type="partner_order.unassigned")
    assert last.data["left_out"] == {"already_asked": 3}
    assert last.data["partner_id"] is None
    assert Redemption.objects.get(pk=order.redemption_id).state == "requested"
    assert [(todo.kind, todo.count) for todo in orders_for_staff(at)] == [("orders.unassigned", 1)]
    assert broken() == []


def test_nobody_to_ask_leaves_the_order_with_staff(
    world: World, at: datetime, events: Read
) -> None:
    benefit = world.benefit()
    world.offering(benefit, regions=["cn/sh"])
    world.offering(benefit, capacity_per_day=0)
    order = world.order(benefit)
    assert (order.state, order.partner_id, order.version) == ("unassigned", None, 1)
    assert events(order) == ["unassigned"]
    (event,) = Event.objects.filter(type="partner_order.unassigned")
    assert event.data["left_out"] == {"no_capacity": 1}
    pool.set_offering(
        partner=world.partner(),
        benefit=benefit,
        price_minor=100,
        capacity_per_day=1,
        by=STAFF,
        at=at,
    )
    order = orders.redispatch(order=order, by=STAFF, at=at)
    assert order.state == "offered"
    assert events(order) == ["unassigned", "redispatched", "offered"]
    assert orders_for_staff(at) == []
    assert broken() == []


def test_an_order_goes_where_capacity_is_left(world: World, at: datetime) -> None:
    benefit = world.benefit()
    small = world.offering(benefit, price_minor=100, capacity_per_day=1)
    large = world.offering(benefit, price_minor=90_000, capacity_per_day=5)
    orders.set_policy(weights=WEIGHTS, accept_minutes=30, horizon_days=1, by=STAFF, at=at)
    taken = [world.order(benefit).offering_id for _ in range(3)]
    assert taken == [small.pk, large.pk, large.pk]


def test_the_parts_of_the_score_are_kept(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit, regions=["cn"], capacity_per_day=4, lead_time_hours=8)
    offer = world.order(benefit).offers.get()
    assert offer.parts == {
        "coverage": 6_666,
        "capacity": 10_000,
        "price": 10_000,
        "scorecard": 9_000,
        "lead_time": 7_500,
        "weights": {
            "coverage": 15,
            "capacity": 25,
            "price": 25,
            "scorecard": 25,
            "lead_time": 10,
        },
    }
    assert offer.score == (15 * 6_666 + 25 * 29_000 + 10 * 7_500) // 100


def test_the_time_out_job_passes_offers_on_once(
    three: tuple[Any, list[int]], world: World, at: datetime, events: Read
) -> None:
    benefit, (first, second, _third) = three
    order = world.order(benefit)
    fresh = world.order(benefit)
    FulfilmentOrder.objects.filter(pk=fresh.pk).update(accept_by=at + timedelta(hours=2))
    later = at + timedelta(minutes=30)
    for number in range(3):
        job = enqueue(kind="orders.timeouts", dedupe_key=f"t{number}", by=SYSTEM, at=later)
        run_job(job_id=job.pk, at=later)
        run_job(job_id=job.pk, at=later)
    results = list(Job.objects.order_by("pk").values_list("result", flat=True))
    assert results == [{"timed_out": 1}, {"timed_out": 0}, {"timed_out": 0}]
    order.refresh_from_db()
    fresh.refresh_from_db()
    assert (order.state, order.partner_id, order.version) == ("offered", second, 3)
    assert offers_of(order) == [(first, "timed_out"), (second, "offered")]
    assert events(order) == ["offered", "timed_out", "offered"]
    assert (fresh.partner_id, fresh.version) == (first, 1)
    assert broken() == []


def test_a_time_out_before_the_time_does_nothing(
    three: tuple[Any, list[int]], world: World, at: datetime
) -> None:
    order = world.order(three[0])
    assert orders.time_out(order_id=order.pk, at=at + timedelta(minutes=29)) is False
    assert OrderTransition.objects.count() == 1


def test_staff_give_an_accepted_order_to_another(
    three: tuple[Any, list[int]], world: World, at: datetime
) -> None:
    benefit, (first, second, _third) = three
    order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
    order = orders.redispatch(order=order, reason="no show", by=STAFF, at=at)
    assert (order.state, order.partner_id, order.round) == ("offered", second, 2)
    assert (order.accepted_at, order.price_minor, order.due_at) == (None, None, None)
    assert offers_of(order) == [(first, "withdrawn"), (second, "offered")]
    order = orders.accept(order=order, by=STAFF, at=at)
    assert (order.state, order.price_minor) == ("accepted", 2_000)
    assert broken() == []


def test_the_present_partner_is_asked_again_only_when_alone(world: World, at: datetime) -> None:
    benefit = world.benefit()
    offering = world.offering(benefit, capacity_per_day=1)
    orders.set_policy(weights=WEIGHTS, accept_minutes=30, horizon_days=1, by=STAFF, at=at)
    order = world.order(benefit)
    order = orders.redispatch(order=order, by=STAFF, at=at)
    assert (order.state, order.partner_id) == ("offered", offering.partner_id)
    assert broken() == []


def test_paused_and_ended_partners_are_not_asked(
    three: tuple[Any, list[int]], world: World, at: datetime
) -> None:
    benefit, _ = three
    order = world.order(benefit)
    assert order.offering is not None
    pool.pause_partner(partner=order.offering.partner, reason="", by=STAFF, at=at)
    second = world.order(benefit)
    assert second.offering is not None
    pool.end_partner(partner=second.offering.partner, reason="", by=STAFF, at=at)
    third = world.order(benefit)
    assert third.offering is not None
    pool.change_offering(offering=third.offering, status="paused", by=STAFF, at=at)
    assert world.order(benefit).state == "unassigned"
    # what a paused partner was offered is still its own
    assert orders.accept(order=order, by=STAFF, at=at).state == "accepted"


def test_a_partners_endpoints_hear_of_its_own_steps_only(
    three: tuple[Any, list[int]], world: World, at: datetime
) -> None:
    benefit, (first, second, _third) = three
    order = world.order(benefit)
    orders.decline(order=order, partner_id=first, by=by(first), at=at)
    heard = [
        (event.type, hear_own_orders(event))
        for event in Event.objects.filter(type__startswith="partner_order.").order_by("id")
    ]
    assert heard == [
        ("partner_order.offered", [first]),
        ("partner_order.declined", [first]),
        ("partner_order.offered", [second]),
    ]
    others = Event.objects.exclude(type__startswith="partner_order.")
    assert {tuple(hear_own_orders(event)) for event in others} == {()}


def test_events_hold_nothing_personal(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)
    (event,) = Event.objects.filter(type="partner_order.offered")
    assert event.data == {
        "order": order.number,
        "state": "offered",
        "version": 1,
        "benefit": benefit.code,
        "region": "cn/gd",
        "redemption": order.redemption_id,
        "partner_id": order.partner_id,
        "reason": "",
        "service_on": "2026-03-15",
        "accept_by": (at + timedelta(minutes=30)).isoformat(),
        "price": {"amount": 5_000, "currency": "CNY"},
    }


def test_a_partners_endpoint_gets_deliveries_of_its_own_orders_only(
    three: tuple[Any, list[int]], world: World, at: datetime
) -> None:
    benefit, (first, second, third) = three
    endpoints = {
        owner: create_endpoint(
            owner_id=owner, url=f"http://127.0.0.1:9/{owner}", event_types=(), by=STAFF, at=at
        )
        for owner in (None, first, second, third)
    }
    order = world.order(benefit)
    orders.decline(order=order, partner_id=first, by=by(first), at=at)
    deliver_pending(at=at)
    told = {
        owner: sorted(
            WebhookDelivery.objects.filter(
                endpoint=endpoint, event__type__startswith="partner_order."
            ).values_list("event__type", flat=True)
        )
        for owner, endpoint in endpoints.items()
    }
    assert told == {
        None: ["partner_order.declined", "partner_order.offered", "partner_order.offered"],
        first: ["partner_order.declined", "partner_order.offered"],
        second: ["partner_order.offered"],
        third: [],
    }
    for owner in (first, second, third):
        others = WebhookDelivery.objects.filter(endpoint=endpoints[owner]).exclude(
            event__type__startswith="partner_order."
        )
        assert not others.exists()


def test_the_policy_decides(three: tuple[Any, list[int]], world: World, at: datetime) -> None:
    benefit, (_first, second, third) = three
    for partner_id in (second, third):
        offering = Offering.objects.get(partner_id=partner_id)
        pool.change_offering(offering=offering, lead_time_hours=1, by=STAFF, at=at)
    only_coverage = {**WEIGHTS, "price": 0, "coverage": 1}
    orders.set_policy(weights=only_coverage, accept_minutes=5, horizon_days=3, by=STAFF, at=at)
    found = queries.preview(benefit_id=benefit.pk, region="cn/gd", at=at)
    assert {each.score for each in found.ranked} == {10_000}
    assert world.order(benefit).accept_by == at + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"weights": {"price": 1}}, "/weights"),
        ({"weights": dict.fromkeys(WEIGHTS, 0)}, "/weights"),
        ({"weights": {**WEIGHTS, "price": 101}}, "/weights"),
        ({"accept_minutes": 0}, "/accept_minutes"),
        ({"horizon_days": 61}, "/horizon_days"),
    ],
)
def test_wrong_policies_are_refused(
    changes: dict[str, Any], pointer: str, world: World, at: datetime
) -> None:
    facts: dict[str, Any] = {"weights": WEIGHTS, "accept_minutes": 30, "horizon_days": 7}
    with pytest.raises(InvalidPolicyError) as caught:
        orders.set_policy(**{**facts, **changes}, by=STAFF, at=at)
    assert caught.value.data == {"pointer": pointer}
    assert not DispatchPolicy.objects.exists()


def test_the_preview_says_who_and_why_not(world: World, at: datetime) -> None:
    benefit = world.benefit()
    near = world.offering(benefit)
    wide = world.offering(benefit, regions=[], price_minor=9_000)
    away = world.offering(benefit, regions=["cn/sh"])
    full = world.offering(benefit, capacity_per_day=0)
    paused = world.offering(benefit)
    pool.pause_partner(partner=paused.partner, reason="", by=STAFF, at=at)
    found = queries.preview(benefit_id=benefit.pk, region="cn/gd", at=at)
    assert [each.supply.offering_id for each in found.ranked] == [near.pk, wide.pk]
    assert {each.supply.offering_id: each.reason for each in found.left_out} == {
        away.pk: "outside_region",
        full.pk: "no_capacity",
        paused.pk: "partner_not_active",
    }
    assert not FulfilmentOrder.objects.exists()


def test_prices_that_begin_later_do_not_take_part(world: World, at: datetime) -> None:
    benefit = world.benefit()
    world.offering(
        benefit, valid_from=TODAY - timedelta(days=1), price_from=TODAY + timedelta(days=1)
    )
    found = queries.preview(benefit_id=benefit.pk, region="cn/gd", at=at)
    assert [each.reason for each in found.left_out] == ["no_price"]
    tomorrow = datetime(2026, 3, 16, 0, 0, tzinfo=UTC)
    assert len(queries.preview(benefit_id=benefit.pk, region="cn/gd", at=tomorrow).ranked) == 1
