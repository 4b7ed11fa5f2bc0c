"""The states of a redemption and which may follow which (DOMAIN §6). Pure."""

from benefits.grants.models import Redemption

_State = Redemption.State

NEXT: dict[str, frozenset[str]] = {
    _State.REQUESTED: frozenset(
        {_State.CONFIRMED, _State.FULFILLED, _State.CANCELLED, _State.FAILED, _State.EXPIRED}
    ),
    _State.CONFIRMED: frozenset(
        {_State.FULFILLED, _State.CANCELLED, _State.FAILED, _State.EXPIRED}
    ),
    _State.FULFILLED: frozenset({_State.REVERSED}),
    _State.CANCELLED: frozenset(),
    _State.FAILED: frozenset(),
    _State.EXPIRED: frozenset(),
    _State.REVERSED: frozenset(),
}
OPEN: frozenset[str] = frozenset({_State.REQUESTED, _State.CONFIRMED})


def may_follow(state: str, *, after: str) -> bool:
    """Return whether a redemption may move from state `after` to `state`."""
    return state in NEXT[after]
