from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partners.orders.scoring import Assessment, Weights, Wish, assess, first_day, scorecard
from partners.pool.queries import Day, Record, Supply

AT = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)  # noon of a Sunday in Shanghai
TODAY = date(2026, 3, 15)
WISH = Wish(region="cn/gd", at=AT, wanted_at=None, zone="Asia/Shanghai", horizon_days=7)


def supply(number: int, **changes: Any) -> Supply:
    made = Supply(
        offering_id=number,
        partner_id=100 + number,
        partner_code=f"p{number}",
        partner_name=f"Partner {number}",
        partner_status="active",
        status="active",
        regions=["cn/gd"],
        capacity_per_day=10,
        lead_time_hours=0,
        sla_hours=48,
        valid_from=date(2026, 1, 1),
        valid_to=None,
        price_minor=1000,
        record=Record(),
        days={},
    )
    return made._replace(**changes)


def order_of(found: Assessment) -> list[int]:
    return [each.supply.offering_id for each in found.ranked]


def test_the_parts_of_a_score_are_exact() -> None:
    day = {TODAY: Day(TODAY, 10, 4)}
    found = assess(
        [
            supply(1, price_minor=1500, lead_time_hours=8, days=day),
            supply(2, price_minor=1000, regions=["cn"], record=Record(5, 0, 5, 5, 0, 0, 5, 5)),
        ],
        WISH,
        Weights(),
    )
    one = next(each for each in found.ranked if each.supply.offering_id == 1)
    two = next(each for each in found.ranked if each.supply.offering_id == 2)
    assert one.parts == {
        "coverage": 10_000,
        "capacity": 6_000,
        "price": 6_666,
        "scorecard": 9_000,
        "lead_time": 7_500,
    }
    # (15·10000 + 25·6000 + 25·6666 + 25·9000 + 10·7500) ÷ 100
    assert one.score == 7_666
    assert two.parts == {
        "coverage": 6_666,
        "capacity": 10_000,
        "price": 10_000,
        # acceptance and success 4500 each, on time 9000 (none yet), rating 1 of 5: 4500
        "scorecard": (30 * 4_500 + 30 * 9_000 + 20 * 4_500 + 20 * 4_500) // 100,
        "lead_time": 10_000,
    }
    assert one.service_on == two.service_on == TODAY
    assert order_of(found) == [2, 1]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(), 9_000),
        (Record(10, 10, 10, 0, 10, 10, 10, 50), 9_666),
        (Record(10, 0, 0, 0, 0, 0, 0, 0), 7_200),
        (Record(95, 95, 95, 95, 0, 0, 0, 0), 7_575),
    ],
)
def test_scorecard_is_drawn_towards_the_prior(record: Record, expected: int) -> None:
    assert scorecard(record) == expected


@pytest.mark.parametrize("part", ["coverage", "capacity", "price", "scorecard", "lead_time"])
def test_each_weight_alone_decides(part: str) -> None:
    """The better one in the part wins, whatever the other parts say."""
    worse: dict[str, Any] = {
        "coverage": {"regions": []},
        "capacity": {"days": {TODAY: Day(TODAY, 10, 9)}},
        "price": {"price_minor": 1001},
        "scorecard": {"record": Record(3, 0)},
        "lead_time": {"lead_time_hours": 5},
    }
    weights = Weights(**{name: int(name == part) for name in worse})
    found = assess([supply(1, **worse[part]), supply(2)], WISH, weights)
    assert order_of(found) == [2, 1]


def test_equal_scores_go_to_the_cheaper_then_to_the_lower_key() -> None:
    weights = Weights(coverage=1, capacity=0, price=0, scorecard=0, lead_time=0)
    found = assess([supply(3), supply(2), supply(1, price_minor=999)], WISH, weights)
    assert order_of(found) == [1, 2, 3]


def test_a_free_price_counts_as_the_cheapest() -> None:
    found = assess([supply(1, price_minor=0), supply(2)], WISH, Weights())
    parts = {each.supply.offering_id: each.parts["price"] for each in found.ranked}
    assert parts == {1: 10_000, 2: 0}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partner_status": "paused"}, "partner_not_active"),
        ({"status": "paused"}, "offering_not_active"),
        ({"regions": ["cn/sh"]}, "outside_region"),
        ({"price_minor": None}, "no_price"),
        ({"capacity_per_day": 0}, "no_capacity"),
        ({"valid_to": TODAY}, "not_valid"),
        ({"valid_from": TODAY + timedelta(days=7)}, "not_valid"),
        ({"partner_id": 999}, "already_asked"),
    ],
)
def test_each_reason_to_be_left_out(changes: dict[str, Any], reason: str) -> None:
    found = assess([supply(1, **changes)], WISH, Weights(), asked={999})
    assert found.ranked == []
    assert [each.reason for each in found.left_out] == [reason]


def test_the_first_day_with_room_is_taken() -> None:
    full = {TODAY + timedelta(days=n): Day(TODAY + timedelta(days=n), 3, 3) for n in range(3)}
    found = first_day(supply(1, days=full), WISH)
    # three full days; the fourth begins 60 hours after Sunday noon
    assert found == (Day(TODAY + timedelta(days=3), 10, 0), 60)


def test_lead_time_moves_the_first_day_in_the_brands_zone() -> None:
    assert first_day(supply(1, lead_time_hours=11), WISH) == (Day(TODAY, 10, 0), 11)
    found = first_day(supply(1, lead_time_hours=12), WISH)
    assert found == (Day(TODAY + timedelta(days=1), 10, 0), 12)


def test_a_wanted_time_is_where_the_search_begins() -> None:
    wish = replace(WISH, wanted_at=AT + timedelta(days=3))
    assert first_day(supply(1), wish) == (Day(TODAY + timedelta(days=3), 10, 0), 0)
    late = first_day(supply(1, lead_time_hours=96), wish)
    assert late == (Day(TODAY + timedelta(days=4), 10, 0), 24)


def test_the_horizon_ends_the_search() -> None:
    full = {TODAY + timedelta(days=n): Day(TODAY + timedelta(days=n), 3, 3) for n in range(7)}
    assert first_day(supply(1, days=full), WISH) == "no_capacity"


@given(
    prices=st.lists(st.integers(0, 10**13), min_size=1, max_size=6),
    weights=st.tuples(*[st.integers(0, 100)] * 5),
    reserved=st.integers(0, 12),
)
def test_scores_stay_within_bounds_and_order(
    prices: list[int], weights: tuple[int, ...], reserved: int
) -> None:
    supplies = [
        supply(n, price_minor=price, days={TODAY: Day(TODAY, 10, reserved)})
        for n, price in enumerate(prices)
    ]
    found = assess(supplies, WISH, Weights(*weights))
    assert len(found.ranked) == len(prices)
    scores = [each.score for each in found.ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 10_000 for score in scores)
    assert all(0 <= part <= 10_000 for each in found.ranked for part in each.parts.values())
