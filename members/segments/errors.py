"""What the segments room refuses; errors of a condition's tree are `ConditionError`."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class SegmentNotFoundError(NotFoundError):
    """There is no saved segment of this name."""

    code = "segment_not_found"
    message = _("There is no such segment.")


class SegmentNameTakenError(ConflictError):
    """Another saved segment has this name."""

    code = "segment_name_taken"
    message = _("A segment of this name exists already.")


class InvalidSchemeError(InvalidError):
    """A limit of a score, a signal or a row of the value table is wrong; `pointer` says which."""

    code = "invalid_score_scheme"


class SegmentInUseError(ConflictError):
    """Something that is in force needs the segment; `used_by` names each."""

    code = "segment_in_use"
    message = _("The segment is in use and can not be removed.")


class SegmentCircleError(InvalidError):
    """A segment would be a condition of itself, directly or through others."""

    code = "segment_circle"
    message = _("A segment can not depend on itself.")
