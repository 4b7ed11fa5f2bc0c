"""Fulfilment orders: one redemption in a partner's hands, and its way there."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from benefits.grants.models import Redemption
from members.profiles.models import Member
from partners.pool.models import REGION_LENGTH, Offering, Partner


class DispatchPolicy(models.Model):
    """The brand's weights for choosing a partner; no row means the defaults.

    `singleton` is always true and unique, so there is one row at most.
    """

    singleton = models.BooleanField(default=True, unique=True)
    weight_coverage = models.PositiveSmallIntegerField(default=15)
    weight_capacity = models.PositiveSmallIntegerField(default=25)
    weight_price = models.PositiveSmallIntegerField(default=25)
    weight_scorecard = models.PositiveSmallIntegerField(default=25)
    weight_lead_time = models.PositiveSmallIntegerField(default=10)
    accept_minutes = models.PositiveSmallIntegerField(
        default=30, help_text=_("Minutes a partner has to answer an offer.")
    )
    horizon_days = models.PositiveSmallIntegerField(
        default=7, help_text=_("Days ahead within which a free day is looked for.")
    )
    newcomer_percent = models.PositiveSmallIntegerField(
        default=5,
        db_default=5,
        help_text=_("Of 100 orders, so many go first to a partner without a record."),
    )
    newcomer_offers = models.PositiveSmallIntegerField(
        default=10,
        db_default=10,
        help_text=_("Offers answered after which a partner has a record."),
    )

    class Meta:
        constraints = [
            models.CheckConstraint(name="dispatch_policy_one_row", condition=Q(singleton=True)),
            models.CheckConstraint(
                name="dispatch_policy_sane",
                condition=Q(accept_minutes__gte=1) & Q(horizon_days__range=(1, 60)),
            ),
            models.CheckConstraint(
                name="dispatch_policy_newcomers",
                condition=Q(newcomer_percent__lte=50) & Q(newcomer_offers__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return "dispatch policy"


class FulfilmentOrder(models.Model):
    """One redemption to be delivered by a partner.

    `version` counts the transitions and is the ETag; every change is a conditional UPDATE on it.
    From `offered` to `fulfilled` the order holds one unit of `offering` on `service_on`.
    `price_minor` is the price in force at acceptance, the one that is settled. The verification
    code itself is only with the member; here is its digest.

    Each redemption adds a row, so keys of things that are never deleted have no index of their
    own beside those named below.
    """

    class State(models.TextChoices):
        UNASSIGNED = "unassigned", _("No partner")
        OFFERED = "offered", _("Offered")
        ACCEPTED = "accepted", _("Accepted")
        SCHEDULED = "scheduled", _("Scheduled")
        IN_PROGRESS = "in_progress", _("In progress")
        FULFILLED = "fulfilled", _("Fulfilled")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        DISPUTED = "disputed", _("Disputed")

    number = models.CharField(max_length=12)
    redemption = models.OneToOneField(
        Redemption, on_delete=models.PROTECT, related_name="fulfilment_order"
    )
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="+", db_index=False)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    region = models.CharField(max_length=REGION_LENGTH, blank=True)
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the member would like it.")
    )
    state = models.CharField(max_length=11, choices=State.choices)
    version = models.PositiveIntegerField(default=1)
    round = models.PositiveSmallIntegerField(
        default=1, help_text=_("Each time staff send it out again, all partners may be asked.")
    )
    partner = models.ForeignKey(
        Partner,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="orders",
        db_index=False,
    )
    offering = models.ForeignKey(
        Offering,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="orders",
        db_index=False,
    )
    service_on = models.DateField(null=True, blank=True)
    price_minor = models.BigIntegerField(null=True, blank=True)
    verification_digest = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    offered_at = models.DateTimeField(null=True, blank=True)
    accept_by = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the service standard runs out.")
    )
    scheduled_for = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    failure_reason = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            # What partners and staff call it.
            models.UniqueConstraint(name="order_number_unique", fields=["number"]),
            # Without a partner there is nothing reserved; with one there always is.
            models.CheckConstraint(
                name="order_partner_whole",
                condition=Q(partner__isnull=True, offering__isnull=True, service_on__isnull=True)
                | Q(partner__isnull=False, offering__isnull=False, service_on__isnull=False),
            ),
            # Whoever works on it, or has delivered it, is known.
            models.CheckConstraint(
                name="order_partner_by_state",
                condition=Q(state="unassigned", partner__isnull=True)
                | Q(state__in=["cancelled", "failed"])
                | Q(partner__isnull=False) & ~Q(state="unassigned"),
            ),
            # What is settled has a price.
            models.CheckConstraint(
                name="order_price_once_accepted",
                condition=Q(state__in=["unassigned", "offered", "cancelled", "failed"])
                | Q(price_minor__gte=0),
            ),
            models.CheckConstraint(
                name="order_fulfilled_has_time",
                condition=~Q(state__in=["fulfilled", "disputed"]) | Q(fulfilled_at__isnull=False),
            ),
        ]
        indexes = [
            # Lists that follow changes: staff, and `updated_since`.
            models.Index(fields=["updated_at", "id"], name="order_by_change"),
            # The board, and the queue of orders without a partner.
            models.Index(
                fields=["state", "id"],
                name="order_open",
                condition=~Q(state__in=["fulfilled", "failed", "cancelled"]),
            ),
            # Offers that run out: the minute job.
            models.Index(
                fields=["accept_by"], name="order_accept_by", condition=Q(state="offered")
            ),
            # Late corrections: delivered, settled perhaps, and found undelivered in a dispute.
            models.Index(
                fields=["partner"],
                name="order_undone",
                condition=Q(state="failed", fulfilled_at__isnull=False),
            ),
            # Scorecard and settlement: what a partner closed in a period.
            models.Index(fields=["partner", "closed_at"], name="order_closed_by_partner"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderOffer(models.Model):
    """One partner being asked, with the score that chose it; the parts are kept to explain it.

    `number` counts the offers of the order. At most one is open, so an order is never with two
    partners at once. `updated_at` is the last change that this partner may see of the order.
    """

    class State(models.TextChoices):
        OFFERED = "offered", _("Offered")
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")
        TIMED_OUT = "timed_out", _("Timed out")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        HANDED_BACK = "handed_back", _("Handed back")

    # Offers have no meaning without their order.
    order = models.ForeignKey(
        FulfilmentOrder, on_delete=models.CASCADE, related_name="offers", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    round = models.PositiveSmallIntegerField(default=1)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="offers", db_index=False
    )
    offering = models.ForeignKey(
        Offering, on_delete=models.PROTECT, related_name="offers", db_index=False
    )
    service_on = models.DateField()
    price_minor = models.BigIntegerField()
    score = models.PositiveSmallIntegerField(help_text=_("0 to 10,000."))
    parts = models.JSONField()
    state = models.CharField(max_length=11, choices=State.choices, default=State.OFFERED)
    reason = models.CharField(max_length=200, blank=True)
    offered_at = models.DateTimeField()
    accept_by = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Also serves "the offers of one order".
            models.UniqueConstraint(name="order_offer_number", fields=["order", "number"]),
            models.UniqueConstraint(
                name="order_offer_one_open",
                fields=["order"],
                condition=Q(state__in=["offered", "accepted"]),
            ),
        ]
        indexes = [
            # A partner's own list of orders, which follows changes.
            models.Index(fields=["partner", "updated_at", "id"], name="order_offer_by_partner"),
            # Scorecards: what was answered in a period.
            models.Index(fields=["answered_at"], name="order_offer_answered"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}#{self.number}"


class OrderTransition(models.Model):
    """One step of an order. Append-only: a trigger refuses update, delete and truncate.

    `number` is the order's version after the step, so the timeline has no gap. Holds keys only:
    history neither blocks nor vanishes with live rows.
    """

    order_id = models.BigIntegerField()
    number = models.PositiveIntegerField()
    event = models.CharField(max_length=20, help_text=_("What happened, such as `declined`."))
    from_state = models.CharField(max_length=11, blank=True)
    to_state = models.CharField(max_length=11)
    partner_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=254, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # A step happens once; the timeline of an order reads this index.
            models.UniqueConstraint(name="order_transition_once", fields=["order_id", "number"]),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}#{self.number} {self.event}"


class OrderCharge(models.Model):
    """What a contract makes due for one thing that happened to an order, besides its price.

    Signed from the partner's side: a fee is above zero, a penalty below. The amount is fixed by
    the contract in force when the order was accepted, at the moment it falls due. Append-only:
    what was wrong is corrected on a statement.
    """

    class Kind(models.TextChoices):
        CANCEL_FEE = "cancel_fee", _("Called off too late")
        LATE_PENALTY = "late_penalty", _("Delivered late")
        FAILURE_PENALTY = "failure_penalty", _("Failed")
        HANDBACK_PENALTY = "handback_penalty", _("Handed back")

    order_id = models.BigIntegerField()
    partner_id = models.BigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    contract_id = models.BigIntegerField()
    on_date = models.DateField(help_text=_("Brand day on which it fell due."))
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # A thing is charged once to a partner; also finds the charges of an order.
            models.UniqueConstraint(
                name="order_charge_once", fields=["order_id", "partner_id", "kind"]
            ),
            models.CheckConstraint(
                name="order_charge_sign",
                condition=Q(kind="cancel_fee", amount_minor__gt=0)
                | ~Q(kind="cancel_fee") & Q(amount_minor__lt=0),
            ),
        ]
        indexes = [
            # Settlement: what fell due for a partner in a period.
            models.Index(fields=["partner_id", "at"], name="order_charge_of_partner"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind} {self.amount_minor}"


class CodeAttempts(models.Model):
    """Wrong verification codes for one order in the present window of 15 minutes.

    No foreign key: the count is committed on a connection of its own, because the refusal rolls
    the caller's transaction back and must not take the count with it.
    """

    order_id = models.BigIntegerField(primary_key=True)
    window_started_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"{self.order_id}: {self.attempts}"
