"""Refusals of insights."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError


class AlertClosedError(ConflictError):
    """The alert has been closed."""

    code = "alert_closed"
    message = _("This alert is closed.")


class OutcomeMissingError(InvalidError):
    """An alert is closed with a recorded outcome."""

    code = "outcome_missing"
    message = _("Say what came of it.")


class SnoozeError(InvalidError):
    """An alert is put off to a day to come, at most three months away, for a reason."""

    code = "invalid_snooze"
    message = _("Choose a day to come, at most 90 days away, and say why.")
