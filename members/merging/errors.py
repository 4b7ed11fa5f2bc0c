"""What the merging room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class SameMemberError(InvalidError):
    """A member can not be merged with itself."""

    code = "same_member"
    message = _("These are one and the same member.")


class NotMergeableError(ConflictError):
    """One of the two was erased, or is merged already; `member` in the data names the number."""

    code = "not_mergeable"
    message = _("Only members who are active or blocked can be merged.")


class MergeNotFoundError(NotFoundError):
    """There is no such merge."""

    code = "merge_not_found"
    message = _("There is no such merge.")


class AlreadyUndoneError(ConflictError):
    """The merge was undone before; `undone_at` in the data says when."""

    code = "merge_already_undone"
    message = _("This merge was undone already.")


class UndoTooLateError(ConflictError):
    """The days for undoing are over; `undo_until` in the data says since when."""

    code = "merge_undo_too_late"
    message = _("A merge can be undone for 30 days; they are over.")


class LaterMergeError(ConflictError):
    """The survivor was merged itself: that merge (`merge` in the data) must be undone first."""

    code = "later_merge"
    message = _("The survivor was merged into another member since; undo that merge first.")


class SurvivorErasedError(ConflictError):
    """The survivor was erased: there is nobody to tell the two apart by."""

    code = "survivor_erased"
    message = _("The survivor was erased; the merge stays.")


class MergeBusyError(ConflictError):
    """Something else is going on with one of the two all the time."""

    code = "merge_busy"
    message = _("One of the two is being worked on at this moment. Try again.")


class PairNotFoundError(NotFoundError):
    """The two are not on the list of likely duplicates."""

    code = "pair_not_found"
    message = _("These two are not on the list.")
