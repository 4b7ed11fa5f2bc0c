"""Regions as paths: `cn/gd/shenzhen` lies in `cn/gd`, which lies in `cn`. Pure functions.

A brand that names its regions plainly (`shenzhen`) has paths of one step, and nothing changes.
"""

from collections.abc import Collection, Iterable, Sequence

SEPARATOR = "/"


def normalise(region: str) -> str:
    """Return the path without blanks around its steps and without empty steps."""
    steps = (step.strip() for step in region.split(SEPARATOR))
    return SEPARATOR.join(step for step in steps if step)


def ancestors(region: str) -> list[str]:
    """Return the region itself and everything it lies in, nearest first; `[]` for no region."""
    steps = normalise(region).split(SEPARATOR)
    paths = [SEPARATOR.join(steps[:count]) for count in range(len(steps), 0, -1)]
    return [path for path in paths if path]


def nearness(served: Iterable[str], region: str) -> int | None:
    """Say how closely the served regions fit a region: 10,000 is an exact fit; None is no fit.

    Each step up the path takes an equal share away, and serving everywhere (an empty list)
    counts as one step above the topmost: for `cn/gd/shenzhen`, `cn/gd` gives 7,500 and
    everywhere 2,500. An empty region is served only by those who serve everywhere.
    """
    return fit([normalise(path) for path in served], ancestors(region))


def fit(served: Collection[str], paths: Sequence[str]) -> int | None:
    """Do the same for normalised regions and the `ancestors` of a region: once per order."""
    steps = len(paths) + 1
    if not served:
        return 10_000 // steps
    for step, path in enumerate(paths):
        if path in served:
            return 10_000 * (steps - step) // steps
    return None
