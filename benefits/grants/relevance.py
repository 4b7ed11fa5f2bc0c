"""In which order a member sees what can be used: four parts, each from 0 to 1000, added up.

    score = (35 own + 30 peers + 20 worth + 15 soon) / 100

`own` grows with the uses of the benefit in the last 365 days, 250 for each up to four. `peers` is
the share of holders of the same value segment who used it in the last 90 days; of all holders
where the segment has fewer than twenty, 500 where there are fewer than twenty at all. `worth` is
its list price against that of the member's dearest benefit. `soon` grows over the last 14 days
before it ends. Pure; all whole numbers, so equal figures give equal order everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benefits.grants.usability import Reason

WEIGHTS: Mapping[str, int] = {"own": 35, "peers": 30, "worth": 20, "soon": 15}
OWN_DAYS = 365
PEERS_DAYS = 90
SOON = timedelta(days=14)
FEWEST_HOLDERS = 20
_OFTEN = 2
_POPULAR = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of one member and one benefit. `segment` and `everybody` are (users, holders)."""

    uses: int
    segment: tuple[int, int] | None
    everybody: tuple[int, int] | None
    list_price_minor: int
    dearest_minor: int
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Relevance:
    """The score (0–1000), its parts before weighting, and the part to tell the member, if any."""

    score: int
    parts: dict[str, int]
    why: Reason | None = None


def relevance_of(signals: Signals, *, at: datetime) -> Relevance:
    """Return how much a benefit matters to a member now."""
    parts = {
        "own": min(signals.uses, 4) * 250,
        "peers": _peers(signals),
        "worth": signals.list_price_minor * 1_000 // signals.dearest_minor
        if signals.dearest_minor > 0
        else 0,
        "soon": _soon(signals.ends_at, at),
    }
    score = sum(WEIGHTS[name] * value for name, value in parts.items()) // 100
    return Relevance(score, parts, _why(signals, parts))


def _peers(signals: Signals) -> int:
    for counted in (signals.segment, signals.everybody):
        if counted is not None and counted[1] >= FEWEST_HOLDERS:
            users, holders = counted
            return users * 1_000 // holders
    return 500


def _soon(ends_at: datetime | None, at: datetime) -> int:
    if ends_at is None or ends_at - at >= SOON:
        return 0
    left = max(ends_at - at, timedelta())
    return 1_000 - 1_000 * left // SOON


def _why(signals: Signals, parts: Mapping[str, int]) -> Reason | None:
    """Return the one thing worth saying: what presses first, then habit, then others' taste."""
    data: dict[str, Any]
    if parts["soon"] >= 500:
        return Reason("ends_soon", {"ends_at": signals.ends_at})
    if signals.uses >= _OFTEN:
        return Reason("often_used", {"times": signals.uses})
    counted = signals.segment or signals.everybody
    if counted is not None and counted[1] >= FEWEST_HOLDERS and parts["peers"] >= _POPULAR:
        data = {"share": parts["peers"] // 10}
        return Reason("liked_by_peers", data)
    return None
