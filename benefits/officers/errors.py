"""Refusals of rounds of experience officers."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError


class InvalidRoundError(InvalidError):
    """A field of a round is wrong; `pointer` names it."""

    code = "invalid_officer_round"
    message = _("This cannot be taken.")


class RoundStateError(ConflictError):
    """The round is not in the state that this needs; `state` says which it is in."""

    code = "officer_round_state"
    message = _("The round is not open for this.")


class NotInvitedError(ConflictError):
    """The member was not invited to this round, or has no seat in it."""

    code = "not_invited"
    message = _("You have no place in this round.")


class SeatsTakenError(ConflictError):
    """All seats are taken."""

    code = "seats_taken"
    message = _("All seats are taken. Thank you for being ready to help.")


class InvalidDiaryError(InvalidError):
    """A score is missing, out of range or unknown; or there is nothing in the entry."""

    code = "invalid_diary"
    message = _("Score each question from 1 to 5.")


class InvalidPhotoError(InvalidError):
    """The photo is no JPEG or PNG, too large, or one too many; `reason` says which."""

    code = "invalid_photo"
    message = _("A photo must be a JPEG or PNG of up to 2 MB, and up to three in an entry.")


class OwnIdeaError(ConflictError):
    """Nobody votes for their own idea."""

    code = "own_idea"
    message = _("You cannot vote for your own idea.")


class NoteMissingError(InvalidError):
    """Both halves of the public note are needed."""

    code = "note_missing"
    message = _("Say both what was said and what was done.")
