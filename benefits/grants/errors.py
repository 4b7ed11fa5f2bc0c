"""Refusals of grants and redemptions; each code is also a reason shown to members."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, LimitError, NotFoundError


class NotGrantedError(ConflictError):
    """The member holds no right to this benefit."""

    code = "not_granted"
    message = _("This benefit has not been granted to the member.")


class QuotaUsedError(LimitError):
    """All units are used; `next_at` says when new ones come, where known."""

    code = "quota_used"
    message = _("All units are used.")


class NotYetStartedError(ConflictError):
    """The right has not begun; `starts_at` says when it does."""

    code = "not_yet_started"
    message = _("This can not be used yet.")


class EndedError(ConflictError):
    """The right has ended; `ended_at` says when it did."""

    code = "ended"
    message = _("This has ended.")


class RevokedError(ConflictError):
    """The right was taken back."""

    code = "revoked"
    message = _("This right was taken back.")


class OutsideRegionError(ConflictError):
    """The benefit is not offered in the region; `regions` lists where it is."""

    code = "outside_region"
    message = _("This is not offered in this region.")


class SlotAfterEndError(ConflictError):
    """The appointment would be after the right has ended; `ends_at` says when it does."""

    code = "slot_after_end"
    message = _("This appointment would be after the benefit ends.")


class ChangeTooLateError(ConflictError):
    """The appointment is too near to be changed; `change_until` was the last moment."""

    code = "change_too_late"
    message = _("It is too late to change this appointment.")


class TokenExpiredError(ConflictError):
    """The code on the screen is old; the member's page shows a new one by itself."""

    code = "token_expired"
    message = _("This code is out of date: ask for the page to be shown again.")


class TokenUsedError(ConflictError):
    """The code on the screen was used already; `state` says what became of it."""

    code = "token_used"
    message = _("This code has been used already.")


class InvalidTokenError(InvalidError):
    """The text is no code of ours, or was changed."""

    code = "invalid_token"
    message = _("This is not a valid code.")


class InvalidStateError(ConflictError):
    """The redemption is in a state that does not allow this; `state` says which."""

    code = "invalid_state"
    message = _("The present state does not allow this.")


class KeyReusedError(ConflictError):
    """The key was used for another redemption."""

    code = "key_reused"
    status = 422
    message = _("This key was used for another request.")


class UnknownRedemptionError(NotFoundError):
    """There is no such redemption."""

    code = "unknown_redemption"
    message = _("There is no such redemption.")


class UnknownGrantError(NotFoundError):
    """There is no such grant."""

    code = "unknown_grant"
    message = _("There is no such grant.")


class InvalidGrantError(InvalidError):
    """A value of a grant or rating is wrong; `pointer` names it."""

    code = "invalid_grant"
