"""Lucky draws are decided fairly, and by what was published."""

import hashlib
import hmac
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benefits.mall.draws import fairness

SEEDS = st.binary(min_size=32, max_size=32).map(bytes.hex)
WORDS = st.text(max_size=60)


def test_a_roll_can_be_done_by_hand() -> None:
    seed = "00" * 32
    message = fairness.message_of(draw="spring", player="abc", number=3, words="luck")
    assert message == "spring\x1fabc\x1f3\x1fluck"
    digest = hmac.new(bytes(32), f"{message}\x1f0".encode(), hashlib.sha256).digest()
    assert fairness.roll(seed=seed, message=message) == (
        int.from_bytes(digest[:8], "big") % 1_000_000
    )
    assert fairness.commitment(seed) == hashlib.sha256(bytes(32)).hexdigest()


@given(seed=SEEDS, words=WORDS, number=st.integers(1, 10**6))
def test_rolls_repeat_and_stay_in_range(seed: str, words: str, number: int) -> None:
    message = fairness.message_of(draw="d", player="p", number=number, words=words)
    first = fairness.roll(seed=seed, message=message)
    assert 0 <= first < 1_000_000
    assert fairness.roll(seed=seed, message=message) == first


def test_rolls_are_spread_evenly() -> None:
    rolls = [
        fairness.roll(seed=hashlib.sha256(b"x").hexdigest(), message=str(number))
        for number in range(20_000)
    ]
    tenths = Counter(roll // 100_000 for roll in rolls)
    chi = sum((count - 2_000) ** 2 / 2_000 for count in tenths.values())
    assert len(tenths) == 10
    # 9 degrees of freedom: 27.9 is passed once in a thousand; the rolls are fixed.
    assert chi < 27.9


@given(
    weights=st.lists(st.integers(1, 1_000), min_size=1, max_size=20),
    data=st.data(),
)
def test_each_prize_has_as_many_rolls_as_its_weight(
    weights: list[int], data: st.DataObject
) -> None:
    total = sum(weights)
    rolled = data.draw(st.integers(0, total - 1))
    place = fairness.pick(roll=rolled, weights=weights)
    assert sum(weights[:place]) <= rolled < sum(weights[: place + 1])


def test_weights_that_do_not_reach_are_an_error() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        fairness.pick(roll=3, weights=[1, 2])


def test_the_digest_of_odds_sees_every_change() -> None:
    table = [{"kind": "points", "points": 5, "weight": 1_000_000, "stock": None, "fallback": True}]
    digest = fairness.odds_digest(draw="d", prizes=table)
    assert digest == fairness.odds_digest(draw="d", prizes=[dict(table[0])])
    for name, value in (("weight", 999_999), ("stock", 1), ("points", 6)):
        assert fairness.odds_digest(draw="d", prizes=[{**table[0], name: value}]) != digest
    assert fairness.odds_digest(draw="e", prizes=table) != digest


def test_players_are_pseudonyms() -> None:
    name = fairness.player_name(draw="d", member="M0000001")
    assert len(name) == 16
    assert name == fairness.player_name(draw="d", member="M0000001")
    assert name != fairness.player_name(draw="e", member="M0000001")
