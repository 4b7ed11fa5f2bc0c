"""Who uses saved segments: higher rooms say so at start, so that none is removed under them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from members.segments.conditions.naming import read_key

SEGMENT_FIELD = "in_segment"


@dataclass(frozen=True, slots=True)
class Use:
    """One thing in force that has a condition: what it is, its name, the condition's tree."""

    kind: str | Promise
    name: str
    tree: Any


Finder = Callable[[], Iterable[Use]]
_finders: list[Finder] = []


def register_user(finder: Finder) -> None:
    """Register what gives all conditions of a room that are in force."""
    if finder not in _finders:
        _finders.append(finder)


def list_uses() -> list[Use]:
    """Return all conditions of other rooms that are in force."""
    return [use for finder in _finders for use in finder()]


def segments_in(tree: Any) -> set[int]:
    """Return the keys of the segments that a condition's tree names."""
    if not isinstance(tree, dict):
        return set()
    found: set[int] = set()
    for kind in ("all", "any"):
        for part in tree.get(kind) or ():
            found |= segments_in(part)
    found |= segments_in(tree.get("not"))
    name = tree.get("field")
    if name == SEGMENT_FIELD:
        found.add(tree.get("args", {}).get("segment"))
    elif isinstance(name, str) and name.startswith(f"{SEGMENT_FIELD}("):
        found.add(int(read_key(name)[1]["segment"]))
    return found
