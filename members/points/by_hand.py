"""What else than adjustments a person gives by hand and turns into points, told by upper rooms.

The limit of one person counts it all, or it would be a matter of which page they use.
"""

from collections.abc import Callable
from datetime import datetime

# Points that a person (`staff:3`) has given an owner by hand since an instant.
HandCount = Callable[[int, str, datetime], int]

_counts: dict[str, HandCount] = {}


def register_hand_count(name: str, count: HandCount) -> None:
    """Register what counts; registering the name again replaces it."""
    _counts[name] = count


def count_by_hand(*, owner_id: int, person: str, since: datetime) -> int:
    """Return the points that a person has given an owner since an instant, without adjustments."""
    return sum(count(owner_id, person, since) for count in _counts.values())
