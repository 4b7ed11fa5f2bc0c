"""What a partner's answer does to the order. Runs in the transaction that notes the answer."""

from datetime import datetime

from core.actors import Actor
from core.errors import DomainError
from partners.adapters.values import Answer, Verdict
from partners.orders import operations as orders
from partners.orders.models import FulfilmentOrder

_State = FulfilmentOrder.State
_WORKING = frozenset({_State.ACCEPTED, _State.SCHEDULED, _State.IN_PROGRESS})
_ENDS = frozenset({Verdict.DECLINED, Verdict.FAILED, Verdict.CANCELLED})
_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.SCHEDULED, Verdict.STARTED, Verdict.FULFILLED})


def follow(
    *, order: FulfilmentOrder, partner_id: int, answer: Answer, proof: str, at: datetime
) -> bool:
    """Bring the order to where the partner says it is; say whether there is more to come.

    Forward only: what the order has passed already changes nothing.

    :raises DomainError: if the order can not go there, such as a wrong code or no capacity.
    """
    by = Actor(kind="partner", id=partner_id, label="own system")
    if order.partner_id != partner_id or order.state not in {_State.OFFERED, *_WORKING}:
        return False
    if order.state == _State.OFFERED:
        if answer.verdict in _ENDS:
            orders.decline(order=order, partner_id=partner_id, reason=_reason(answer), by=by, at=at)
            return False
        if answer.verdict not in _TAKEN:
            return True
        order = orders.accept(order=order, partner_id=partner_id, by=by, at=at)
    if answer.verdict in _ENDS:
        orders.fail(order=order, reason=_reason(answer), partner_id=partner_id, by=by, at=at)
        return False
    if answer.when is not None and order.state in {_State.ACCEPTED, _State.SCHEDULED}:
        order = orders.schedule(order=order, when=answer.when, partner_id=partner_id, by=by, at=at)
    if answer.verdict == Verdict.STARTED:
        orders.start(order=order, partner_id=partner_id, by=by, at=at)
    if answer.verdict == Verdict.FULFILLED:
        _fulfil(order, answer, partner_id=partner_id, proof=proof, by=by, at=at)
        return False
    return True


def decline(*, order: FulfilmentOrder, partner_id: int, reason: str, at: datetime) -> None:
    """Decline for a partner whose system will not take the order; nothing if it has moved on."""
    by = Actor(kind="partner", id=partner_id, label="own system")
    if order.partner_id == partner_id and order.state == _State.OFFERED:
        orders.decline(order=order, partner_id=partner_id, reason=reason[:200], by=by, at=at)


def _fulfil(
    order: FulfilmentOrder,
    answer: Answer,
    *,
    partner_id: int,
    proof: str,
    by: Actor,
    at: datetime,
) -> None:
    if proof == "reference" and answer.reference and not answer.code:
        # The brand has agreed, by its setting, to take this partner's word with its number.
        orders.fulfil(
            order=order,
            evidence={"reference": answer.reference},
            override_reason="confirmed by the partner’s own system",
            by=by,
            at=at,
        )
        return
    orders.fulfil(order=order, partner_id=partner_id, code=answer.code, by=by, at=at)


def _reason(answer: Answer) -> str:
    return answer.reason or answer.error or f"the partner’s system says {answer.verdict}"


def explain(error: DomainError) -> str:
    """Return a refusal in short, for the list of calls."""
    return f"{error.code}: {error.detail}"[:300]
