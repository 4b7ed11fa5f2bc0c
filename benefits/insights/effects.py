"""How much a benefit brings: differences of means with intervals, from sums alone. Pure.

A group is known by the sums of its outcomes y and of the same members' figure x of the time
before: n, Σy, Σy², Σx, Σx², Σxy. Numbers or arrays of numbers: a thousand simulated programmes
are one call.

- Welch: the difference of two means with unequal variances; degrees of freedom by Satterthwaite.
  B. L. Welch, "The generalization of 'Student's' problem …", Biometrika 34 (1947).
- CUPED: y is replaced by y − θ(x − x̄), θ = cov(x, y) ÷ var(x) within groups, which leaves the
  expectation and takes out what the time before explains. A. Deng, Y. Xu, R. Kohavi, T. Walker,
  "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data",
  WSDM 2013.
- Matched: within strata of alike members, weighted by the treated of each stratum (the effect on
  the treated); strata without members of both kinds are left out. S. M. Iacus, G. King, G. Porro,
  "Causal Inference without Balance Checking: Coarsened Exact Matching", Political Analysis 20
  (2012).

Quantiles of Student's t and power come from SciPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import special

# Fewer than this in a group, and the interval says nothing.
LEAST: Final = 30
# Below this many in the smaller group skewed sums are resampled instead.
RESAMPLE_BELOW: Final = 200


@dataclass(frozen=True, slots=True)
class Sums:
    """One group: how many, and the sums of outcome y and earlier figure x."""

    n: Any
    y: Any
    yy: Any
    x: Any = 0.0
    xx: Any = 0.0
    xy: Any = 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of the treated less mean of the others, its interval, and the two means."""

    estimate: Any
    low: Any
    high: Any
    error: Any
    treated_mean: Any
    other_mean: Any

    @property
    def is_clear(self) -> Any:
        """Whether the interval leaves zero out."""
        return (self.low > 0) | (self.high < 0)


def _spread(n: Any, first: Any, second: Any, both: Any) -> Any:
    """Return Σ(a − ā)(b − b̄) from sums."""
    return both - first * second / n


def theta(*, treated: Sums, others: Sums) -> Any:
    """Return the CUPED slope, pooled within the groups; 0 where x does not vary."""
    xx = _spread(treated.n, treated.x, treated.x, treated.xx)
    xx = xx + _spread(others.n, others.x, others.x, others.xx)
    xy = _spread(treated.n, treated.x, treated.y, treated.xy)
    xy = xy + _spread(others.n, others.x, others.y, others.xy)
    return np.where(xx > 0, xy / np.where(xx > 0, xx, 1.0), 0.0)


def compare(
    *, treated: Sums, others: Sums, confidence: float = 0.95, cuped: bool = True
) -> Difference:
    """Return the difference of means with its Welch interval, sharpened by CUPED unless told not to.

    Both groups need at least two members.
    """
    slope = theta(treated=treated, others=others) if cuped else 0.0
    means, errors, frees = [], [], []
    everyone = (np.asarray(treated.x) + others.x) / (np.asarray(treated.n) + others.n)
    for group in (treated, others):
        n = np.asarray(group.n, dtype=float)
        yy = _spread(n, group.y, group.y, group.yy)
        xx = _spread(n, group.x, group.x, group.xx)
        xy = _spread(n, group.x, group.y, group.xy)
        variance = np.maximum(yy - 2 * slope * xy + slope**2 * xx, 0.0) / (n - 1)
        means.append(group.y / n - slope * (group.x / n - everyone))
        errors.append(variance / n)
        frees.append((variance / n) ** 2 / (n - 1))
    squared = errors[0] + errors[1]
    below = frees[0] + frees[1]
    free = np.where(below > 0, squared**2 / np.where(below > 0, below, 1.0), 1.0)
    error = np.sqrt(squared)
    wide = special.stdtrit(free, 0.5 + confidence / 2) * error
    estimate = means[0] - means[1]
    return Difference(estimate, estimate - wide, estimate + wide, error, means[0], means[1])


