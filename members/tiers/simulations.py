"""Reading simulations that were asked for: how far they are, and what they found."""

from datetime import date
from typing import Any

from core.errors import NotFoundError
from members.tiers.costs import TierCost, Yardstick, cost_label
from members.tiers.models import Tier, TierSimulation
from members.tiers.simulation import Move, Simulation
from members.tiers.values import SchemeDraft, TierDraft


def get_simulation(*, simulation_id: int) -> TierSimulation:
    """Return a simulation.

    :raises NotFoundError: if there is none, or it is no longer kept.
    """
    found = TierSimulation.objects.filter(pk=simulation_id).first()
    if found is None:
        raise NotFoundError
    return found


def draft_of(*, simulation: TierSimulation) -> SchemeDraft:
    """Return the draft that is tried out."""
    facts: dict[str, Any] = dict(simulation.draft)
    tiers = tuple(TierDraft(**tier) for tier in facts.pop("tiers"))
    return SchemeDraft(**facts, tiers=tiers)


def found_by(*, simulation: TierSimulation) -> Simulation | None:
    """Return what a simulation found; None while it is not finished."""
    result = simulation.result
    if result is None:
        return None
    tiers = Tier.objects.in_bulk(result["old_tiers"])
    return Simulation(
        on=date.fromisoformat(result["on"]),
        old_tiers=tuple(tiers[key] for key in result["old_tiers"]),
        draft=draft_of(simulation=simulation),
        moves=tuple(Move(*move) for move in result["moves"]),
        costs=tuple(
            TierCost(name, cost_label(name), now_minor, then_minor)
            for name, now_minor, then_minor in result["costs"]
        ),
        yardstick=Yardstick(**result["yardstick"]),
        risen=result["risen"],
        fallen=result["fallen"],
    )
