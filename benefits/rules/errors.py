"""Refusals of grant rules."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class UnknownRuleError(NotFoundError):
    """No rule has this code."""

    code = "unknown_rule"
    message = _("There is no such rule.")


class InvalidRuleError(InvalidError):
    """A field of a rule is wrong; `pointer` names it."""

    code = "invalid_rule"


class RuleCodeTakenError(ConflictError):
    """Another rule has the code."""

    code = "code_taken"
    message = _("This code is in use already.")


class RuleStateError(ConflictError):
    """The rule is in a state that does not allow this; `status` says which."""

    code = "invalid_state"
    message = _("The present state of the rule does not allow this.")


class BenefitNotLiveError(ConflictError):
    """A benefit of the rule is an idea or retired; `benefit` and `stage` say which."""

    code = "benefit_not_live"
    message = _("A benefit of this rule is not offered to members.")


class ImpossibleRuleError(ConflictError):
    """The rule can never grant anything: its condition contradicts itself in `field`, or its
    `cap` is smaller than what one member would get; `pointer` names the place."""

    code = "rule_never_matches"
    message = _("This rule can never grant anything.")


class NoBudgetError(ConflictError):
    """The rule costs money and no line of the budget in force pays for it."""

    code = "no_budget"
    message = _("No line of the budget in force pays for this rule.")