def compare_matched(
    *, strata: Sequence[tuple[Sums, Sums]], confidence: float = 0.95
) -> Difference | None:
    """Return the difference on the treated over strata of (treated, others).

    Strata need two members of each kind, else nothing is known of their spread; None where no
    stratum has them.
    """
    usable = [(t, o) for t, o in strata if t.n >= 2 and o.n >= 2]
    if not usable:
        return None
    n_t, n_o = (np.array([pair[k].n for pair in usable], dtype=float) for k in (0, 1))
    y_t, y_o = (np.array([pair[k].y for pair in usable], dtype=float) for k in (0, 1))
    s_t, s_o = (np.array([pair[k].yy for pair in usable], dtype=float) for k in (0, 1))
    weight = n_t / n_t.sum()
    v_t = np.maximum(_spread(n_t, y_t, y_t, s_t), 0) / (n_t - 1)
    v_o = np.maximum(_spread(n_o, y_o, y_o, s_o), 0) / (n_o - 1)
    error = float(np.sqrt((weight**2 * (v_t / n_t + v_o / n_o)).sum()))
    treated, other = float((weight * y_t / n_t).sum()), float((weight * y_o / n_o).sum())
    wide = float(special.ndtri(0.5 + confidence / 2)) * error
    estimate = treated - other
    return Difference(estimate, estimate - wide, estimate + wide, error, treated, other)


def resample(
    *,
    treated: Sequence[tuple[float, float]],
    others: Sequence[tuple[float, float]],
    confidence: float = 0.95,
    seed: int = 1,
) -> Difference:
    """Return the difference with a BCa bootstrap interval, from each member's (y, x), by CUPED.

    For small groups of skewed sums. The same members give the same interval: the seed is fixed.
    """
    # Half a second to load, and only small groups need it.
    from scipy import stats

    groups = [np.array(list(group), dtype=float).reshape(-1, 2) for group in (treated, others)]
    whole = [sums_of(y=group[:, 0], x=group[:, 1]) for group in groups]
    slope = float(theta(treated=whole[0], others=whole[1]))
    centre = np.concatenate(groups)[:, 1].mean()
    a, b = (group[:, 0] - slope * (group[:, 1] - centre) for group in groups)
    found = stats.bootstrap(
        (a, b),
        lambda p, q, axis: p.mean(axis=axis) - q.mean(axis=axis),
        confidence_level=confidence,
        n_resamples=2_000,
        method="BCa" if a.std() > 0 or b.std() > 0 else "percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return Difference(
        float(a.mean() - b.mean()), float(low), float(high), float(found.standard_error),
        float(a.mean()), float(b.mean()),
    )  # fmt: skip


def sums_of(*, y: Any, x: Any = None, axis: int = -1) -> Sums:
    """Return the sums of arrays of outcomes and earlier figures."""
    y = np.asarray(y, dtype=float)
    x = np.zeros_like(y) if x is None else np.asarray(x, dtype=float)
    return Sums(
        y.shape[axis], y.sum(axis=axis), (y * y).sum(axis=axis), x.sum(axis=axis),
        (x * x).sum(axis=axis), (x * y).sum(axis=axis),
    )  # fmt: skip


def power(*, effect: float, deviation: float, treated: int, others: int, alpha: float) -> float:
    """Return the chance that a two-sided test finds an effect of that size; Student's t."""
    if min(treated, others) < 2 or deviation <= 0:
        return 0.0
    free = treated + others - 2
    shift = abs(effect) / (deviation * (1 / treated + 1 / others) ** 0.5)
    edge = float(special.stdtrit(free, 1 - alpha / 2))
    if shift > 30:  # far beyond what the tables of the distribution reach
        return 1.0
    return float(1 - special.nctdtr(free, shift, edge) + special.nctdtr(free, shift, -edge))


def least_hold_out(
    *, audience: int, effect: float, deviation: float, wanted: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Return the fewest members to leave out so that the effect is found; None if no split does."""

    def enough(others: int) -> bool:
        return (
            power(
                effect=effect, deviation=deviation, treated=audience - others, others=others,
                alpha=alpha,
            )
            >= wanted
        )  # fmt: skip

    if audience < 4 or deviation <= 0 or effect == 0 or not enough(audience // 2):
        return None
    low, high = LEAST, max(audience // 2, LEAST)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
