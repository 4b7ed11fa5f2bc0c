"""The budget of a period and its agile reserve (DOMAIN §8).

Every movement is an entry, never changed. Two kinds of row are kept beside the entries so that
limits can be held without adding up history: the budget row (locked by staff operations only)
and a line's allowance, split into shards so that members who redeem at the same moment do not
queue behind one row. At every moment, per line:

    sum of allowance shards = planned + drawn - returned - committed - spent
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BudgetPolicy(models.Model):
    """The brand's rules for its budgets; no row means the defaults.

    `singleton` is always true and unique, so there is one row at most.
    """

    singleton = models.BooleanField(default=True, unique=True)
    reserve_share_bp = models.PositiveSmallIntegerField(
        default=2000, help_text=_("Share kept back, in basis points; 2000 is 20 %.")
    )
    floor_share_bp = models.PositiveSmallIntegerField(
        default=500, help_text=_("Floor of a new budget's reserve, in basis points of its total.")
    )
    approval_limit_minor = models.BigIntegerField(
        null=True,
        blank=True,
        help_text=_("What one person may add to plans in a day; above it somebody else decides."),
    )
    limit_before_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("What counted for whoever changed the limit last.")
    )
    limit_changed_by = models.CharField(max_length=60, blank=True)
    limit_changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="budget_policy_one_row", condition=models.Q(singleton=True)
            ),
            models.CheckConstraint(
                name="budget_policy_sane",
                condition=models.Q(
                    reserve_share_bp__lte=10_000,
                    floor_share_bp__lte=models.F("reserve_share_bp"),
                )
                & (
                    models.Q(approval_limit_minor__isnull=True)
                    | models.Q(approval_limit_minor__gte=0)
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reserve_share_bp} bp"


class Budget(models.Model):
    """Money for a period, half-open `[starts_on, ends_on)` in the brand's days.

    `opening_reserve_minor` is fixed when the budget is made (share of the total, rounded
    half-even once). Periods of one brand do not overlap (exclusion constraint of the migration).
    Total, reserve, currency and period never change and a closed budget stays closed: triggers
    refuse both. What was left, open and spent at the close is kept, so that what comes later
    shows beside it.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    name = models.CharField(max_length=80)
    starts_on = models.DateField()
    ends_on = models.DateField(help_text=_("First day after the period."))
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    reserve_share_bp = models.PositiveSmallIntegerField(
        default=2000, help_text=_("Share kept back, in basis points; 2000 is 20 %.")
    )
    opening_reserve_minor = models.BigIntegerField()
    floor_minor = models.BigIntegerField(
        default=0, help_text=_("An alert opens when less than this is left in reserve.")
    )
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.OPEN)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_reserve_minor = models.BigIntegerField(null=True, blank=True)
    closed_committed_minor = models.BigIntegerField(null=True, blank=True)
    closed_spent_minor = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="budget_period_order", condition=models.Q(starts_on__lt=models.F("ends_on"))
            ),
            models.CheckConstraint(
                name="budget_reserve_within_total",
                condition=models.Q(
                    total_minor__gt=0,
                    opening_reserve_minor__gte=0,
                    opening_reserve_minor__lte=models.F("total_minor"),
                    floor_minor__gte=0,
                ),
            ),
            # Closed, when and with how much reserve left go together.
            models.CheckConstraint(
                name="budget_closed_whole",
                condition=models.Q(
                    status="open",
                    closed_at__isnull=True,
                    closed_reserve_minor__isnull=True,
                    closed_committed_minor__isnull=True,
                    closed_spent_minor__isnull=True,
                )
                | models.Q(
                    status="closed",
                    closed_at__isnull=False,
                    closed_reserve_minor__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def plannable_minor(self) -> int:
        """Return what may be planned: the total without the opening reserve."""
        return self.total_minor - self.opening_reserve_minor


class BudgetLine(models.Model):
    """What part of a budget is for: a benefit, a package, the mall, points, a pilot."""

    class Kind(models.TextChoices):
        BENEFIT = "benefit", _("Benefit")
        PACKAGE = "package", _("Package")
        MALL = "mall", _("Points mall")
        POINTS = "points", _("Points cost")
        PILOT = "pilot", _("Pilot")

    class Policy(models.TextChoices):
        REFUSE = "refuse", _("Refuse what passes the plan")
        ALERT = "alert", _("Allow and raise an alert")

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="lines")
    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    target_id = models.BigIntegerField(
        null=True, blank=True, help_text=_("Key of the benefit or package, where it is one.")
    )
    policy = models.CharField(max_length=6, choices=Policy.choices, default=Policy.REFUSE)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="budget_line_code_once", fields=["budget", "code"]),
        ]

    def __str__(self) -> str:
        return self.code


