"""What the jobs room refuses, and how a handler learns to stop."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, NotFoundError


class UnknownJobError(NotFoundError):
    """There is no such job, or it belongs to another brand."""

    code = "unknown_job"
    message = _("There is no such job.")


class JobFinishedError(ConflictError):
    """The job has ended, so that it can be neither stopped nor started again."""

    code = "job_finished"
    message = _("This job has already ended.")


class UnknownKindError(LookupError):
    """No room has registered a job of this kind."""


class JobCancelled(Exception):  # noqa: N818 - a request, not an error
    """Raised inside a handler when somebody asked the job to stop."""


class LeaseLostError(RuntimeError):
    """Another worker has taken the job over: this one's effect must be rolled back."""


class NotCompletedError(RuntimeError):
    """A handler returned without `run.complete(…)` in the transaction of its last effect."""
