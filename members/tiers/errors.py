"""What the tiers room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InvalidSchemeError(InvalidError):
    """The scheme can not be; `pointer` in the data names the place."""

    code = "invalid_tier_scheme"


class SchemePublishedError(ConflictError):
    """The scheme is published: it is never edited, a new version replaces it."""

    code = "tier_scheme_published"
    message = _("A published tier scheme cannot be changed.")


class SchemeNotFoundError(NotFoundError):
    """There is no such scheme."""

    code = "tier_scheme_not_found"
    message = _("There is no such tier scheme.")
