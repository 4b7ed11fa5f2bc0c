"""Simulated programmes with a known effect: what the intervals promise, they keep.

A thousand programmes at once, skewed like purchases: most members buy nothing, some a lot, and
what they bought before tells part of what they buy now.
"""

import numpy as np
import pytest
from scipy import stats

from benefits.insights import effects
from benefits.insights.effects import Sums, compare, compare_matched, sums_of

RUNS, MEMBERS, HELD_OUT = 1_000, 900, 300
EFFECT = 6.0


@pytest.fixture(scope="module")
def programmes() -> tuple[np.ndarray, np.ndarray]:
    """Return spend before and after of every member of a thousand programmes without effect."""
    chance = np.random.default_rng(20_261_122)
    habit = chance.gamma(1.5, 20.0, size=(RUNS, MEMBERS))
    before = habit * chance.gamma(2.0, 0.5, size=habit.shape)
    after = habit * chance.gamma(2.0, 0.5, size=habit.shape)
    after[chance.random(habit.shape) < 0.2] = 0.0
    return before, after


def _groups(before: np.ndarray, after: np.ndarray, effect: float) -> tuple[Sums, Sums]:
    treated = sums_of(y=after[:, HELD_OUT:] + effect, x=before[:, HELD_OUT:])
    return treated, sums_of(y=after[:, :HELD_OUT], x=before[:, :HELD_OUT])


@pytest.mark.parametrize("cuped", [False, True])
@pytest.mark.parametrize("effect", [0.0, EFFECT, -EFFECT])
def test_the_interval_covers_the_truth_as_often_as_it_says(
    programmes: tuple[np.ndarray, np.ndarray], cuped: bool, effect: float
) -> None:
    treated, others = _groups(*programmes, effect)
    found = compare(treated=treated, others=others, cuped=cuped)
    covered = ((found.low <= effect) & (effect <= found.high)).mean()
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("cuped", [False, True])
def test_no_effect_alarms_seldom(programmes: tuple[np.ndarray, np.ndarray], cuped: bool) -> None:
    treated, others = _groups(*programmes, 0.0)
    assert compare(treated=treated, others=others, cuped=cuped).is_clear.mean() <= 0.05


def test_cuped_narrows_the_interval_and_finds_more(
    programmes: tuple[np.ndarray, np.ndarray],
) -> None:
    treated, others = _groups(*programmes, EFFECT)
    plain = compare(treated=treated, others=others, cuped=False)
    sharp = compare(treated=treated, others=others)
    assert np.median(sharp.error) < 0.95 * np.median(plain.error)
    assert (sharp.error < plain.error).mean() > 0.99
    assert sharp.is_clear.mean() > plain.is_clear.mean()
    assert sharp.estimate.mean() == pytest.approx(EFFECT, abs=0.2)


def test_looking_every_week_alarms_too_often(
    programmes: tuple[np.ndarray, np.ndarray],
) -> None:
    """The negative control of the fixed horizon: stopping at the first clear look is wrong."""
    _before, after = programmes
    alarmed = np.zeros(RUNS, dtype=bool)
    for seen in (40, 80, 120, 160, 200, 250, 300):
        treated = sums_of(y=after[:, HELD_OUT : HELD_OUT + seen])
        others = sums_of(y=after[:, :seen])
        alarmed |= compare(treated=treated, others=others, cuped=False).is_clear
    assert alarmed.mean() > 0.10


def test_welch_equals_scipy(programmes: tuple[np.ndarray, np.ndarray]) -> None:
    _before, after = programmes
    treated, others = after[0, HELD_OUT:] + EFFECT, after[0, :HELD_OUT]
    found = compare(treated=sums_of(y=treated), others=sums_of(y=others), cuped=False)
    theirs = stats.ttest_ind(treated, others, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(theirs.low)
    assert found.high == pytest.approx(theirs.high)


def test_the_naive_difference_is_fooled_by_who_uses_it_and_matching_is_less(
    programmes: tuple[np.ndarray, np.ndarray],
) -> None:
    """Good customers use benefits: without matching they seem to be made good by them."""
    before, after = programmes[0][:50], programmes[1][:50]
    chance = np.random.default_rng(3)
    uses = chance.random(before.shape) < before / (before + 40)
    naive, matched = [], []
    for b, a, u in zip(before, after, uses, strict=True):
        bins = np.searchsorted(np.quantile(b, np.linspace(0.1, 0.9, 9)), b)
        plain = compare(treated=sums_of(y=a[u]), others=sums_of(y=a[~u]), cuped=False)
        naive.append(float(plain.estimate))
        strata = [
            (sums_of(y=a[u & (bins == k)]), sums_of(y=a[~u & (bins == k)])) for k in range(10)
        ]
        found = compare_matched(strata=strata)
        assert found is not None
        matched.append(found.estimate)
    assert np.mean(naive) > 10  # the truth is zero
    assert abs(np.mean(matched)) < 0.35 * np.mean(naive)


def test_matching_without_anyone_alike_knows_nothing() -> None:
    alone, other = sums_of(y=[5.0]), sums_of(y=[1.0, 2.0])
    assert compare_matched(strata=[(alone, other)]) is None


def test_resampling_agrees_with_welch_and_with_itself() -> None:
    chance = np.random.default_rng(8)
    x = chance.gamma(2.0, 20.0, size=160)
    y = x * chance.gamma(2.0, 0.5, size=160)
    treated = list(zip(y[:80] + 10, x[:80], strict=True))
    others = list(zip(y[80:], x[80:], strict=True))
    first = effects.resample(treated=treated, others=others)
    assert first == effects.resample(treated=treated, others=others)
    welch = compare(treated=sums_of(y=y[:80] + 10, x=x[:80]), others=sums_of(y=y[80:], x=x[80:]))
    assert first.estimate == pytest.approx(float(welch.estimate))
    assert first.high - first.low == pytest.approx(float(welch.high - welch.low), rel=0.25)


def test_power_is_what_simulation_says(programmes: tuple[np.ndarray, np.ndarray]) -> None:
    deviation = float(programmes[1].std())
    planned = effects.power(effect=EFFECT, deviation=deviation, treated=600, others=300, alpha=0.05)
    treated, others = _groups(*programmes, EFFECT)
    seen = compare(treated=treated, others=others, cuped=False).is_clear.mean()
    assert planned == pytest.approx(seen, abs=0.04)


def test_the_least_hold_out_is_just_enough() -> None:
    facts = {"effect": 5.0, "deviation": 50.0, "alpha": 0.05}
    least = effects.least_hold_out(audience=20_000, effect=5.0, deviation=50.0)
    assert least is not None
    reached = effects.power(treated=20_000 - least, others=least, **facts)
    missed = effects.power(treated=20_001 - least, others=least - 1, **facts)
    assert reached >= 0.8 > missed
    assert effects.least_hold_out(audience=500, effect=5.0, deviation=50.0) is None
    assert effects.least_hold_out(audience=500, effect=0.0, deviation=50.0) is None
    assert effects.power(effect=5, deviation=0, treated=10, others=10, alpha=0.05) == 0
    assert effects.power(effect=500, deviation=1, treated=999, others=999, alpha=0.05) == 1
