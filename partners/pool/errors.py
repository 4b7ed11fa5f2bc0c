"""Refusals of the partner pool."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class PartnerNotFoundError(NotFoundError):
    """No partner has this key or code."""

    message = _("There is no such partner.")


class OfferingNotFoundError(NotFoundError):
    """No offering has this key, or it is another partner's."""

    message = _("There is no such offering.")


class InvalidPartnerError(InvalidError):
    """A field of the partner is wrong; `pointer` names it."""

    code = "invalid_partner"


class PartnerCodeTakenError(ConflictError):
    """Another partner has this code."""

    code = "partner_code_taken"
    message = _("Another partner has this code.")


class PartnerStatusError(ConflictError):
    """The partner's status does not allow this; `status` says which it is."""

    code = "partner_status"
    message = _("The partner's status does not allow this.")


class InvalidOfferingError(InvalidError):
    """A field of the offering is wrong; `pointer` names it."""

    code = "invalid_offering"


class PastPriceError(ConflictError):
    """A price of a day gone by would change; settled orders rest on it."""

    code = "past_price"
    message = _("A price can change from today on, not in the past.")


class CapacityBelowReservedError(ConflictError):
    """More is reserved on that day than the new capacity; `reserved` says how much."""

    code = "capacity_below_reserved"
    message = _("More is already reserved on that day.")


class PastDayError(ConflictError):
    """The day is over."""

    code = "past_day"
    message = _("That day is over.")


class NoCapacityError(ConflictError):
    """Nothing is left on that day."""

    code = "no_capacity"
    message = _("Nothing is left on that day.")


class InvalidContractError(InvalidError):
    """A field of the contract is wrong; `pointer` names it."""

    code = "invalid_contract"


class ContractOverlapError(ConflictError):
    """Another contract holds on one of these days; `next_date` is the first free day, if known."""

    code = "contract_overlap"
    message = _("Another contract holds on one of these days.")
