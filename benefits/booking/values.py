"""What this room takes and gives."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """One stretch of a weekday (0 = Monday), in minutes after midnight, half-open."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A time that can be booked, with the places left."""

    starts_at: datetime
    left: int


@dataclass(frozen=True, slots=True)
class DayOfSlots:
    """The bookable times of one day of the brand's; none when all is taken or closed."""

    on: date
    slots: tuple[FreeSlot, ...]


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booked place: what it was taken for, where and when, and until when it may be changed."""

    taken_for: str
    store_code: str
    starts_at: datetime
    ends_at: datetime
    change_until: datetime
