"""What the earning room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InvalidRuleError(InvalidError):
    """The earning rule can not be; `pointer` in the data names the place."""

    code = "invalid_earning_rule"


class RuleStateError(ConflictError):
    """The rule's state does not allow this; `status` in the data says which it is."""

    code = "earning_rule_state"
    message = _("The state of the rule does not allow this.")


class RuleNotFoundError(NotFoundError):
    """There is no such earning rule."""

    code = "earning_rule_not_found"
    message = _("There is no such earning rule.")


class InvalidCampaignError(InvalidError):
    """The campaign can not be; `pointer` in the data names the place."""

    code = "invalid_campaign"


class CampaignStateError(ConflictError):
    """The campaign's state does not allow this; `status` in the data says which it is."""

    code = "campaign_state"
    message = _("The state of the campaign does not allow this.")


class CampaignNotFoundError(NotFoundError):
    """There is no such campaign."""

    code = "campaign_not_found"
    message = _("There is no such campaign.")


class InvalidOccasionError(InvalidError):
    """No such thing is an occasion to earn on; `pointer` in the data names the place."""

    code = "invalid_occasion"
    message = _("Nothing is earned on this.")
