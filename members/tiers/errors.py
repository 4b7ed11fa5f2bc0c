"""What the tiers room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InvalidSchemeError(InvalidError):
    """The scheme can not be; `pointer` in the data names the place."""

    code = "invalid_tier_scheme"


class OverlappingSchemeError(InvalidSchemeError):
    """Another version is in force from that day or a later one; `earliest` is the first free day."""

    code = "overlapping_tier_scheme"


class SchemePublishedError(ConflictError):
    """The scheme is published: it is never edited, a new version replaces it."""

    code = "tier_scheme_published"
    message = _("A published tier scheme cannot be changed.")


class SchemeNotFoundError(NotFoundError):
    """There is no such scheme."""

    code = "tier_scheme_not_found"
    message = _("There is no such tier scheme.")


class NoSchemeError(ConflictError):
    """There are no tiers yet that a member could be given."""

    code = "no_tier_scheme"
    message = _("No tier scheme is in force.")


class UnknownTierError(InvalidError):
    """The scheme in force has no such tier."""

    code = "unknown_tier"
    message = _("There is no such tier in the scheme in force.")


class InvalidOverrideError(InvalidError):
    """The override can not be; `pointer` in the data names the place."""

    code = "invalid_tier_override"


class NoOverrideError(NotFoundError):
    """The member's tier is not set by hand."""

    code = "no_tier_override"
    message = _("This member's tier is not set by hand.")


class InvalidPlanError(InvalidError):
    """The paid plan can not be; `pointer` in the data names the place."""

    code = "invalid_paid_plan"


class PlanCodeTakenError(ConflictError):
    """There is a paid plan with this code."""

    code = "paid_plan_exists"
    message = _("There is a plan with this code already.")


class PlanNotFoundError(NotFoundError):
    """There is no such paid plan."""

    code = "paid_plan_not_found"
    message = _("There is no such plan.")


class PlanNotOfferedError(ConflictError):
    """The plan is not for sale; who has it may renew it."""

    code = "paid_plan_not_offered"
    message = _("This plan is no longer offered.")


class InvalidPaymentError(InvalidError):
    """The payment can not be; `pointer` in the data names the place."""

    code = "invalid_payment"


class DuplicatePaymentError(ConflictError):
    """The payment reference is known, with other content."""

    code = "duplicate_payment"
    message = _("This payment reference was used with other content.")


class TermNotFoundError(NotFoundError):
    """There is no such paid term."""

    code = "paid_term_not_found"
    message = _("There is no such paid membership.")


class TermOverError(ConflictError):
    """The paid term has ended."""

    code = "paid_term_over"
    message = _("This paid membership has ended.")


class TermRefundedError(ConflictError):
    """The paid term was refunded before, with other content."""

    code = "paid_term_refunded"
    message = _("This paid membership was refunded already.")


class TermRenewedError(ConflictError):
    """The paid term was renewed: the renewal is what can be ended."""

    code = "paid_term_renewed"
    message = _("This paid membership was renewed already: refund the renewal first.")
