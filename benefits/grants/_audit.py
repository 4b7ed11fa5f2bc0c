"""Which writes of this room go into the audit: those of people who work for others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.actors import Actor
from tenants.audit.operations import record

_AUDITED = frozenset({"staff", "operator", "partner", "api"})


def note(
    action: str,
    *,
    target: tuple[str, int],
    by: Actor,
    at: datetime,
    changes: Mapping[str, list[Any]] | None = None,
    reason: str = "",
) -> None:
    """Record what staff, partners and machines did; members' own steps are in the rows."""
    if by.kind in _AUDITED:
        record(
            by=by,
            at=at,
            action=action,
            target_type=target[0],
            target_id=target[1],
            changes=changes,
            reason=reason,
        )
