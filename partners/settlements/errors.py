"""Refusals of settlement."""

from django.utils.translation import gettext_lazy as _

from core.errors import (
    ConflictError,
    DomainError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)


class StatementNotFoundError(NotFoundError):
    """No statement has this number, or it is another partner's, or not yet sent to this one."""

    message = _("There is no such statement.")


class LineNotFoundError(NotFoundError):
    """The statement has no such line."""

    message = _("There is no such line.")


class DisputeNotFoundError(NotFoundError):
    """The line was not disputed."""

    message = _("This line was not disputed.")


class OpenMonthError(ConflictError):
    """The month is not over; `next_date` says from when on it can be settled."""

    code = "month_open"
    message = _("The month is not over yet.")


class StatementStateError(ConflictError):
    """The statement's state does not allow this; `state` says which it is."""

    code = "statement_state"
    message = _("The statement's state does not allow this.")


class ObjectionOverError(ConflictError):
    """The time for objections is over; `until` was its last day."""

    code = "objection_over"
    message = _("The time for objections is over.")


class ObjectionOpenError(ConflictError):
    """The partner has not agreed and may still object; `next_date` says until when."""

    code = "objection_open"
    message = _("The partner has not agreed yet and may still object.")


class DisputeOpenError(ConflictError):
    """A line is disputed and not answered; `disputes` says how many."""

    code = "dispute_open"
    message = _("A disputed line waits for an answer.")


class DisputeDecidedError(ConflictError):
    """The dispute has been decided; `state` says how."""

    code = "dispute_decided"
    message = _("This dispute has been decided.")


class StatementFourEyesError(ForbiddenError):
    """Whoever sent a statement can not approve it."""

    code = "four_eyes"
    message = _("Somebody other than the sender must approve.")


class InvalidSettlementError(InvalidError):
    """A value sent for a settlement is wrong; `pointer` names it."""

    code = "invalid_settlement"


class NothingLeftError(ConflictError):
    """More is paid back than is left of what was paid ahead; `left` says how much is."""

    code = "nothing_left"
    message = _("Less than that is left of what was paid ahead.")


class StatementVersionError(DomainError):
    """The statement is not in the version that the caller has seen; `version` is the present."""

    code = "version_mismatch"
    status = 412
    message = _("The statement was changed in the meantime.")
