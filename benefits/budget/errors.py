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


class ApprovalNeededError(ConflictError):
    """One person may not add as much to plans in a day; `limit_minor` says how much."""

    code = "approval_needed"
    message = _("This passes what one person may plan in a day: somebody else has to approve.")


class CurrencyChangedError(ConflictError):
    """The budget was made in another currency than the brand's."""

    code = "currency_changed"
    message = _("This budget was made in another currency. Amounts cannot be mixed.")


class NothingToChangeError(ConflictError):
    """The plan is like this already."""

    code = "nothing_to_change"
    message = _("The plan is like this already: nothing would change.")


class RevisionStaleError(ConflictError):
    """Somebody planned for one of the lines since; `lines` names them."""

    code = "revision_stale"
    message = _("The plan of these lines has changed since. Start from the plan of today.")


class RevisionDecidedError(ConflictError):
    """The revision was applied, refused or withdrawn before."""

    code = "revision_decided"
    message = _("This has been decided already.")


class UnknownLineError(InvalidError):
    """A line is neither in the budget nor described well enough to be added; `line` names it."""

    code = "unknown_line"
    message = _("There is no such line, and a new one needs a name and what it is for.")


class BadPlanFileError(InvalidError):
    """The file cannot be taken; `problems` has every bad line, `reason` why it cannot be read."""

    code = "bad_plan_file"
    message = _("The file cannot be taken: nothing was changed.")


class InvalidPolicyError(InvalidError):
    """A setting is out of range."""

    code = "invalid_budget_policy"
    message = _("Give shares from 0 to 100 %, and a floor that is not above the reserve.")


class LineExistsError(ConflictError):
    """The budget has a line with this code."""

    code = "line_exists"
    message = _("This budget has a line with this code.")


class NotYoursError(ConflictError):
    """Only the one who asked may take it back."""

    code = "not_yours"
    message = _("Only the one who asked may take it back.")
