"""What the points room refuses. Nothing has changed when one of these is raised."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InsufficientPointsError(ConflictError):
    """The account has fewer spendable points than asked; `missing` in the data says how many."""

    code = "insufficient_points"
    message = _("There are not enough points.")


class KeyReusedError(InvalidError):
    """The key belongs to a posting of another kind, amount or account."""

    code = "key_reused"
    message = _("This key was used for another posting.")


class AccountMissingError(NotFoundError):
    """The owner has no account in this wallet."""

    code = "points_account_missing"
    message = _("There is no points account.")


class WalletMissingError(NotFoundError):
    """There is no wallet of this code."""

    code = "wallet_missing"
    message = _("There is no such wallet.")


class EntryMissingError(NotFoundError):
    """The entry to reverse, or the hold, does not exist."""

    code = "points_entry_missing"
    message = _("There is no such posting.")


class HoldNotOpenError(ConflictError):
    """The hold was captured, released, or its time has passed; `state` in the data says which."""

    code = "hold_not_open"
    message = _("These points are no longer held.")


class NotReversibleError(ConflictError):
    """The entry is of a kind that can not be reversed, or nothing of it is left to reverse.

    `reversible` in the data is what is left.
    """

    code = "not_reversible"
    message = _("This posting can not be reversed.")


class InvalidPointsError(InvalidError):
    """The amount is not a whole number above zero within the limit."""

    code = "invalid_points"
    message = _("The number of points is not valid.")
