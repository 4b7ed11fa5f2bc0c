"""What of a rule can be changed, and what of it differs between two versions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benefits.rules.models import GrantRule

CHANGEABLE = frozenset(
    {
        "name",
        "benefit",
        "package",
        "condition",
        "cadence",
        "every_months",
        "event_name",
        "quantity",
        "validity_days",
        "cap_per_member",
        "cap_units_per_period",
        "cap_minor_per_period",
        "cap_minor_per_member",
        "cap_units_per_day",
        "cap_minor_per_day",
        "cap_units_total",
        "cap_minor_total",
        "hold_out_bp",
        "exclusivity_group",
        "on_lost",
        "on_refund",
        "budget_line",
        "priority",
        "starts_at",
        "ends_at",
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a rule that differs between two versions, as JSON holds it."""

    name: str
    before: Any
    after: Any


def terms_of(rule: GrantRule) -> dict[str, Any]:
    """Return a rule's fields as JSON can hold them: codes for rows, texts for times."""
    return {name: plain(getattr(rule, name)) for name in sorted(CHANGEABLE)}


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs, by name of field.

    A field that an old version did not have yet counts as what it was then: nothing.
    """
    names = sorted({*before, *after})
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if (before.get(name) or None) != (after.get(name) or None)
    ]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "code", value)
