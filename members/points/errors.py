"""What the points room refuses. Nothing has changed when one of these is raised."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, ForbiddenError, InvalidError, LimitError, NotFoundError


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


class SpendRuleError(InvalidError):
    """The wallet's rules do not let members choose this number of points."""

    code = "spend_rule"
    message = _("This number of points can not be spent at once.")


class ConsentNeededError(ConflictError):
    """The adjustment passes the limit of its person: somebody else must consent.

    `limit` and `left` in the data are what one person may adjust, and what is left of it.
    """

    code = "consent_needed"
    message = _("This is more than one person may adjust: somebody else must consent.")


class RequestMissingError(NotFoundError):
    """There is no such request for an adjustment."""

    code = "adjustment_request_missing"
    message = _("There is no such request.")


class RequestDecidedError(ConflictError):
    """The request was approved, refused or withdrawn; `state` in the data says which."""

    code = "adjustment_request_decided"
    message = _("This request is decided already.")


class SamePersonError(ForbiddenError):
    """Four eyes: who asked can not consent, also not by a key that they made."""

    code = "same_person"
    message = _("Who asked can not decide: it takes somebody else.")


class TransfersOffError(ConflictError):
    """The brand does not let members pass points on."""

    code = "transfers_off"
    message = _("Points can not be passed on.")


class TransferTooSmallError(InvalidError):
    """Fewer points than the wallet's minimum; `minimum` in the data."""

    code = "transfer_too_small"
    message = _("These are too few points to pass on.")


class TransferLimitError(LimitError):
    """The sender's day is used up; `limit` says which, `retry_at` when it opens again."""

    code = "transfer_limit"
    message = _("This is more than can be passed on today.")


class SenderOwesError(ConflictError):
    """The sender owes points that were taken back: those come first."""

    code = "sender_owes"
    message = _("Points that are owed come first.")


class ReceiverMissingError(NotFoundError):
    """The receiver has no account in the wallet, or is the sender."""

    code = "receiver_missing"
    message = _("There is nobody else to pass points on to.")


class ReceiverOwesError(ConflictError):
    """The receiver owes points."""

    code = "receiver_owes"
    message = _("The receiver can not take points at the moment.")


class ReceiverFullError(ConflictError):
    """The receiver's balance would pass the wallet's cap; `room` in the data is what fits."""

    code = "receiver_full"
    message = _("The receiver can not have that many points.")
