"""Which step an order may take from which state: one table, forward only. Pure."""

from typing import Final

from partners.orders.models import FulfilmentOrder

_S = FulfilmentOrder.State

# From `accepted` on the partner has the work; until `in_progress` it can still be given to
# another by staff, and only staff do that.
STEPS: Final[dict[str, frozenset[str]]] = {
    "accepted": frozenset({_S.OFFERED}),
    "declined": frozenset({_S.OFFERED}),
    "timed_out": frozenset({_S.OFFERED}),
    "scheduled": frozenset({_S.ACCEPTED, _S.SCHEDULED}),
    "started": frozenset({_S.ACCEPTED, _S.SCHEDULED}),
    "fulfilled": frozenset({_S.ACCEPTED, _S.SCHEDULED, _S.IN_PROGRESS}),
    "failed": frozenset({_S.UNASSIGNED, _S.ACCEPTED, _S.SCHEDULED, _S.IN_PROGRESS}),
    "cancelled": frozenset({_S.UNASSIGNED, _S.OFFERED, _S.ACCEPTED, _S.SCHEDULED}),
    # The partner gives it back before it has begun; it goes to the next.
    "handed_back": frozenset({_S.ACCEPTED, _S.SCHEDULED}),
    # The member says that it was not as promised; staff find out, and it ends for good.
    "disputed": frozenset({_S.FULFILLED}),
    "confirmed": frozenset({_S.DISPUTED}),
    "undone": frozenset({_S.DISPUTED}),
    # The redemption itself was cancelled or has expired: nothing is left to deliver.
    "withdrawn": frozenset({_S.UNASSIGNED, _S.OFFERED, _S.ACCEPTED, _S.SCHEDULED, _S.IN_PROGRESS}),
    "redispatched": frozenset({_S.UNASSIGNED, _S.OFFERED, _S.ACCEPTED, _S.SCHEDULED}),
}

# States in which the order holds one unit of its offering's day.
HOLDING: Final = frozenset(
    {_S.OFFERED, _S.ACCEPTED, _S.SCHEDULED, _S.IN_PROGRESS, _S.FULFILLED, _S.DISPUTED}
)
OPEN: Final = frozenset({_S.UNASSIGNED, _S.OFFERED, _S.ACCEPTED, _S.SCHEDULED, _S.IN_PROGRESS})


def is_allowed(step: str, state: str) -> bool:
    """Tell whether an order in `state` may take the step."""
    return state in STEPS[step]