class BudgetAllowance(models.Model):
    """One shard of what a line may still commit or spend.

    A commit takes from one shard by a conditional update. Below zero only where the line's
    policy allows it or a cost came out higher than was committed.
    """

    line = models.ForeignKey(BudgetLine, on_delete=models.PROTECT, related_name="allowances")
    shard = models.PositiveSmallIntegerField()
    left_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="budget_allowance_shard", fields=["line", "shard"]),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}/{self.shard}"


class BudgetEntry(models.Model):
    """One movement of a budget; append-only by trigger.

    Amounts are positive, except that a `plan` entry may take back what was planned and a `spend`
    entry below zero is a credit: money that came back after it had been spent. `key` is
    unique for ever: the same effect is booked once. `line` is empty for nothing but old imports.
    """

    class Kind(models.TextChoices):
        PLAN = "plan", _("Planned")
        COMMIT = "commit", _("Committed")
        SPEND = "spend", _("Spent")
        RELEASE = "release", _("Released")
        RESERVE_DRAW = "reserve_draw", _("Drawn from the reserve")
        RESERVE_RETURN = "reserve_return", _("Returned to the reserve")

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="entries")
    line = models.ForeignKey(BudgetLine, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=14, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()
    on_date = models.DateField(help_text=_("Brand day of the movement."))
    source_type = models.CharField(max_length=20, blank=True)
    source_id = models.BigIntegerField(null=True)
    key = models.UUIDField(unique=True)
    by = models.CharField(max_length=60)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="budget_entry_amount",
                condition=models.Q(amount_minor__gt=0)
                | (models.Q(kind__in=["plan", "spend"]) & ~models.Q(amount_minor=0)),
            ),
        ]
        indexes = [
            # Sums per line and kind, and burn per day for the tracker.
            models.Index(
                fields=["line", "kind", "on_date"],
                include=["amount_minor"],
                name="budget_entry_sums",
            ),
            # The entry list of a budget, newest first.
            models.Index(fields=["budget", "-id"], name="budget_entry_list"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor}"


class ReserveDraw(models.Model):
    """A request to use reserve money for a pilot, decided by somebody else than the asker."""

    class Purpose(models.TextChoices):
        PILOT = "pilot", _("Pilot")
        SUPPLY_SHOCK = "supply_shock", _("Supply shock")
        DEMAND_SHIFT = "demand_shift", _("Demand shift")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting for approval")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        RETURNED = "returned", _("Ended, rest returned")

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="draws")
    line = models.ForeignKey(BudgetLine, on_delete=models.PROTECT, related_name="draws")
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    reason = models.TextField(help_text=_("What the money is for, in a sentence or two."))
    amount_minor = models.BigIntegerField()
    exit_on = models.DateField(help_text=_("What is unspent on this day goes back."))
    state = models.CharField(max_length=9, choices=State.choices, default=State.REQUESTED)
    asked_by = models.CharField(max_length=60)
    asked_by_label = models.CharField(max_length=120, blank=True)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=60, blank=True)
    decided_by_label = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.CharField(max_length=200, blank=True)
    returned_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="reserve_draw_amounts",
                condition=models.Q(
                    amount_minor__gt=0,
                    returned_minor__gte=0,
                    returned_minor__lte=models.F("amount_minor"),
                ),
            ),
            # Four eyes, held by the database as well.
            models.CheckConstraint(
                name="reserve_draw_four_eyes",
                condition=models.Q(decided_by="") | ~models.Q(decided_by=models.F("asked_by")),
            ),
            models.CheckConstraint(
                name="reserve_draw_decided_whole",
                condition=models.Q(state="requested", decided_by="", decided_at__isnull=True)
                | models.Q(state="withdrawn", decided_by="")
                | (~models.Q(state__in=["requested", "withdrawn"]) & ~models.Q(decided_by="")),
            ),
            # Only people ask and decide: a key or a job is nobody's second pair of eyes.
            models.CheckConstraint(
                name="reserve_draw_people",
                condition=models.Q(asked_by__startswith="staff:")
                & (models.Q(decided_by="") | models.Q(decided_by__startswith="staff:")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.amount_minor}"


class PlanRevision(models.Model):
    """A change of a budget's plan: one line's, or a whole file's; applied whole or not at all.

    `changes` lists, per line, its code, what was planned and what is to be planned, and what a
    new line is for. A revision that adds more than the brand's limit waits for somebody else.
    `increase_minor` is the sum of what the lines gain. Revisions are numbered within a budget.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        REQUESTED = "requested", _("Waiting for approval")
        APPLIED = "applied", _("Applied")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    reason = models.CharField(max_length=300, blank=True)
    changes = models.JSONField()
    increase_minor = models.BigIntegerField()
    decrease_minor = models.BigIntegerField()
    needs_approval = models.BooleanField(default=False)
    file_name = models.CharField(max_length=120, blank=True)
    asked_by = models.CharField(max_length=60)
    asked_by_label = models.CharField(max_length=120, blank=True)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=60, blank=True)
    decided_by_label = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.CharField(max_length=200, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="plan_revision_number", fields=["budget", "number"]),
            models.CheckConstraint(
                name="plan_revision_amounts",
                condition=models.Q(increase_minor__gte=0, decrease_minor__gte=0),
            ),
            # Four eyes, held by the database as well: above the limit nobody applies their own.
            models.CheckConstraint(
                name="plan_revision_four_eyes",
                condition=(models.Q(decided_by="") | ~models.Q(decided_by=models.F("asked_by")))
                & (models.Q(decided_by="") | models.Q(decided_by__startswith="staff:"))
                & (~models.Q(state="applied", needs_approval=True) | ~models.Q(decided_by="")),
            ),
            models.CheckConstraint(
                name="plan_revision_applied_whole",
                condition=models.Q(state="applied", applied_at__isnull=False)
                | (~models.Q(state="applied") & models.Q(applied_at__isnull=True)),
            ),
        ]
        indexes = [
            # What waits for approval.
            models.Index(
                fields=["asked_at"],
                name="plan_revision_waiting",
                condition=models.Q(state="requested"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id}#{self.number}"


class ReserveSnapshot(models.Model):
    """What the reserve tracker found on one day; one row per budget and day, recomputed at will."""

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="snapshots")
    on_date = models.DateField()
    target_minor = models.BigIntegerField(help_text=_("Opening reserve."))
    left_minor = models.BigIntegerField()
    planned_minor = models.BigIntegerField()
    committed_minor = models.BigIntegerField()
    spent_minor = models.BigIntegerField()
    burn_per_day_minor = models.BigIntegerField(help_text=_("Mean spend of the last 28 days."))
    exhausted_on = models.DateField(null=True, help_text=_("When the whole budget would be spent."))
    projected_low_minor = models.BigIntegerField()
    projected_minor = models.BigIntegerField()
    projected_high_minor = models.BigIntegerField()
    free_share_bp = models.IntegerField(help_text=_("Reserve left over the total."))
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="reserve_snapshot_daily", fields=["budget", "on_date"]),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.on_date}"

    @property
    def free_share(self) -> float:
        """Return the share of the total that is free for fast response, as a ratio."""
        return self.free_share_bp / 10_000
