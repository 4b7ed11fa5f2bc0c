"""What the events room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InvalidEventError(ValueError):
    """The type or subject of an event is not of the agreed form: a mistake in our code."""


class IdempotencyMismatchError(InvalidError):
    """The key was used before with another method, path or body."""

    code = "idempotency_mismatch"
    message = _("This idempotency key was used before with another request.")


class IdempotencyInFlightError(ConflictError):
    """A request with this key is still being worked on; ask again in a moment."""

    code = "idempotency_in_flight"
    message = _("A request with this idempotency key is still running.")


class InvalidEndpointError(InvalidError):
    """The address or the event types of a webhook endpoint can not be; `pointer` names which."""

    code = "invalid_endpoint"


class UnknownEndpointError(NotFoundError):
    """There is no such endpoint or delivery, or it is another owner's."""

    code = "unknown_endpoint"
    message = _("There is no such webhook endpoint.")


class EndpointDisabledError(ConflictError):
    """Nothing is sent to an endpoint that is switched off."""

    code = "endpoint_disabled"
    message = _("This webhook endpoint is switched off.")
