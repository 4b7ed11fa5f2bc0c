"""What higher rooms add to the catalogue: gates that a change of stage has to pass."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from benefits.catalogue.models import Benefit

# Raises a DomainError when the move is not allowed; returns the evidence to keep with the move.
Gate = Callable[[Benefit, datetime], dict[str, Any]]
_gates: dict[tuple[str, str], dict[str, Gate]] = {}


def register_gate(*, from_stage: str, to_stage: str, name: str, gate: Gate) -> None:
    """Have `gate` asked before a benefit moves between two stages.

    The name makes registering twice harmless; the gate's evidence is kept under it.
    """
    _gates.setdefault((from_stage, to_stage), {})[name] = gate


def pass_gates(*, benefit: Benefit, to_stage: str, at: datetime) -> dict[str, Any]:
    """Ask every gate of a move; return their evidence by name, or let their refusal through."""
    gates = _gates.get((benefit.stage, to_stage), {})
    return {name: gate(benefit, at) for name, gate in gates.items()}
