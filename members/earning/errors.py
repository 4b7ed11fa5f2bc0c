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
