"""What else happens when purchases come in by file: filled by higher rooms at start.

A single purchase has its effects in `members.earning.operations.record_purchase`. For a file
they are set-based: each effect is called once, in the transaction of the import, and finds the
new purchases in a table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.actors import Actor

# Temporary table of this transaction, analysed: one row per purchase that is new, with
# purchase_id, member_id, occurred_at, local_date, amount_minor, channel, store_code.
ADDED = "import_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBatch:
    """The new purchases of one file; their rows, lines and days are written already.

    `table` names the temporary table that lists them (see `ADDED`).
    """

    purchases: int
    has_lines: bool
    by: Actor
    at: datetime
    table: str = ADDED


ImportEffect = Callable[[ImportBatch], None]

_effects: list[ImportEffect] = []


def register_import_effect(effect: ImportEffect) -> ImportEffect:
    """Register an effect, called in the order of registration; twice changes nothing."""
    if effect not in _effects:
        _effects.append(effect)
    return effect


def run_import_effects(batch: ImportBatch) -> None:
    """Call all effects; the caller holds the transaction."""
    for effect in _effects:
        effect(batch)
