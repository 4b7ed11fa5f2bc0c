"""Refusals of fulfilment orders."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, DomainError, InvalidError, NotFoundError


class OrderNotFoundError(NotFoundError):
    """No order has this number, or it was never offered to this partner."""

    message = _("There is no such order.")


class InvalidStateError(ConflictError):
    """The order has moved on: a late, repeated or out-of-order call.

    `state` and `version` in the data are the present ones, as the caller may see them;
    `current` is the order's whole representation.
    """

    code = "invalid_state"
    message = _("The order has moved on.")


class VersionMismatchError(DomainError):
    """The order is not in the version that the caller has seen; `version` is the present one."""

    code = "version_mismatch"
    status = 412
    message = _("The order was changed in the meantime.")


class WrongCodeError(InvalidError):
    """The verification code is not the member's; `attempts_left` says how many tries remain."""

    code = "wrong_code"
    message = _("The verification code is wrong.")


class TooManyCodesError(DomainError):
    """Too many wrong codes; `retry_after` says in how many seconds to try again."""

    code = "too_many_codes"
    status = 429
    message = _("Too many wrong codes. Try again later.")


class CodeRequiredError(InvalidError):
    """A partner must give the member's verification code."""

    code = "code_required"
    message = _("Enter the verification code that the member shows.")


class InvalidOrderError(InvalidError):
    """A value sent for an order is wrong; `pointer` names it."""

    code = "invalid_order"


class InvalidPolicyError(InvalidError):
    """A weight or limit of the dispatch policy is out of range; `pointer` names it."""

    code = "invalid_policy"


class DisputeTooLateError(ConflictError):
    """The time for objecting is over; `until` was its end."""

    code = "dispute_too_late"
    message = _("The time for objecting to this service is over.")
