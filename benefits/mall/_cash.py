"""The cash part of an order, as the steps of the order see it."""

from datetime import datetime

from benefits.mall.errors import PaymentDueError
from benefits.mall.models import MallOrder
from benefits.mall.payments.models import MallPayment
from tenants.events.operations import emit

_State = MallPayment.State


def require_paid(order: MallOrder) -> None:
    """Pass silently, or refuse. :raises PaymentDueError: saying how much is missing."""
    if order.cash_minor and not order.payments.filter(state=_State.PAID).exists():
        raise PaymentDueError(amount_minor=order.cash_minor)


def give_back(order: MallOrder, at: datetime) -> None:
    """Let what was paid for an order that is over fall due for refund; end what is open."""
    if not order.cash_minor:
        return
    order.payments.filter(state=_State.PENDING).update(state=_State.FAILED)
    for payment in order.payments.select_for_update().filter(state=_State.PAID):
        payment.state = _State.REFUND_DUE
        payment.save(update_fields=["state"])
        tell(payment, order, "refund_due", at)


def tell(payment: MallPayment, order: MallOrder, step: str, at: datetime) -> None:
    """Write the event of a step."""
    emit(
        type=f"mall_payment.{step}",
        subject=f"mall_order:{order.pk}",
        data={
            "order": order.pk,
            "payment": str(payment.key),
            "member_id": order.member_id,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
        },
        at=at,
    )
