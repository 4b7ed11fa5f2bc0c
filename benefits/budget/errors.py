"""Refusals of the budget."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError


class BudgetClosedError(ConflictError):
    """The budget's period is closed."""

    code = "budget_closed"
    message = _("This budget is closed.")


class BudgetOverlapError(ConflictError):
    """Another budget covers some of the same days."""

    code = "budget_overlap"
    message = _("Another budget covers some of these days.")


class NotPlannableError(ConflictError):
    """More would be planned than the total without the reserve; `left_minor` says what is left."""

    code = "not_plannable"
    message = _("This is more than can still be planned.")


class LineExhaustedError(ConflictError):
    """The line has not enough left; `left_minor` says how much."""

    code = "budget_line_exhausted"
    message = _("The budget line has not enough left.")


class ReserveExhaustedError(ConflictError):
    """The reserve has not enough left; `left_minor` says how much."""

    code = "reserve_exhausted"
    message = _("The reserve has not enough left.")


class FourEyesError(ConflictError):
    """The one who asked may not decide."""

    code = "four_eyes"
    message = _("Somebody else has to decide this.")


class DrawDecidedError(ConflictError):
    """The draw was decided before."""

    code = "draw_decided"
    message = _("This has been decided already.")


class InvalidPeriodError(InvalidError):
    """A date lies outside the budget's period, or the period ends before it starts."""

    code = "invalid_period"
    message = _("The dates do not fit the period.")


class KeyReusedError(ConflictError):
    """The same key was used for another movement."""

    code = "key_reused"
    status = 422
    message = _("This key was used for another movement.")
