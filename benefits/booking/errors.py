"""Refusals of bookings; where another time is possible, `next_at` names it."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class InvalidCalendarError(InvalidError):
    """A part of a calendar can not be; `pointer` names it."""

    code = "invalid_calendar"


class UnknownCalendarError(NotFoundError):
    """The benefit takes no bookings in this store."""

    code = "unknown_calendar"
    message = _("There is nothing to book here.")


class SlotNeededError(InvalidError):
    """The benefit is used by appointment: a time is needed; `next_at` is the first free one."""

    code = "slot_needed"
    message = _("Please choose a time for the appointment.")


class NoSuchSlotError(InvalidError):
    """No appointment begins at this time; `next_at` is the first free one after it."""

    code = "no_such_slot"
    message = _("No appointment begins at this time.")


class SlotPastError(ConflictError):
    """The time has passed or is too near; `next_at` is the first free one."""

    code = "slot_past"
    message = _("This time has passed or is too near.")


class SlotFullError(ConflictError):
    """All places of the slot are taken; `next_at` is the first free time after it."""

    code = "slot_full"
    message = _("This time is fully booked.")


class BookedDayError(ConflictError):
    """Members have appointments on the day; `bookings` says how many."""

    code = "booked_day"
    message = _("Members have appointments on this day: move them first.")


class CapacityInUseError(ConflictError):
    """More places are booked in a slot to come than this would leave; `starts_at` names it."""

    code = "capacity_in_use"
    message = _("More places than this are booked already.")


class BookingNotFoundError(NotFoundError):
    """Nothing is booked for it."""

    code = "booking_not_found"
    message = _("There is no appointment.")
