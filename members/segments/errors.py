"""What the segments room refuses; errors of a condition's tree are `ConditionError`."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, NotFoundError


class SegmentNotFoundError(NotFoundError):
    """There is no saved segment of this name."""

    code = "segment_not_found"
    message = _("There is no such segment.")


class SegmentNameTakenError(ConflictError):
    """Another saved segment has this name."""

    code = "segment_name_taken"
    message = _("A segment of this name exists already.")
