"""Many calls at the same moment: one effect. With the guard taken away, the tests must break."""

import time
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from benefits.grants import operations as grants
from benefits.grants.models import Redemption
from partners.orders import codes, timeline
from partners.orders import operations as orders
from partners.orders.errors import (
    InvalidStateError,
    TooManyCodesError,
    VersionMismatchError,
    WrongCodeError,
)
from partners.orders.invariants import CHECKS
from partners.orders.models import CodeAttempts, FulfilmentOrder, OrderTransition
from partners.pool import operations as pool
from partners.pool.errors import NoCapacityError
from partners.pool.models import CapacityDay
from tenants.brands.models import Brand
from tests.integration.partners.world import STAFF, World, by
from tests.races import together

pytestmark = pytest.mark.race
TODAY = date(2026, 3, 15)
THREADS = 8


def broken() -> list[str]:
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check()]


def test_eight_accepts_have_one_effect(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)
    partner_id = order.partner_id
    results = together(
        committed_brand,
        [
            lambda: orders.accept(order=order, partner_id=partner_id, by=by(partner_id), at=at)
            for _ in range(THREADS)
        ],
    )
    assert [(found.state, found.version) for found in results] == [("accepted", 2)] * THREADS
    assert OrderTransition.objects.filter(event="accepted").count() == 1
    assert Redemption.objects.get(pk=order.redemption_id).steps.count() == 1
    assert broken() == []


def test_eight_accepts_without_the_lock_get_other_answers(
    committed_brand: Brand,
    committed_world: World,
    at: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: without the lock the version alone still lets one through only, but the
    others are refused instead of getting the same answer."""
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)

    def unlocked(order: FulfilmentOrder, **_: Any) -> FulfilmentOrder:
        found = FulfilmentOrder.objects.select_related("benefit", "offering").get(pk=order.pk)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(orders, "_lock", unlocked)
    results = together(
        committed_brand, [lambda: orders.accept(order=order, by=STAFF, at=at)] * THREADS
    )
    assert Counter(type(found) for found in results) == {
        FulfilmentOrder: 1,
        VersionMismatchError: THREADS - 1,
    }
    assert broken() == []


def test_eight_accepts_without_lock_and_version_hit_the_wall(
    committed_brand: Brand,
    committed_world: World,
    at: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: with both gone, only the timeline's unique step is left to stop them."""
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit)
    order = world.order(benefit)

    def unlocked(order: FulfilmentOrder, **_: Any) -> FulfilmentOrder:
        found = FulfilmentOrder.objects.select_related("benefit", "offering").get(pk=order.pk)
        time.sleep(0.05)
        return found

    def unversioned(order: FulfilmentOrder, steps: Any, *, by: Any, at: Any, **fields: Any) -> None:
        number = order.version
        FulfilmentOrder.objects.filter(pk=order.pk).update(
            state=steps[-1].to_state, version=number + 1, **fields
        )
        timeline.write(order, steps, before=order.state, number=number, by=by, at=at)

    monkeypatch.setattr(orders, "_lock", unlocked)
    monkeypatch.setattr(orders, "advance", unversioned)
    results = together(
        committed_brand, [lambda: orders.accept(order=order, by=STAFF, at=at)] * THREADS
    )
    assert Counter(type(found) for found in results) == {
        FulfilmentOrder: 1,
        IntegrityError: THREADS - 1,
    }


