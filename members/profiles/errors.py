"""What the profiles room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, ForbiddenError, InvalidError, LimitError, NotFoundError


class MemberNotFoundError(NotFoundError):
    """No member has this key."""

    code = "member_not_found"
    message = _("There is no such member.")


class MemberExistsError(ConflictError):
    """Another member has this key of the brand's systems already."""

    code = "member_exists"
    message = _("A member with this id is enrolled already.")


class EmailTakenError(ConflictError):
    """Another member has this e-mail address; an address leads to one member."""

    code = "email_taken"
    message = _("Another member has this e-mail address.")


class InvalidMemberError(InvalidError):
    """A field of a member is wrong; `pointer` in the data names it."""

    code = "invalid_member"


class AttributeNotFoundError(NotFoundError):
    """The brand has no attribute of this code."""

    code = "attribute_not_found"
    message = _("There is no such attribute.")


class InvalidAttributeError(InvalidError):
    """A part of an attribute's definition is wrong; `pointer` in the data names it."""

    code = "invalid_attribute"


class AttributeExistsError(ConflictError):
    """Another attribute of the brand has this code."""

    code = "attribute_exists"
    message = _("There is an attribute with this code already.")


class AttributeInUseError(ConflictError):
    """Members have values that this would leave without a meaning; `members` says how many."""

    code = "attribute_in_use"


class PurposeNotFoundError(NotFoundError):
    """The brand asks for no consent of this code."""

    code = "purpose_not_found"
    message = _("There is no such purpose.")


class InvalidPurposeError(InvalidError):
    """A part of a purpose of consent is wrong; `pointer` in the data names it."""

    code = "invalid_purpose"


class PurposeExistsError(ConflictError):
    """Another purpose has this code."""

    code = "purpose_exists"
    message = _("There is a purpose with this code already.")


class BlockedMemberError(ForbiddenError):
    """The member is blocked: nothing is earned or used until staff lift it."""

    code = "blocked_member"
    message = _("This member is blocked.")


class ErasedMemberError(ConflictError):
    """The member was erased; only the history without names is left."""

    code = "erased_member"
    message = _("This member was erased.")


class ErasureNotFoundError(NotFoundError):
    """The member has no open wish to be erased."""

    code = "erasure_not_found"
    message = _("There is no open request to erase this member.")


class ErasureHeldUpError(ConflictError):
    """Something is under way that needs the person; `reasons` in the data tell what."""

    code = "erasure_held_up"


class NamesMemberError(InvalidError):
    """A text that stays for ever names the member; `pointer` in the data names its place."""

    code = "names_member"
    message = _("Leave out name, e-mail, phone and customer id: this text stays for ever.")


class ClaimNotPossibleError(ConflictError):
    """The code was right, but this membership can not be claimed; `reason` says why."""

    code = "claim_not_possible"


class WrongClaimCodeError(InvalidError):
    """The code is wrong; `tries_left` says how often one may still try."""

    code = "wrong_code"
    message = _("This code is not right.")


class ClaimEndedError(ConflictError):
    """The code has run out, was used, or was typed wrongly too often: ask for a new one."""

    code = "claim_ended"
    message = _("This code is no longer good. Ask for a new one.")


class TooManyClaimsError(LimitError):
    """Too many codes were asked for; `retry_at` says when one may ask again."""

    code = "too_many_claims"
    message = _("Too many codes were asked for. Try again later.")
