"""The pool of partners: who can deliver which benefit, where, when and at what price."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit

# Longest text of a region, such as `cn/gd/shenzhen`.
REGION_LENGTH = 60


class Partner(models.Model):
    """A third-party provider. Only `active` ones are offered orders; `ended` is for good.

    `contact_*` name the partner's business contact, not a member.
    """

    class Status(models.TextChoices):
        INVITED = "invited", _("Invited")
        SANDBOX = "sandbox", _("Trying out")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    code = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")],
        help_text=_("Short name in links and files: small letters, digits and hyphens."),
    )
    name = models.CharField(max_length=120, help_text=_("Name that members and staff read."))
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.INVITED)
    contact_name = models.CharField(max_length=120, blank=True)
    contact_email = models.EmailField(max_length=254, blank=True)
    contact_phone = models.CharField(max_length=40, blank=True)
    invited_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.code


class PartnerContract(models.Model):
    """What is agreed with a partner for a time, half-open `[valid_from, valid_to)`.

    Shares are basis points of the price accepted. At most one contract is in force on a day: the
    exclusion constraint refuses an overlap. Without one, no fee and no penalty is due.
    """

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="contracts", db_index=False
    )
    reference = models.CharField(
        max_length=80, blank=True, help_text=_("Number of the signed paper.")
    )
    valid_from = models.DateField()
    valid_to = models.DateField(
        null=True, blank=True, help_text=_("First day on which it no longer holds.")
    )
    commission_bp = models.PositiveSmallIntegerField(
        default=0, help_text=_("Kept back from what was delivered, in basis points.")
    )
    monthly_fee_minor = models.BigIntegerField(
        default=0, help_text=_("Paid each month besides the orders.")
    )
    late_penalty_bp = models.PositiveSmallIntegerField(
        default=0, help_text=_("Taken off the price of an order delivered late.")
    )
    failure_penalty_minor = models.BigIntegerField(
        default=0, help_text=_("Taken off for an order that failed or was handed back.")
    )
    cancel_fee_bp = models.PositiveSmallIntegerField(
        default=0, help_text=_("Paid when an accepted order is called off too late.")
    )
    cancel_notice_hours = models.PositiveSmallIntegerField(
        default=24, help_text=_("Until so many hours before the appointment, calling off is free.")
    )
    objection_days = models.PositiveSmallIntegerField(
        default=10, help_text=_("Days the partner has to dispute a statement.")
    )
    payment_days = models.PositiveSmallIntegerField(
        default=30, help_text=_("Days from approval to payment.")
    )
    low_float_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Tell when less of what was paid ahead is left.")
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="contract_period_order",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
            ),
            models.CheckConstraint(
                name="contract_shares",
                condition=Q(
                    commission_bp__lte=10_000,
                    late_penalty_bp__lte=10_000,
                    cancel_fee_bp__lte=10_000,
                ),
            ),
            models.CheckConstraint(
                name="contract_amounts",
                condition=Q(monthly_fee_minor__gte=0, failure_penalty_minor__gte=0)
                & (Q(low_float_minor__isnull=True) | Q(low_float_minor__gte=0)),
            ),
            # Also finds the contract in force on a day.
            ExclusionConstraint(
                name="contract_one_a_day",
                expressions=[
                    (
                        Func("partner_id", "partner_id", Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (Func("valid_from", "valid_to", function="daterange"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.valid_from}"


class Offering(models.Model):
    """That a partner delivers a benefit: where, how much a day, how soon and how fast.

    One row per partner and benefit, so that its key in the partner API stays the same for ever;
    its prices are dated rows of their own. `regions` are paths such as `cn/gd/shenzhen`; an
    offering of `cn/gd` serves everything below it, and an empty list serves everywhere.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="offerings", db_index=False
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, related_name="offerings", db_index=False
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    regions = ArrayField(
        models.CharField(max_length=REGION_LENGTH),
        default=list,
        blank=True,
        help_text=_("Regions served; empty means everywhere."),
    )
    capacity_per_day = models.PositiveIntegerField(
        help_text=_("Orders the partner takes on a usual day.")
    )
    lead_time_hours = models.PositiveSmallIntegerField(
        default=0, help_text=_("Notice the partner needs before it can start.")
    )
    sla_hours = models.PositiveSmallIntegerField(
        default=48, help_text=_("Hours from acceptance within which it must be fulfilled.")
    )
    valid_from = models.DateField()
    valid_to = models.DateField(
        null=True, blank=True, help_text=_("First day on which it no longer holds.")
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The key that partners hold must not split in two; also lists a partner's own.
            models.UniqueConstraint(name="offering_once", fields=["partner", "benefit"]),
            models.CheckConstraint(
                name="offering_period_order",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
            ),
            models.CheckConstraint(name="offering_sla_positive", condition=Q(sla_hours__gt=0)),
        ]
        indexes = [
            # Dispatch: the active offerings of a benefit.
            models.Index(
                fields=["benefit"], name="offering_of_benefit", condition=Q(status="active")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id}/{self.benefit_id}"


class OfferingPrice(models.Model):
    """The unit price from a day on; it holds until the next row begins.

    Because only the beginning is stored and is unique per offering, two prices can never
    overlap and none can be missing in between.
    """

    # Prices have no meaning without their offering.
    offering = models.ForeignKey(
        Offering, on_delete=models.CASCADE, related_name="prices", db_index=False
    )
    valid_from = models.DateField()
    price_minor = models.BigIntegerField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            # One price a day; its index also finds the latest beginning before a day.
            models.UniqueConstraint(name="offering_price_once", fields=["offering", "valid_from"]),
            models.CheckConstraint(
                name="offering_price_not_negative", condition=Q(price_minor__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offering_id} {self.valid_from}: {self.price_minor}"


class CapacityDay(models.Model):
    """What one offering can take on one day, and how much of it is reserved.

    Made by the first reservation of the day, or by the partner naming a figure (`is_set`; 0 is a
    closed day). The check is the last wall against overbooking.
    """

    # Days have no meaning without their offering.
    offering = models.ForeignKey(
        Offering, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    on_date = models.DateField()
    capacity = models.PositiveIntegerField()
    reserved = models.PositiveIntegerField(default=0)
    is_set = models.BooleanField(default=False)

    class Meta:
        constraints = [
            # The target of the upsert that reserves.
            models.UniqueConstraint(name="capacity_day_once", fields=["offering", "on_date"]),
            models.CheckConstraint(
                name="capacity_never_passed", condition=Q(reserved__lte=F("capacity"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offering_id} {self.on_date}: {self.reserved}/{self.capacity}"


class PartnerScore(models.Model):
    """How a partner did over the last 90 days; recomputed daily, read by dispatch.

    Counts, not shares, so that few orders can be told from many.
    """

    # The score goes with its partner.
    partner = models.OneToOneField(
        Partner, on_delete=models.CASCADE, primary_key=True, related_name="score"
    )
    offers_answered = models.PositiveIntegerField(default=0)
    offers_accepted = models.PositiveIntegerField(default=0)
    orders_closed = models.PositiveIntegerField(default=0)
    orders_failed = models.PositiveIntegerField(default=0)
    orders_fulfilled = models.PositiveIntegerField(default=0)
    orders_on_time = models.PositiveIntegerField(default=0)
    ratings = models.PositiveIntegerField(default=0)
    rating_sum = models.PositiveIntegerField(default=0)
    computed_on = models.DateField()

    def __str__(self) -> str:
        return f"{self.partner_id} on {self.computed_on}"