def test_accept_decline_time_out_and_cancel_at_once(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    """Whoever comes first decides; the order never ends up with two partners or none recorded."""
    world = committed_world
    benefit = world.benefit()
    for price in (1_000, 2_000, 3_000):
        world.offering(benefit, price_minor=price, capacity_per_day=50)
    outcomes: Counter[str] = Counter()
    for _ in range(12):
        order = world.order(benefit)
        partner_id = order.partner_id
        assert order.accept_by is not None
        redemption = Redemption.objects.get(pk=order.redemption_id)

        def cancel(redemption: Redemption = redemption) -> None:
            grants.cancel(redemption=redemption, by=STAFF, at=at)
            orders.withdraw_order(redemption_id=redemption.pk, reason="", by=STAFF, at=at)

        facts: dict[str, Any] = {"order": order, "partner_id": partner_id, "by": by(partner_id)}
        results = together(
            committed_brand,
            [
                lambda facts=facts: orders.accept(**facts, at=at),
                lambda facts=facts: orders.decline(**facts, at=at),
                lambda order=order: orders.time_out(order_id=order.pk, at=order.accept_by),
                lambda order=order: orders.redispatch(order=order, by=STAFF, at=at),
                cancel,
            ],
        )
        unexpected = [
            found
            for found in results
            if isinstance(found, Exception)
            and getattr(found, "code", "") not in {"invalid_state", "not_found"}
        ]
        assert unexpected == []
        order.refresh_from_db()
        outcomes[order.state] += 1
        assert order.state == "cancelled"
    assert broken() == []
    assert outcomes == {"cancelled": 12}


def test_eight_orders_for_one_unit_never_pass_the_capacity(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    offering = world.offering(benefit, capacity_per_day=3)
    orders.set_policy(
        weights={"coverage": 1, "capacity": 1, "price": 1, "scorecard": 1, "lead_time": 1},
        accept_minutes=30,
        horizon_days=1,
        by=STAFF,
        at=at,
    )
    redemptions = [world.redemption(benefit) for _ in range(THREADS)]
    results = together(
        committed_brand,
        [
            lambda pk=redemption.pk: orders.request_order(redemption_id=pk, at=at)
            for redemption in redemptions
        ],
    )
    assert Counter(found.state for found in results) == {"offered": 3, "unassigned": 5}
    day = CapacityDay.objects.get(offering=offering)
    assert (day.capacity, day.reserved) == (3, 3)
    assert broken() == []


def test_reserving_never_passes_the_capacity(
    committed_brand: Brand, committed_world: World
) -> None:
    offering = committed_world.offering(committed_world.benefit(), capacity_per_day=5)
    results = together(
        committed_brand,
        [lambda: pool.reserve(offering_id=offering.pk, on_date=TODAY)] * THREADS,
    )
    assert Counter(type(found) for found in results) == {type(None): 5, NoCapacityError: 3}
    assert CapacityDay.objects.get().reserved == 5


def test_reserving_by_looking_first_passes_the_capacity(
    committed_brand: Brand, committed_world: World
) -> None:
    """Negative control: look, then write what was seen plus one."""
    offering = committed_world.offering(committed_world.benefit(), capacity_per_day=5)
    CapacityDay.objects.create(offering=offering, on_date=TODAY, capacity=5, reserved=0)
    taken: list[int] = []

    def naive() -> None:
        day = CapacityDay.objects.get()
        if day.reserved < day.capacity:
            time.sleep(0.05)
            day.reserved += 1
            day.save()
            taken.append(1)

    together(committed_brand, [naive] * THREADS)
    assert len(taken) > 5
    assert CapacityDay.objects.get().reserved < len(taken)


def test_eight_requests_for_one_redemption_make_one_order(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit)
    redemption = world.redemption(benefit)
    results = together(
        committed_brand,
        [lambda: orders.request_order(redemption_id=redemption.pk, at=at)] * THREADS,
    )
    assert len({found.pk for found in results}) == 1
    assert CapacityDay.objects.get().reserved == 1
    assert broken() == []


def test_partners_that_swap_days_do_not_wait_for_each_other(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    """Declines of A-orders go to B while declines of B-orders go to A: no deadlock."""
    world = committed_world
    benefit = world.benefit()
    one = world.offering(benefit, capacity_per_day=40)
    two = world.offering(benefit, capacity_per_day=40)
    pending = [world.order(benefit) for _ in range(16)]
    assert {order.offering_id for order in pending} == {one.pk, two.pk}
    results = together(
        committed_brand,
        [
            lambda order=order: orders.decline(
                order=order, partner_id=order.partner_id, by=by(order.partner_id), at=at
            )
            for order in pending
        ],
    )
    assert [found.state for found in results] == ["offered"] * 16
    assert broken() == []


def test_partners_that_swap_scheduled_days_do_not_wait_for_each_other(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit, capacity_per_day=40)
    pending = [
        orders.schedule(
            order=orders.accept(order=world.order(benefit), by=STAFF, at=at),
            when=at + timedelta(days=number % 2),
            by=STAFF,
            at=at,
        )
        for number in range(12)
    ]
    results = together(
        committed_brand,
        [
            lambda order=order, number=number: orders.schedule(
                order=order, when=at + timedelta(days=(number + 1) % 2), by=STAFF, at=at
            )
            for number, order in enumerate(pending)
        ],
    )
    assert [found.state for found in results] == ["scheduled"] * 12
    assert broken() == []


def test_parallel_guesses_do_not_pass_the_limit(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit)
    order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
    results = together(
        committed_brand,
        [lambda: codes.check(order=order, code="WRONG234", at=at)] * 16,
    )
    assert Counter(type(found) for found in results) == {
        WrongCodeError: codes.LIMIT,
        TooManyCodesError: 16 - codes.LIMIT,
    }
    assert CodeAttempts.objects.get().attempts == codes.LIMIT


def test_fulfil_and_fail_at_once_have_one_effect(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    world.offering(benefit, capacity_per_day=50)
    for _ in range(8):
        order = orders.accept(order=world.order(benefit), by=STAFF, at=at)
        results = together(
            committed_brand,
            [
                lambda order=order: orders.fulfil(
                    order=order, override_reason="ok", by=STAFF, at=at
                ),
                lambda order=order: orders.fail(order=order, reason="no", by=STAFF, at=at),
            ]
            * 2,
        )
        states = {found.state for found in results if not isinstance(found, Exception)}
        refused = [found for found in results if isinstance(found, Exception)]
        assert len(states) == 1
        assert [type(found) for found in refused] == [InvalidStateError] * 2
    assert broken() == []


def test_eight_time_outs_pass_an_offer_on_once(
    committed_brand: Brand, committed_world: World, at: datetime
) -> None:
    world = committed_world
    benefit = world.benefit()
    first = world.offering(benefit, price_minor=1_000)
    second = world.offering(benefit, price_minor=9_000)
    order = world.order(benefit)
    later = at + timedelta(minutes=30)
    results = together(
        committed_brand, [lambda: orders.time_out(order_id=order.pk, at=later)] * THREADS
    )
    assert Counter(results) == {True: 1, False: THREADS - 1}
    order.refresh_from_db()
    assert (order.partner_id, order.version) == (second.partner_id, 3)
    assert [offer.partner_id for offer in order.offers.order_by("number")] == [
        first.partner_id,
        second.partner_id,
    ]
    assert broken() == []
