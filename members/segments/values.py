"""Plain values that the segments room hands out."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from members.profiles.models import Member
from members.segments.conditions import to_tree
from members.segments.value_segments import Signal, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a brand scores and places its members.

    `thresholds` has four ascending limits each for recency, frequency and monetary; None:
    quintiles.
    """

    table: Table
    signals: Sequence[Signal] = ()
    thresholds: Mapping[str, Sequence[int]] | None = None

    @property
    def digest(self) -> str:
        """A short text that differs when anything of the scheme does."""
        facts = [
            [[segment.value, to_tree(condition)] for segment, condition in self.table],
            [[signal.code, list(signal.events), signal.days] for signal in self.signals],
            {name: list(limits) for name, limits in (self.thresholds or {}).items()},
        ]
        text = json.dumps(facts, sort_keys=True)
        return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AudiencePreview:
    """How many active members a condition holds for, of how many, and some of them."""

    size: int
    members: int
    sample: list[Member]

    @property
    def share(self) -> float:
        """The part of all active members."""
        return self.size / self.members if self.members else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeEffect:
    """What another way to score would change.

    `members` are all active members with a score, `moved` those who would change their value
    segment, `moves` how many by (segment now, segment then). `scores` says for r, f and m how
    many members would have each score.
    """

    members: int = 0
    moved: int = 0
    moves: Mapping[tuple[str, str], int] = field(default_factory=dict)
    scores: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return by value segment how many members are in it now, and would be then."""
        found: dict[str, tuple[int, int]] = {}
        for (now, then), members in self.moves.items():
            before, after = found.get(now, (0, 0))
            found[now] = (before + members, after)
            before, after = found.get(then, (0, 0))
            found[then] = (before, after + members)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What storing a segment for a day found and wrote."""

    on: date
    size: int
    entered: int
    left: int
    is_baseline: bool
