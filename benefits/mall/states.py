"""The states of a mall order and which may follow which (DOMAIN §6). Pure."""

from benefits.mall.models import MallOrder

_State = MallOrder.State

NEXT: dict[str, frozenset[str]] = {
    _State.PLACED: frozenset({_State.CONFIRMED, _State.CANCELLED}),
    _State.CONFIRMED: frozenset({_State.SHIPPED, _State.COMPLETED, _State.REFUNDED}),
    _State.SHIPPED: frozenset({_State.COMPLETED, _State.REFUNDED}),
    _State.COMPLETED: frozenset({_State.REFUNDED}),
    _State.CANCELLED: frozenset(),
    _State.REFUNDED: frozenset(),
}
# Orders that count against a member's limit.
COUNTED: frozenset[str] = frozenset(
    {_State.PLACED, _State.CONFIRMED, _State.SHIPPED, _State.COMPLETED}
)


def may_follow(state: str, *, after: str) -> bool:
    """Return whether an order may move from state `after` to `state`."""
    return state in NEXT[after]
