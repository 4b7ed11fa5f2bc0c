"""What staff, partners and the board are shown."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from benefits.grants import operations as grants
from benefits.grants.models import Redemption
from core.actors import SYSTEM
from core.errors import InvalidError
from partners.orders import operations as orders
from partners.orders import queries
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import FulfilmentOrder
from partners.orders.registrations import orders_for_staff
from partners.pool import operations as pool
from partners.pool.models import PartnerScore
from partners.pool.queries import Record
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_job
from tests.integration.partners.world import STAFF, World, by

TODAY = date(2026, 3, 15)


@pytest.fixture
def pair(world: World) -> tuple[Any, int, int]:
    """Return a benefit and its two partners, the better first."""
    benefit = world.benefit()
    one = world.offering(benefit, price_minor=1_000, capacity_per_day=50)
    two = world.offering(benefit, price_minor=9_000, capacity_per_day=50)
    weights = {"coverage": 0, "capacity": 0, "price": 1, "scorecard": 0, "lead_time": 0}
    orders.set_policy(weights=weights, accept_minutes=30, horizon_days=7, by=STAFF, at=world.at)
    return benefit, one.partner_id, two.partner_id


def numbers(found: list[Any]) -> list[str]:
    return [each.number for each in found]


def test_a_partner_sees_its_own_orders_only(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    kept, lost = world.order(benefit), world.order(benefit)
    later = at + timedelta(minutes=5)
    orders.decline(order=lost, partner_id=one, by=by(one), at=later)
    mine = queries.list_partner_orders(partner_id=one)
    assert [(view.number, view.state) for view in mine] == [
        (kept.number, "offered"),
        (lost.number, "declined"),
    ]
    theirs = queries.list_partner_orders(partner_id=two)
    assert [(view.number, view.state) for view in theirs] == [(lost.number, "offered")]
    assert queries.get_partner_order(number=lost.number, partner_id=one).state == "declined"
    for number in (kept.number, "F000000000", ""):
        with pytest.raises(OrderNotFoundError):
            queries.get_partner_order(number=number, partner_id=two)
        with pytest.raises(OrderNotFoundError):
            queries.get_order(number=number, partner_id=two)
    assert queries.get_order(number=lost.number, partner_id=one) == lost


def test_what_happens_after_a_partner_has_lost_it_is_not_shown(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    order = world.order(benefit)
    order = orders.decline(order=order, partner_id=one, by=by(one), at=at)
    later = at + timedelta(minutes=5)
    order = orders.accept(order=order, partner_id=two, by=by(two), at=later)
    view = queries.get_partner_order(number=order.number, partner_id=one)
    shown = queries.represent_view(view)
    assert shown["state"] == "declined"
    assert shown["price"] == {"amount": 1_000, "currency": "CNY"}
    assert shown["updated_at"] == at.isoformat()
    assert (shown["accepted_at"], shown["due_at"]) == (None, None)
    current = queries.represent_view(queries.get_partner_order(number=order.number, partner_id=two))
    assert (current["state"], current["price"]["amount"]) == ("accepted", 9_000)
    assert current == queries.represent(order)
    assert current["accepted_at"] == later.isoformat()


@pytest.mark.parametrize(
    ("state", "expected"),
    [("offered", 1), ("declined", 1), ("timed_out", 1), ("accepted", 1), ("cancelled", 1),
     ("unassigned", 0)],
)  # fmt: skip
def test_the_state_filter_follows_what_the_partner_sees(
    state: str, expected: int, pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    made = [world.order(benefit) for _ in range(5)]
    orders.decline(order=made[1], partner_id=one, by=by(one), at=at)
    orders.decline(order=made[1], partner_id=two, by=by(two), at=at)  # now unassigned
    orders.time_out(order_id=made[2].pk, at=at + timedelta(hours=1))
    orders.accept(order=made[3], partner_id=one, by=by(one), at=at)
    orders.cancel(order=made[4], reason="", by=STAFF, at=at)
    found = queries.list_partner_orders(partner_id=one, state=state)
    assert [view.state for view in found] == [state] * expected


def test_following_the_list_misses_nothing(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, _two = pair
    made = [world.order(benefit) for _ in range(5)]
    first = queries.list_partner_orders(partner_id=one, limit=2)
    assert numbers(first) == [order.number for order in made[:2]]
    later = at + timedelta(minutes=1)
    orders.accept(order=made[0], partner_id=one, by=by(one), at=later)
    seen: list[str] = []
    after: str | None = queries.position(first[-1])
    while True:
        page = queries.list_partner_orders(partner_id=one, after=after, limit=2)
        if not page:
            break
        seen += numbers(page)
        after = queries.position(page[-1])
    assert seen == [order.number for order in [*made[2:], made[0]]]
    since = queries.list_partner_orders(partner_id=one, updated_since=later)
    assert numbers(since) == [made[0].number]


def test_staff_lists_show_the_last_changed_first(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    made = [world.order(benefit) for _ in range(3)]
    later = at + timedelta(minutes=1)
    orders.decline(order=made[0], partner_id=one, by=by(one), at=later)
    listed = queries.list_orders(limit=2)
    assert numbers(listed) == [made[0].number, made[2].number]
    rest = queries.list_orders(after=queries.position(listed[-1]))
    assert numbers(rest) == [made[1].number]
    assert numbers(queries.list_orders(partner_id=two)) == [made[0].number]
    assert numbers(queries.list_orders(state="accepted")) == []
    assert numbers(queries.list_orders(updated_since=later)) == [made[0].number]
    assert len(queries.list_orders(benefit_id=benefit.pk, member_id=made[1].member_id)) == 1


@pytest.mark.parametrize("after", ["", "x", "2026-01-01,", ",1", "2026-99-01,1"])
def test_a_wrong_position_is_refused(after: str, world: World) -> None:
    with pytest.raises(InvalidError):
        queries.list_partner_orders(partner_id=1, after=after)


def test_lists_take_one_query_and_the_board_two(
    pair: tuple[Any, int, int],
    world: World,
    at: datetime,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    benefit, one, _two = pair
    for _ in range(4):
        world.order(benefit)
    with django_assert_num_queries(1):
        views = queries.list_partner_orders(partner_id=one)
        assert len([queries.represent_view(view) for view in views]) == 4
    with django_assert_num_queries(1):
        assert len([queries.represent(order) for order in queries.list_orders()]) == 4
    with django_assert_num_queries(2):
        columns = queries.board(at=at)
        assert [card.order.benefit.code for card in columns[1].cards] == [benefit.code] * 4


def test_the_board_runs_the_clock_of_each_state(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, _two = pair
    offered, accepted, due = (world.order(benefit) for _ in range(3))
    orders.accept(order=accepted, by=STAFF, at=at)
    due = orders.accept(order=due, by=STAFF, at=at)
    orders.schedule(order=due, when=at + timedelta(days=1), by=STAFF, at=at)
    lonely = world.order(world.benefit(sla_hours=1))
    columns = {column.state: column for column in queries.board(at=at + timedelta(hours=2))}
    assert {state: (column.count, column.late) for state, column in columns.items()} == {
        "unassigned": (1, 1),
        "offered": (1, 1),
        "accepted": (1, 0),
        "scheduled": (1, 0),
        "in_progress": (0, 0),
    }
    (card,) = columns["offered"].cards
    assert (card.order.pk, card.deadline, card.is_late) == (offered.pk, offered.accept_by, True)
    (card,) = columns["unassigned"].cards
    assert (card.order.pk, card.deadline) == (lonely.pk, at + timedelta(hours=1))
    (card,) = columns["accepted"].cards
    assert (card.deadline, card.is_late) == (at + timedelta(hours=48), False)
    mine = {column.state: column.count for column in queries.board(at=at, partner_id=one)}
    assert mine["unassigned"] == 0


def test_late_orders_wait_for_staff(pair: tuple[Any, int, int], world: World, at: datetime) -> None:
    order = orders.accept(order=world.order(pair[0]), by=STAFF, at=at)
    assert order.due_at is not None
    assert orders_for_staff(order.due_at) == []
    later = order.due_at + timedelta(seconds=1)
    assert [(todo.kind, todo.count) for todo in orders_for_staff(later)] == [("orders.late", 1)]
    orders.fulfil(order=order, override_reason="ok", by=STAFF, at=later)
    assert orders_for_staff(later) == []


def test_the_board_shows_the_most_urgent(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, _one, _two = pair
    made = []
    for hours in (3, 1, 2):
        world.at = at + timedelta(hours=hours)
        made.append(world.order(benefit))
    column = queries.board(at=at, limit=2)[1]
    assert column.count == 3
    assert [card.order.pk for card in column.cards] == [made[1].pk, made[2].pk]


def test_an_order_is_found_by_number_or_redemption(
    pair: tuple[Any, int, int], world: World, brand: Brand, other_brand: Brand
) -> None:
    order = world.order(pair[0])
    assert queries.get_order(number=order.number) == order
    assert queries.get_order(redemption_id=order.redemption_id) == order
    with tenant_context(other_brand), pytest.raises(OrderNotFoundError):
        queries.get_order(number=order.number)


def test_scorecards_count_ninety_days(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    old = world.order(benefit)
    orders.decline(order=old, partner_id=one, by=by(one), at=at - timedelta(days=91))
    made = [world.order(benefit) for _ in range(5)]
    orders.decline(order=made[0], partner_id=one, by=by(one), at=at)
    for order, hours in zip(made[1:4], (1, 47, 49), strict=True):
        orders.accept(order=order, partner_id=one, by=by(one), at=at)
        orders.fulfil(order=order, override_reason="ok", by=STAFF, at=at + timedelta(hours=hours))
    rated = Redemption.objects.get(pk=made[1].redemption_id)
    grants.rate(redemption=rated, rating=4, by=STAFF, at=at)
    orders.accept(order=made[4], partner_id=one, by=by(one), at=at)
    orders.fail(order=made[4], reason="no", partner_id=one, by=by(one), at=at)

    later = at + timedelta(hours=50)
    card = queries.get_scorecard(partner_id=one, at=later)
    assert card.record == Record(
        offers_answered=5,
        offers_accepted=4,
        orders_closed=4,
        orders_failed=1,
        orders_fulfilled=3,
        orders_on_time=2,
        ratings=1,
        rating_sum=4,
    )
    assert (card.acceptance, card.on_time, card.failure, card.rating) == (0.8, 2 / 3, 0.25, 4.0)
    empty = queries.get_scorecard(partner_id=two, at=later)
    assert (empty.record, empty.acceptance, empty.rating) == (Record(), None, None)

    for number in range(3):
        job = enqueue(kind="partners.scorecards", dedupe_key=f"s{number}", by=SYSTEM, at=later)
        run_job(job_id=job.pk, at=later)
    assert [job.result for job in Job.objects.order_by("pk")] == [{"partners": 2}] * 3
    stored = PartnerScore.objects.get(partner_id=one)
    assert (stored.orders_on_time, stored.rating_sum) == (2, 4)
    assert stored.computed_on == date(2026, 3, 17)
    assert PartnerScore.objects.count() == 2


def test_a_bad_record_costs_the_next_order(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    weights = {"coverage": 0, "capacity": 0, "price": 0, "scorecard": 1, "lead_time": 0}
    orders.set_policy(weights=weights, accept_minutes=30, horizon_days=7, by=STAFF, at=at)
    order = world.order(benefit)
    assert order.partner_id == one
    orders.decline(order=order, partner_id=one, by=by(one), at=at)
    assert world.order(benefit).partner_id == one
    job = enqueue(kind="partners.scorecards", dedupe_key="s", by=SYSTEM, at=at)
    run_job(job_id=job.pk, at=at)
    assert world.order(benefit).partner_id == two


def test_timeline_and_offers_are_read_in_order(
    pair: tuple[Any, int, int], world: World, at: datetime
) -> None:
    benefit, one, two = pair
    order = world.order(benefit)
    orders.decline(order=order, partner_id=one, reason="full", by=by(one), at=at)
    steps = queries.list_transitions(order_id=order.pk)
    assert [(step.event, step.partner_id, step.reason) for step in steps] == [
        ("offered", one, ""),
        ("declined", one, "full"),
        ("offered", two, ""),
    ]
    offers = queries.list_offers(order_id=order.pk)
    assert [(offer.partner_id, offer.state) for offer in offers] == [
        (one, "declined"),
        (two, "offered"),
    ]


def test_coverage_follows_capacity(world: World, at: datetime) -> None:
    """A day that is closed later does not take the orders it already has."""
    benefit = world.benefit()
    offering = world.offering(benefit)
    order = world.order(benefit)
    assert order.service_on == TODAY
    pool.set_capacity(offering=offering, on_date=TODAY, capacity=1, by=STAFF, at=at)
    assert world.order(benefit).service_on == TODAY + timedelta(days=1)
    assert FulfilmentOrder.objects.filter(service_on=TODAY).count() == 1
