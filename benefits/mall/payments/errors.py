"""Refusals around the cash part of orders."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, DomainError, InvalidError, NotFoundError


class UnknownProviderError(NotFoundError):
    """No such way of paying is built in, or the brand has not switched it on."""

    code = "unknown_provider"
    message = _("This way of paying is not open here.")


class UnknownPaymentError(NotFoundError):
    """There is no such payment, or it is another member's."""

    code = "unknown_payment"
    message = _("There is no such payment.")


class BadNoticeError(DomainError):
    """A notice of a payment is not signed by the provider, too old, or unreadable."""

    code = "bad_signature"
    status = 401
    message = _("The notice is not signed as it should be.")


class WrongAmountError(InvalidError):
    """A notice speaks of another amount or currency than the payment; both are in the data."""

    code = "wrong_amount"
    message = _("The amount is not what was asked for.")


class NothingToPayError(ConflictError):
    """The order has no cash part, or it is not waiting for it; `state` says what it is."""

    code = "nothing_to_pay"
    message = _("There is nothing to pay for this order now.")


class NoRefundDueError(ConflictError):
    """The payment is not waiting for a refund; `state` says what it is."""

    code = "no_refund_due"
    message = _("There is nothing to refund of this payment.")


class ReferenceTakenError(ConflictError):
    """Another payment has this reference already."""

    code = "reference_taken"
    message = _("Another payment has this reference already.")
