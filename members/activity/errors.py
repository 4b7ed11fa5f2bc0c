"""What the activity room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class PurchaseNotFoundError(NotFoundError):
    """No purchase has this id."""

    code = "purchase_not_found"
    message = _("There is no such purchase.")


class EventNotFoundError(NotFoundError):
    """No recorded event has this key."""

    code = "event_not_found"
    message = _("There is no such event.")


class DuplicatePurchaseError(ConflictError):
    """The id was sent before with another content; `external_id` in the data names it."""

    code = "duplicate_purchase"
    message = _("A purchase with this id and another content exists already.")


class FuturePurchaseError(InvalidError):
    """The time lies more than five minutes ahead of the clock."""

    code = "future_purchase"
    message = _("This time lies in the future.")


class InvalidPurchaseError(InvalidError):
    """A field of a purchase, refund or event can not be; `pointer` in the data names it."""

    code = "invalid_purchase"


class RefundTooLargeError(ConflictError):
    """More would be given back than is left of the purchase; `left_minor` in the data."""

    code = "refund_too_large"
    message = _("This is more than what is left of the purchase.")


class RefundBeforePurchaseError(InvalidError):
    """The refund is dated before its purchase; `purchased_at` in the data says when that was."""

    code = "refund_before_purchase"
    message = _("Nothing can be given back before it was bought.")


class DuplicateRefundError(ConflictError):
    """The id of the refund was sent before with another amount or time."""

    code = "duplicate_refund"
    message = _("A refund with this id and another content exists already.")


class DuplicateEventError(ConflictError):
    """The id of the event was sent before with another content."""

    code = "duplicate_event"
    message = _("An event with this id and another content exists already.")
