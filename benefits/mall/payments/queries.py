"""Reads of the cash part of orders."""

from uuid import UUID

from benefits.mall.models import MallOrder
from benefits.mall.payments.errors import UnknownPaymentError
from benefits.mall.payments.models import MallPayment, PaymentAccount
from benefits.mall.payments.providers import Provider, list_providers
from members.profiles.models import Member

__all__ = [
    "count_refunds_due",
    "get_payment",
    "list_accounts",
    "list_payments",
    "list_ways",
    "open_way",
]


def list_payments(*, order: MallOrder) -> list[MallPayment]:
    """Return the payments of an order, the first one first."""
    return list(MallPayment.objects.filter(order=order).order_by("pk"))


def get_payment(
    *, key: UUID | None = None, payment_id: int | None = None, member: Member | None = None
) -> MallPayment:
    """Return a payment, of this member where one is given.

    :raises UnknownPaymentError: if there is none, or it is another member's.
    """
    found = MallPayment.objects.select_related("order__item")
    if member is not None:
        found = found.filter(order__member=member)
    found = found.filter(key=key) if key is not None else found.filter(pk=payment_id or 0)
    payment = found.first()
    if payment is None:
        raise UnknownPaymentError(payment=str(key or payment_id))
    return payment


def list_accounts() -> dict[str, PaymentAccount]:
    """Return the accounts that were ever switched on, by way of paying."""
    return {account.provider: account for account in PaymentAccount.objects.order_by("provider")}


def list_ways() -> list[tuple[Provider, PaymentAccount | None]]:
    """Return every way of paying there is, with the brand's account where it has one."""
    accounts = list_accounts()
    return [(provider, accounts.get(provider.code)) for provider in list_providers()]


def open_way() -> str:
    """Return the way of paying that members are led to; empty: they pay at the till."""
    known = {provider.code for provider in list_providers()}
    found = PaymentAccount.objects.filter(is_enabled=True, provider__in=known).order_by("provider")
    return found.values_list("provider", flat=True).first() or ""


def count_refunds_due() -> int:
    """Return how many payments wait to be given back by hand."""
    return MallPayment.objects.filter(state=MallPayment.State.REFUND_DUE).count()
