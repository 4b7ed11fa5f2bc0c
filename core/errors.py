"""The base of every error that a caller can expect.

Concrete errors stand beside the operation that raises them. One handler turns them into an
RFC 9457 problem for the APIs (`api.problems`), one into a toast or form error for HTML
(`core.web.errors`).
"""

from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A refusal with a stable `code`, an HTTP `status`, a text for people and `data` for machines."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    message: ClassVar[str | Promise] = _("This is not possible.")

    def __init__(self, detail: str | Promise | None = None, /, **data: Any) -> None:
        self.detail = str(detail) if detail is not None else str(self.message)
        self.data = data
        super().__init__(self.detail)


class NotFoundError(DomainError):
    """The thing asked for does not exist, or is not the caller's to see."""

    code = "not_found"
    status = 404
    message = _("Not found.")


class InvalidError(DomainError):
    """The input is wrong; `pointer` in the data names the place (RFC 6901)."""

    code = "invalid"
    status = 422
    message = _("The input is not valid.")


class ForbiddenError(DomainError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403
    message = _("You are not allowed to do this.")


class ConflictError(DomainError):
    """The thing is in a state that does not allow this."""

    code = "conflict"
    status = 409
    message = _("The present state does not allow this.")


class LimitError(DomainError):
    """A limit is used up; `retry_at` in the data says when it opens again, where known."""

    code = "limit_reached"
    status = 409
    message = _("The limit is used up.")
