"""How many more members the caps of a rule allow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from benefits.rules.models import GrantRule

TOTAL, PERIOD, DAY = "total", "period", "day"
# In the order in which their counters are locked, and in which refusals are told.
SCOPES: tuple[str, ...] = (TOTAL, PERIOD, DAY)
_FIELDS = {
    TOTAL: ("cap_units_total", "cap_minor_total"),
    PERIOD: ("cap_units_per_period", "cap_minor_per_period"),
    DAY: ("cap_units_per_day", "cap_minor_per_day"),
}


@dataclass(frozen=True, slots=True)
class Used:
    """What a rule has issued already, in a scope or to a member: units, and their cost then."""

    units: int = 0
    cost_minor: int = 0


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit of a rule: of units or of money, of a scope or of one member."""

    code: str
    limit: int
    used: int
    each: int

    @property
    def members(self) -> int | None:
        """Return how many more members fit; None when what each costs is nothing."""
        if not self.each:
            return None
        return max(self.limit - self.used, 0) // self.each


def scopes_of(rule: GrantRule) -> tuple[str, ...]:
    """Return the scopes in which a rule has a cap."""
    return tuple(
        scope for scope in SCOPES if any(getattr(rule, name) is not None for name in _FIELDS[scope])
    )


def caps_of(
    rule: GrantRule, *, used: Mapping[str, Used], units_each: int, cost_each: int
) -> list[Cap]:
    """Return the caps of a rule that all members share, in their order."""
    found = []
    for scope in SCOPES:
        spent = used.get(scope, Used())
        units, minor = (getattr(rule, name) for name in _FIELDS[scope])
        if units is not None:
            found.append(Cap(_FIELDS[scope][0], units, spent.units, units_each))
        if minor is not None:
            found.append(Cap(_FIELDS[scope][1], minor, spent.cost_minor, cost_each))
    return found


def member_caps_of(rule: GrantRule, *, used: Used, units_each: int, cost_each: int) -> list[Cap]:
    """Return the caps of a rule on what one member gets from it."""
    found = []
    if rule.cap_per_member is not None:
        found.append(Cap("cap_per_member", rule.cap_per_member, used.units, units_each))
    if rule.cap_minor_per_member is not None:
        found.append(
            Cap("cap_minor_per_member", rule.cap_minor_per_member, used.cost_minor, cost_each)
        )
    return found


def allowed(caps: list[Cap]) -> int | None:
    """Return how many more members fit under all of them; None without a limit."""
    return min((cap.members for cap in caps if cap.members is not None), default=None)
