"""The cash part of orders: asked for, marked paid by a signed notice or by staff, given back.

Lock order: the order's row → its payment.
"""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from benefits.mall._cash import tell
from benefits.mall.models import MallOrder
from benefits.mall.operations import cancel_order, confirm_order
from benefits.mall.payments import testing
from benefits.mall.payments.errors import (
    NoRefundDueError,
    NothingToPayError,
    ReferenceTakenError,
    UnknownPaymentError,
    UnknownProviderError,
    WrongAmountError,
)
from benefits.mall.payments.models import MallPayment, PaymentAccount
from benefits.mall.payments.providers import get_provider
from core.actors import SYSTEM, Actor
from core.errors import DomainError, InvalidError
from core.ids import uuid7
from tenants.audit.operations import record
from tenants.brands.context import current_brand

_State = MallPayment.State
# Paid at the till, by transfer: staff say so, and staff give it back.
STAFF = "staff"


def open_account(*, provider: str, by: Actor, at: datetime) -> PaymentAccount:
    """Switch a way of paying on; again keeps its secret.

    :raises UnknownProviderError: if there is no such way of paying.
    """
    get_provider(provider)
    with transaction.atomic():
        account, made = PaymentAccount.objects.get_or_create(
            provider=provider, defaults={"secret": _new_secret(), "created_at": at}
        )
        if not made and account.is_enabled:
            return account
        account.is_enabled = True
        account.save(update_fields=["is_enabled"])
        _record(account, "payment_account.opened", by, at)
    return account


def close_account(*, provider: str, by: Actor, at: datetime) -> None:
    """Switch a way of paying off; notices of payments under way still count."""
    with transaction.atomic():
        account = PaymentAccount.objects.select_for_update().filter(provider=provider).first()
        if account is not None and account.is_enabled:
            account.is_enabled = False
            account.save(update_fields=["is_enabled"])
            _record(account, "payment_account.closed", by, at)


def start_payment(*, order: MallOrder, provider: str, by: Actor, at: datetime) -> MallPayment:
    """Ask for the cash part of an order; the open payment of the same way comes again.

    :raises NothingToPayError: if the order has no cash part, or does not wait for it any more.
    :raises UnknownProviderError: if the brand has not switched this way on.
    """
    get_provider(provider)
    if not PaymentAccount.objects.filter(provider=provider, is_enabled=True).exists():
        raise UnknownProviderError(provider=provider)
    with transaction.atomic():
        row = _lock(order.pk)
        _require_waiting(row, at)
        open_one = row.payments.filter(provider=provider, state=_State.PENDING).first()
        return open_one or _ask(row, provider, at)


def receive_notice(
    *, provider: str, headers: Mapping[str, str], body: bytes, at: datetime
) -> MallPayment:
    """Take a provider's callback: signed, of the right amount, counted once.

    Paid in time, the order is confirmed. Too late, twice, or when the order can no longer be
    given, the money falls due for refund.

    :raises UnknownProviderError: if the brand never switched this way on.
    :raises BadNoticeError: unless the provider signed it, lately.
    :raises UnknownPaymentError: if it is about no payment of ours.
    :raises WrongAmountError: if amount or currency differ; nothing has changed then.
    """
    account = PaymentAccount.objects.filter(provider=provider).first()
    if account is None:
        raise UnknownProviderError(provider=provider)
    notice = get_provider(provider).read_notice(
        secret=account.secret, headers=headers, body=body, at=at
    )
    with transaction.atomic():
        payment = MallPayment.objects.filter(key=notice.payment_key, provider=provider).first()
        if payment is None:
            raise UnknownPaymentError(payment=str(notice.payment_key))
        order = _lock(payment.order_id)
        payment = MallPayment.objects.select_for_update().get(pk=payment.pk)
        if (notice.amount_minor, notice.currency) != (payment.amount_minor, payment.currency):
            raise WrongAmountError(
                expected_minor=payment.amount_minor,
                expected_currency=payment.currency,
                amount_minor=notice.amount_minor,
                currency=notice.currency,
            )
        if notice.is_paid:
            return _settle(payment, order, reference=notice.reference, by=SYSTEM, at=at)
        if payment.state == _State.PENDING:
            payment.state = _State.FAILED
            payment.save(update_fields=["state"])
            tell(payment, order, "failed", at)
    return payment


