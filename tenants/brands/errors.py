"""What can be refused when brands are set up or looked for."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class UnknownBrandError(NotFoundError):
    """No brand has this slug."""

    code = "unknown_brand"
    message = _("There is no such brand.")


class SlugTakenError(ConflictError):
    """Another brand has this slug, or the platform keeps it for itself."""

    code = "slug_taken"
    message = _("This address is already taken.")


class InvalidBrandError(InvalidError):
    """A fact about the brand is wrong; `pointer` names which."""

    code = "invalid_brand"


class TemplateError(RuntimeError):
    """The schema template could not be made; the text says what `pg_dump` answered."""
