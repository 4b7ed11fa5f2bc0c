"""What tiers cost, as higher rooms know it: they register who can estimate it.

A simulation places all members in a temporary table and asks each estimator what a month costs
under the tiers of today and under those tried out. This room knows points and benefits by name
only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from django.utils.functional import Promise

# Rows (member_id bigint, old_rank int, new_rank int, old_bp int, new_bp int): each active member,
# the rank among today's tiers and among those tried out, and the points multipliers of both.
TABLE = "tier_simulation"


@dataclass(frozen=True, slots=True)
class TierCost:
    """What one thing costs a month in minor units, under today's tiers and under the others."""

    name: str
    label: str | Promise
    now_minor: int
    then_minor: int

    @property
    def change_minor(self) -> int:
        """Return what it costs more (or less) a month."""
        return self.then_minor - self.now_minor


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a cost is held against: a month's budget and revenue, and the line for their ratio.

    Minor units; None where the brand has no figure yet.
    """

    budget_minor: int | None = None
    revenue_minor: int | None = None
    line_bp: int = 700


class CostEstimator(Protocol):
    """Estimates one cost from the table of a simulation, by set-based reading.

    `old_codes` and `new_codes` are the tiers' codes in order of rank.
    """

    def __call__(self, *, on: date, old_codes: list[str], new_codes: list[str]) -> TierCost: ...


_estimators: dict[str, CostEstimator] = {}
_labels: dict[str, str | Promise] = {}
_yardsticks: list[Callable[[date], Yardstick]] = []


def register_cost(name: str, estimator: CostEstimator, *, label: str | Promise) -> None:
    """Add an estimator of a cost. A second one of the same name is a mistake."""
    _labels[name] = label
    if _estimators.setdefault(name, estimator) is not estimator:
        raise ValueError(f"{name} is registered twice")


def cost_label(name: str) -> str | Promise:
    """Return what a cost is called; its name if nobody estimates it any more."""
    return _labels.get(name, name)


def register_yardstick(source: Callable[[date], Yardstick]) -> None:
    """Say who knows budget and revenue; the last one registered is asked."""
    _yardsticks.append(source)


def list_estimators() -> list[CostEstimator]:
    """Return who estimates a cost, by name; each is asked inside a transaction."""
    return [estimator for _name, estimator in sorted(_estimators.items())]


def get_yardstick(on: date) -> Yardstick:
    """Return what costs are held against on a day."""
    return _yardsticks[-1](on) if _yardsticks else Yardstick()