def make_test_notice(
    *, payment: MallPayment, is_paid: bool, at: datetime
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of what the TEST way of paying would send.

    :raises UnknownProviderError: unless that way is built in and the payment uses it.
    """
    get_provider(testing.CODE)
    if payment.provider != testing.CODE:
        raise UnknownProviderError(provider=payment.provider)
    account = PaymentAccount.objects.get(provider=testing.CODE)
    return testing.sign_notice(payment=payment, is_paid=is_paid, secret=account.secret, at=at)


def record_payment(*, order: MallOrder, reference: str, by: Actor, at: datetime) -> MallPayment:
    """Mark the cash part of an order as paid by hand; the order is confirmed.

    :raises NothingToPayError: if the order has no cash part, or does not wait for it any more.
    :raises InvalidError: without a reference, such as the number of the receipt.
    :raises ReferenceTakenError: if another payment has the reference.
    """
    reference = reference.strip()
    if not 1 <= len(reference) <= 120:
        raise InvalidError(_("A reference of 1 to 120 characters is needed."), pointer="/reference")
    with transaction.atomic():
        row = _lock(order.pk)
        _require_waiting(row, at)
        if MallPayment.objects.filter(provider=STAFF, reference=reference).exists():
            raise ReferenceTakenError(reference=reference)
        payment = _settle(_ask(row, STAFF, at), row, reference=reference, by=by, at=at)
        record(
            by=by,
            at=at,
            action="mall_order.paid",
            target_type="mall_order",
            target_id=row.pk,
            changes={"amount_minor": [None, payment.amount_minor], "reference": [None, reference]},
        )
    return payment


def record_refund(*, payment: MallPayment, reference: str, by: Actor, at: datetime) -> MallPayment:
    """Say that money which fell due has gone back. Again with the same reference: no change.

    :raises NoRefundDueError: if nothing is due.
    :raises InvalidError: without a reference.
    """
    reference = reference.strip()
    if not 1 <= len(reference) <= 120:
        raise InvalidError(_("A reference of 1 to 120 characters is needed."), pointer="/reference")
    with transaction.atomic():
        row = MallPayment.objects.select_for_update().get(pk=payment.pk)
        if row.state == _State.REFUNDED and row.refund_reference == reference:
            return row
        if row.state != _State.REFUND_DUE:
            raise NoRefundDueError(state=row.state)
        row.state, row.refund_reference = _State.REFUNDED, reference
        row.refunded_at, row.refunded_by = at, by.key
        row.save(update_fields=["state", "refund_reference", "refunded_at", "refunded_by"])
        tell(row, row.order, "refunded", at)
        if by.kind != "system":
            record(
                by=by,
                at=at,
                action="mall_order.cash_refunded",
                target_type="mall_order",
                target_id=row.order_id,
                changes={"reference": [None, reference]},
            )
    return row


def refund_through_provider(*, payment_id: int, at: datetime) -> bool:
    """Send money that fell due back the way it came; return whether it went now.

    The provider is called outside any transaction and knows the payment by its key, so that a
    crash between its answer and our record sends nothing twice.
    """
    payment = MallPayment.objects.filter(pk=payment_id, state=_State.REFUND_DUE).first()
    if payment is None or payment.provider == STAFF:
        return False
    account = PaymentAccount.objects.get(provider=payment.provider)
    reference = get_provider(payment.provider).refund(payment, secret=account.secret)
    record_refund(payment=payment, reference=reference, by=SYSTEM, at=at)
    return True


def _settle(
    payment: MallPayment, order: MallOrder, *, reference: str, by: Actor, at: datetime
) -> MallPayment:
    """Count money that came in, under the locks of order and payment."""
    if payment.paid_at is not None:
        return payment
    waits = order.state == MallOrder.State.PLACED
    payment.state = _State.PAID if waits else _State.REFUND_DUE
    payment.reference, payment.paid_at, payment.paid_by = reference, at, by.key
    try:
        with transaction.atomic():
            payment.save(update_fields=["state", "reference", "paid_at", "paid_by"])
    except IntegrityError:
        raise ReferenceTakenError(reference=reference) from None
    tell(payment, order, "paid" if waits else "refund_due", at)
    if waits:
        try:
            with transaction.atomic():
                confirm_order(order=order, by=by, at=at)
        except DomainError as refusal:
            # The points have gone back already, or what was ordered can no longer be given.
            cancel_order(order=order, by=SYSTEM, at=at, reason=refusal.code)
        payment.refresh_from_db()
    return payment


def _ask(order: MallOrder, provider: str, at: datetime) -> MallPayment:
    return MallPayment.objects.create(
        order=order,
        key=uuid7(),
        provider=provider,
        amount_minor=order.cash_minor,
        currency=current_brand().currency,
        created_at=at,
    )


def _require_waiting(order: MallOrder, at: datetime) -> None:
    waits = order.state == MallOrder.State.PLACED and order.hold_ends_at > at
    if not order.cash_minor or not waits:
        raise NothingToPayError(state=order.state)


def _lock(order_id: int) -> MallOrder:
    return MallOrder.objects.select_for_update(of=("self",)).select_related("item").get(pk=order_id)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _record(account: PaymentAccount, action: str, by: Actor, at: datetime) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="payment_account",
        target_id=account.pk,
        changes={"provider": [None, account.provider]},
    )
