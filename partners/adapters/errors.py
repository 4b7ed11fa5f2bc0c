"""Refusals of connections to partners' own systems."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, DomainError, InvalidError, NotFoundError


class ConnectionNotFoundError(NotFoundError):
    """The partner has no connection."""

    message = _("This partner has no connection.")


class InvalidConnectionError(InvalidError):
    """A setting of the connection is wrong; `pointer` names it."""

    code = "invalid_connection"


class ConnectionDisabledError(ConflictError):
    """The connection is switched off."""

    code = "connection_disabled"
    message = _("The connection is switched off.")


class InvalidSignatureError(DomainError):
    """A callback is not signed by the partner, or its time is more than five minutes off."""

    code = "invalid_signature"
    status = 401
    message = _("The signature does not match.")
