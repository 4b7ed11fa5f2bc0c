"""Guards over the audit's words: entries stay for ever, so a reason must not name a member."""

from collections.abc import Callable

# Gets the key of the target and the reason; raises a `DomainError` when it can not stay for ever.
WordsGuard = Callable[[str, str], None]

_guards: dict[str, WordsGuard] = {}


def guard_words(target_type: str, guard: WordsGuard) -> None:
    """Let a room refuse reasons of entries about its things. One guard per type of target."""
    if _guards.setdefault(target_type, guard) is not guard:
        raise ValueError(f"The words about {target_type!r} are guarded twice.")


def check_words(*, target_type: str, target_id: str, reason: str) -> None:
    """Let the guard of this type of target look at a reason."""
    guard = _guards.get(target_type)
    if guard is not None and reason:
        guard(target_id, reason)
