"""When and where a service can be had: calendars, their hours, and the slots people took."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit


class BookingCalendar(models.Model):
    """The bookable times of one benefit in one store; `store_code` empty: not tied to a store.

    Times of day are the brand's. A benefit without an active calendar is used without a slot.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="calendars")
    store_code = models.CharField(max_length=40, blank=True)
    slot_minutes = models.PositiveSmallIntegerField(help_text=_("Length of one appointment."))
    capacity = models.PositiveSmallIntegerField(help_text=_("Members served at the same time."))
    lead_minutes = models.PositiveIntegerField(
        default=60, help_text=_("How long before the appointment it can still be booked.")
    )
    change_minutes = models.PositiveIntegerField(
        default=1_440, help_text=_("How long before the appointment it can still be changed.")
    )
    horizon_days = models.PositiveSmallIntegerField(
        default=30, help_text=_("How many days ahead can be booked.")
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="calendar_once", fields=["benefit", "store_code"]),
            models.CheckConstraint(
                name="calendar_figures",
                condition=Q(
                    slot_minutes__gte=5,
                    slot_minutes__lte=1_440,
                    capacity__gte=1,
                    horizon_days__gte=1,
                    horizon_days__lte=366,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.store_code}"


class OpeningHours(models.Model):
    """One stretch of a weekday (0 = Monday) in minutes after midnight, half-open."""

    calendar = models.ForeignKey(BookingCalendar, on_delete=models.CASCADE, related_name="hours")
    weekday = models.PositiveSmallIntegerField()
    opens_minute = models.PositiveSmallIntegerField()
    closes_minute = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="hours_of_a_day",
                condition=Q(
                    weekday__lte=6, opens_minute__lt=F("closes_minute"), closes_minute__lte=1_440
                ),
            ),
            models.UniqueConstraint(
                name="hours_once", fields=["calendar", "weekday", "opens_minute"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens_minute}–{self.closes_minute}"


class ClosedDay(models.Model):
    """A day on which a calendar takes nobody."""

    calendar = models.ForeignKey(
        BookingCalendar, on_delete=models.CASCADE, related_name="closed_days"
    )
    closed_on = models.DateField()
    reason = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="closed_day_once", fields=["calendar", "closed_on"]),
        ]

    def __str__(self) -> str:
        return f"{self.closed_on:%Y-%m-%d}"


class Slot(models.Model):
    """One appointment time that somebody has booked; made by its first booking.

    `booked <= capacity` is the last wall behind the conditional update of each booking.
    """

    calendar = models.ForeignKey(BookingCalendar, on_delete=models.PROTECT, related_name="slots")
    starts_at = models.DateTimeField()
    capacity = models.PositiveSmallIntegerField()
    booked = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="slot_once", fields=["calendar", "starts_at"]),
            models.CheckConstraint(
                name="slot_not_overbooked", condition=Q(booked__lte=F("capacity"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calendar_id} {self.starts_at:%Y-%m-%d %H:%M}"


class SlotBooking(models.Model):
    """One place of a slot, taken for something: `taken_for` is an opaque key (`redemption:12`)."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="bookings")
    taken_for = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_booking_each",
                fields=["taken_for"],
                condition=Q(cancelled_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.taken_for
