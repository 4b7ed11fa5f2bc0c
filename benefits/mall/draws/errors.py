"""Refusals around lucky draws."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, LimitError, NotFoundError


class UnknownDrawError(NotFoundError):
    """There is no such draw, or it is not the member's to see."""

    code = "unknown_draw"
    message = _("There is no such lucky draw.")


class UnknownTicketError(NotFoundError):
    """There is no such draw of this member."""

    code = "unknown_ticket"
    message = _("There is no such draw.")


class InvalidDrawError(InvalidError):
    """A field of a draw is wrong; `pointer` names it."""

    code = "invalid_draw"


class DrawCodeTakenError(ConflictError):
    """Another draw has the code."""

    code = "code_taken"
    message = _("This code is in use already.")


class DrawFixedError(ConflictError):
    """The draw was opened: its prizes and odds are published and cannot change any more."""

    code = "draw_fixed"
    message = _("Prizes and odds of this draw are published. Make a new draw to change them.")


class DrawStateError(ConflictError):
    """The draw is in a state that does not allow this; `status` says which."""

    code = "draw_state"
    message = _("The draw cannot do this now.")


class DrawClosedError(ConflictError):
    """The draw is not open; `status` says what it is, `starts_at` when it will be."""

    code = "draw_closed"
    message = _("This draw is not open now.")


class DrawLimitError(LimitError):
    """The member's draws are used up; `limit`, and `next_at` where more come."""

    code = "draw_limit_used"
    message = _("You have no draws left.")
