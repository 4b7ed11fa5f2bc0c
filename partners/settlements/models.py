"""Settlement: what each partner is owed for a month, and how the two sides come to agree on it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from partners.pool.models import Partner


class Statement(models.Model):
    """One partner's month: a total that is the sum of its lines (I10).

    Forward only: draft → sent → (disputed →) approved → paid. Terms are frozen as they were in
    force on the month's last day. `prepaid_minor` of the total is covered by what was paid ahead;
    the rest is to be paid. `booked_minor` is the part that the budget spent when orders were
    fulfilled; `extra_booked_minor` is what approving the statement has spent besides.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SENT = "sent", _("Sent")
        DISPUTED = "disputed", _("Disputed")
        APPROVED = "approved", _("Approved")
        PAID = "paid", _("Paid")

    number = models.CharField(max_length=48)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="statements", db_index=False
    )
    month = models.DateField(help_text=_("First day of the month."))
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1)
    currency = models.CharField(max_length=3)
    orders = models.PositiveIntegerField(default=0)
    service_minor = models.BigIntegerField(default=0)
    fees_minor = models.BigIntegerField(default=0)
    penalties_minor = models.BigIntegerField(default=0)
    commission_minor = models.BigIntegerField(default=0)
    corrections_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    booked_minor = models.BigIntegerField(default=0)
    extra_booked_minor = models.BigIntegerField(default=0)
    prepaid_minor = models.BigIntegerField(default=0)
    commission_bp = models.PositiveSmallIntegerField(default=0)
    objection_days = models.PositiveSmallIntegerField(default=10)
    payment_days = models.PositiveSmallIntegerField(default=30)
    computed_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    sent_by = models.CharField(max_length=60, blank=True)
    sent_by_label = models.CharField(max_length=120, blank=True)
    objection_until_on = models.DateField(
        null=True, blank=True, help_text=_("Last day on which the partner may dispute it.")
    )
    agreed_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=60, blank=True)
    approved_by_label = models.CharField(max_length=120, blank=True)
    due_on = models.DateField(null=True, blank=True, help_text=_("Pay by this day."))
    paid_on = models.DateField(null=True, blank=True)
    paid_reference = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="statement_number_unique", fields=["number"]),
            # A partner has one statement a month; also lists a partner's own, newest first.
            models.UniqueConstraint(name="statement_once_a_month", fields=["partner", "month"]),
            models.CheckConstraint(
                name="statement_sum",
                condition=Q(
                    total_minor=F("service_minor")
                    + F("fees_minor")
                    + F("penalties_minor")
                    + F("commission_minor")
                    + F("corrections_minor")
                ),
            ),
            models.CheckConstraint(
                name="statement_prepaid_within_total",
                condition=Q(prepaid_minor=0)
                | Q(prepaid_minor__gt=0, prepaid_minor__lte=F("total_minor")),
            ),
            # Four eyes, held by the database as well.
            models.CheckConstraint(
                name="statement_four_eyes",
                condition=Q(approved_by="") | ~Q(approved_by=F("sent_by")),
            ),
            models.CheckConstraint(
                name="statement_sent_whole",
                condition=Q(state="draft", sent_at__isnull=True, sent_by="")
                | ~Q(state="draft") & Q(sent_at__isnull=False) & ~Q(sent_by=""),
            ),
            models.CheckConstraint(
                name="statement_approved_whole",
                condition=Q(state__in=["approved", "paid"], approved_at__isnull=False)
                & ~Q(approved_by="")
                | ~Q(state__in=["approved", "paid"]) & Q(approved_at__isnull=True, approved_by=""),
            ),
            models.CheckConstraint(
                name="statement_paid_whole",
                condition=Q(state="paid", paid_on__isnull=False) & ~Q(paid_reference="")
                | ~Q(state="paid") & Q(paid_on__isnull=True, paid_reference=""),
            ),
        ]
        indexes = [
            # The console's list: newest month first.
            models.Index(fields=["-month", "state"], name="statement_by_month"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def to_pay_minor(self) -> int:
        """Return what is left to pay once what was paid ahead is taken off."""
        return self.total_minor - self.prepaid_minor

    @property
    def extras_minor(self) -> int:
        """Return fees, penalties and commission together."""
        return self.fees_minor + self.penalties_minor + self.commission_minor

    @property
    def in_budget_minor(self) -> int:
        """Return what the budget has spent for this statement, at fulfilment and on approval."""
        return self.booked_minor + self.extra_booked_minor


class StatementLine(models.Model):
    """One thing that a statement pays or takes off; the amount is signed.

    A `service` line is one fulfilled order at the price accepted. Charges of the contract, the
    month's fee and commission, and corrections of earlier lines have lines of their own. Never
    changed or deleted: append-only by trigger. Keys of orders, charges and benefits have no
    foreign key, since a month may have a million lines; the checks of this room hold them.
    """

    class Kind(models.TextChoices):
        SERVICE = "service", _("Delivered")
        CANCEL_FEE = "cancel_fee", _("Called off too late")
        LATE_PENALTY = "late_penalty", _("Delivered late")
        FAILURE_PENALTY = "failure_penalty", _("Failed")
        HANDBACK_PENALTY = "handback_penalty", _("Handed back")
        MONTHLY_FEE = "monthly_fee", _("Monthly fee")
        COMMISSION = "commission", _("Commission")
        CORRECTION = "correction", _("Correction")

    # Lines have no meaning without their statement, which is never deleted.
    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    order_id = models.BigIntegerField(null=True, blank=True)
    charge_id = models.BigIntegerField(null=True, blank=True)
    benefit_id = models.BigIntegerField(null=True, blank=True)
    correction_id = models.BigIntegerField(null=True, blank=True)
    on_date = models.DateField(help_text=_("Brand day of what it is for."))

    class Meta:
        constraints = [
            # I10: an order is paid for once, ever.
            models.UniqueConstraint(
                name="statement_line_order_once", fields=["order_id"], condition=Q(kind="service")
            ),
            models.UniqueConstraint(
                name="statement_line_charge_once",
                fields=["charge_id"],
                condition=Q(charge_id__isnull=False),
            ),
            models.UniqueConstraint(
                name="statement_line_correction_once",
                fields=["correction_id"],
                condition=Q(correction_id__isnull=False),
            ),
            models.UniqueConstraint(
                name="statement_line_monthly_once",
                fields=["statement", "kind"],
                condition=Q(kind__in=["monthly_fee", "commission"]),
            ),
            models.CheckConstraint(
                name="statement_line_whole",
                condition=Q(kind="service", order_id__isnull=False, amount_minor__gte=0)
                | Q(
                    kind__in=["cancel_fee", "late_penalty", "failure_penalty", "handback_penalty"],
                    order_id__isnull=False,
                    charge_id__isnull=False,
                )
                | Q(kind__in=["monthly_fee", "commission"], order_id__isnull=True)
                | Q(kind="correction", correction_id__isnull=False),
            ),
        ]
        indexes = [
            # A statement's lines, in their order.
            models.Index(fields=["statement", "id"], name="statement_line_list"),
        ]

    def __str__(self) -> str:
        return f"{self.statement_id} {self.kind} {self.amount_minor}"


class Correction(models.Model):
    """An amount to add to a partner's account, with the reason that its line will show.

    Waits for the partner's next statement until a line takes it up by its key. `line_id` is the
    line it corrects, if it corrects one. Append-only.
    """

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="corrections", db_index=False
    )
    line_id = models.BigIntegerField(null=True, blank=True)
    order_id = models.BigIntegerField(null=True, blank=True)
    benefit_id = models.BigIntegerField(null=True, blank=True)
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    on_date = models.DateField()
    made_by = models.CharField(max_length=60)
    made_by_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()
    key = models.UUIDField(unique=True, help_text=_("The same correction is made once."))

    class Meta:
        constraints = [
            models.CheckConstraint(name="correction_not_zero", condition=~Q(amount_minor=0)),
        ]
        indexes = [
            # A partner's corrections that may still wait.
            models.Index(fields=["partner", "id"], name="correction_of_partner"),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.amount_minor}"


class LineDispute(models.Model):
    """A partner's objection to one line, and how it ended; one per line.

    `expected_minor` is what the partner holds to be right. Upheld, the difference to the amount
    granted becomes a correction.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Accepted")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    # A dispute is about its line and is never parted from it.
    line = models.OneToOneField(StatementLine, on_delete=models.PROTECT, related_name="dispute")
    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="disputes", db_index=False
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    expected_minor = models.BigIntegerField(null=True, blank=True)
    granted_minor = models.BigIntegerField(null=True, blank=True)
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=60, blank=True)
    decided_by_label = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="dispute_decided_whole",
                condition=Q(state="open", decided_at__isnull=True)
                | ~Q(state="open") & Q(decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="dispute_granted_when_upheld",
                condition=Q(state="upheld", granted_minor__isnull=False)
                | ~Q(state="upheld") & Q(granted_minor__isnull=True),
            ),
        ]
        indexes = [
            # A statement's disputes, and whether one is open.
            models.Index(fields=["statement", "state"], name="dispute_of_statement"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.state}"


class DisputeMessage(models.Model):
    """One thing said in a dispute, by either side. Append-only but for its words."""

    dispute_id = models.BigIntegerField()
    by_kind = models.CharField(max_length=10)
    by_key = models.CharField(max_length=60)
    by_label = models.CharField(max_length=120, blank=True)
    text = models.CharField(max_length=2000, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            # The thread of a dispute.
            models.Index(fields=["dispute_id", "id"], name="dispute_message_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.by_kind}"


class PrepaidEntry(models.Model):
    """Money paid to a partner ahead (a pack), drawn by approved statements. Append-only.

    What is left = packs − refunds − draws. `key` makes the same entry once.
    """

    class Kind(models.TextChoices):
        PACK = "pack", _("Paid ahead")
        DRAW = "draw", _("Drawn by a statement")
        REFUND = "refund", _("Paid back")

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="prepaid", db_index=False
    )
    kind = models.CharField(max_length=6, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    statement_id = models.BigIntegerField(null=True, blank=True)
    reference = models.CharField(max_length=80, blank=True)
    on_date = models.DateField()
    by = models.CharField(max_length=60)
    by_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()
    key = models.UUIDField(unique=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="prepaid_positive", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="prepaid_draw_of_statement",
                condition=Q(kind="draw", statement_id__isnull=False)
                | ~Q(kind="draw") & Q(statement_id__isnull=True),
            ),
        ]
        indexes = [
            # A partner's account.
            models.Index(fields=["partner", "id"], name="prepaid_of_partner"),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.kind} {self.amount_minor}"
