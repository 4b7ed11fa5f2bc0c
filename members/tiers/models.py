"""Tier schemes, the tier each member holds, and the evidence of every change."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class TierScheme(models.Model):
    """A version of the brand's tiers. Published once, then never edited: a trigger refuses it.

    In force on a day: the published version with the highest number among those whose
    `starts_on` has come. `replaced` marks one that a later version has followed.
    """

    class Metric(models.TextChoices):
        GROWTH = "growth", _("Growth")
        SPEND = "spend", _("Spend")
        ORDERS = "orders", _("Orders")
        POINTS_EARNED = "points_earned", _("Points earned")

    class Window(models.TextChoices):
        LIFETIME = "lifetime", _("Lifetime")
        ROLLING = "rolling", _("Rolling months")
        CALENDAR_YEAR = "calendar_year", _("Calendar year")
        ANNIVERSARY_YEAR = "anniversary_year", _("Anniversary year")

    class DowngradePolicy(models.TextChoices):
        ONE_STEP = "one_step", _("One step down")
        RECOMPUTE = "recompute", _("Down to the tier earned")
        NEVER = "never", _("Never")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        REPLACED = "replaced", _("Replaced")

    version = models.PositiveIntegerField(unique=True)
    metric = models.CharField(
        max_length=16, choices=Metric.choices, help_text=_("What counts towards a tier.")
    )
    window = models.CharField(
        max_length=16, choices=Window.choices, help_text=_("Over which time it counts.")
    )
    window_months = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Length of a rolling window.")
    )
    downgrade_policy = models.CharField(
        max_length=12,
        choices=DowngradePolicy.choices,
        default=DowngradePolicy.ONE_STEP,
        help_text=_("Where a member goes who no longer meets the keep threshold."),
    )
    notice_days = models.PositiveSmallIntegerField(
        default=14, help_text=_("How long before a downgrade the member is told.")
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    starts_on = models.DateField(null=True, blank=True, help_text=_("In force from this day."))
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # A rolling window has a length, the others have none.
            models.CheckConstraint(
                name="tier_scheme_window_length",
                condition=models.Q(window="rolling", window_months__range=(1, 120))
                | (~models.Q(window="rolling") & models.Q(window_months__isnull=True)),
            ),
            # What is published has a first day.
            models.CheckConstraint(
                name="tier_scheme_published_has_start",
                condition=models.Q(status="draft")
                | models.Q(starts_on__isnull=False, published_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version}"

    def is_in_force(self, on: date) -> bool:
        """Say whether its day has come; of several, the highest version is the one in force."""
        return (
            self.status != self.Status.DRAFT and self.starts_on is not None and self.starts_on <= on
        )


class Tier(models.Model):
    """One step of a scheme. Rank 1 is where every member begins: its thresholds are zero."""

    # A draft's tiers go with it; published schemes are never deleted.
    scheme = models.ForeignKey(TierScheme, on_delete=models.CASCADE, related_name="tiers")
    rank = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=30)
    name = models.JSONField(help_text=_("Name by language."))
    colour = models.CharField(max_length=7, default="#7a7f87")
    entry_threshold = models.BigIntegerField(help_text=_("Metric needed to reach the tier."))
    keep_threshold = models.BigIntegerField(help_text=_("Metric needed to keep the tier."))
    multiplier_bp = models.PositiveIntegerField(
        default=10_000, help_text=_("Points multiplier in basis points; 10,000 is once.")
    )
    grace_days = models.PositiveSmallIntegerField(
        default=0, help_text=_("Days below the keep threshold before the tier is lost.")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="tier_rank_once", fields=["scheme", "rank"]),
            models.UniqueConstraint(name="tier_code_once", fields=["scheme", "code"]),
            # Everybody meets the first tier.
            models.CheckConstraint(
                name="tier_first_is_open",
                condition=models.Q(rank__gt=1) | models.Q(entry_threshold=0, keep_threshold=0),
            ),
            # Keeping is never harder than entering.
            models.CheckConstraint(
                name="tier_keep_within_entry",
                condition=models.Q(rank__gte=1)
                & models.Q(keep_threshold__gte=0)
                & models.Q(keep_threshold__lte=models.F("entry_threshold")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class MemberTier(models.Model):
    """The tier a member holds now. Without a row the member holds the first tier.

    `metric_value` and `evaluated_on` are of the day when the row last changed. `valid_until` (year windows only) is
    the first day on which the tier must have been earned again. `grace_until` is set while the
    tier is in danger: the day on which it is lost unless the keep threshold is met before.
    `is_due` asks the next night to look at the member whatever else: a refund sets it. `spare`
    (rolling windows) is at most what the member has above the keep threshold: what leaves the
    window lowers it, and nothing needs to be looked at until it is below zero.

    `tier` is what counts everywhere. While a pin (`TierPin`) applies to the member,
    `earned_tier` is what the metric alone would give, on which the other columns then are;
    without a pin it is empty and `tier` is the tier earned.
    """

    # A tier says nothing without its member.
    member = models.OneToOneField(
        "members.Member", on_delete=models.CASCADE, primary_key=True, related_name="tier_state"
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    earned_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    since = models.DateTimeField()
    evaluated_on = models.DateField()
    metric_value = models.BigIntegerField()
    valid_until = models.DateField(null=True)
    grace_until = models.DateField(null=True)
    is_due = models.BooleanField(default=False, db_default=False)
    spare = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            # Tier sizes, audiences by tier.
            models.Index(fields=["tier"], name="member_tier_by_tier"),
            # Who is in danger of losing the tier, soonest first.
            models.Index(
                fields=["grace_until"],
                name="member_tier_in_grace",
                condition=models.Q(grace_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.tier_id}"


class TierRun(models.Model):
    """One nightly evaluation: of which day, under which scheme, and what came of it.

    A night looks only at members for whom something can have changed since the last run of the
    same scheme in the same time zone; `is_full` says that it looked at all.
    """

    on = models.DateField(primary_key=True)
    at = models.DateTimeField()
    scheme_version = models.PositiveIntegerField()
    is_full = models.BooleanField()
    looked_at = models.PositiveIntegerField(help_text=_("Members that this run looked at."))
    upgraded = models.PositiveIntegerField()
    downgraded = models.PositiveIntegerField()
    told = models.PositiveIntegerField(help_text=_("Members told that they may lose a tier."))
    zone = models.CharField(max_length=64, default="", db_default="")

    def __str__(self) -> str:
        return f"{self.on}"


class TierChange(models.Model):
    """One change of one member's tier, with its evidence. Append-only.

    The metric was `metric_value` over the brand days [`window_from`, `window_to`) of the time zone
    `zone`, from the growth or points journal up to `journal_seq`; spend and orders from the
    purchases `purchase_ids` of these days less the refunds `refund_ids`, which are all that was
    known then: what comes or goes back later changes nothing of it. A rise met `threshold` (the entry threshold), a fall missed it (the keep threshold). Where a pin is
    the cause, `pin` is the evidence and there is no metric.

    `earned_tier` is the tier earned after the change (empty in old rows: `to_tier`). A change of
    what is earned under a pin that hides it has the same tier on both sides.
    """

    class Cause(models.TextChoices):
        PURCHASE = "purchase", _("Purchase")
        IMPORT = "import", _("Import")
        EVENT = "event", _("Event")
        ADJUSTMENT = "adjustment", _("Adjustment")
        NIGHTLY = "nightly", _("Nightly evaluation")
        SCHEME = "scheme", _("New scheme")
        PAID = "paid", _("Paid membership")
        PAID_ENDED = "paid_ended", _("Paid membership ended")
        OVERRIDE = "override", _("Set by hand")
        OVERRIDE_ENDED = "override_ended", _("Setting by hand ended")
        BENEFIT = "benefit", _("Upgrade by a benefit")
        BENEFIT_ENDED = "benefit_ended", _("Upgrade by a benefit ended")
        MERGE = "merge", _("Merge of two members")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_changes"
    )
    from_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    to_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    earned_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    at = models.DateTimeField()
    cause = models.CharField(max_length=16, choices=Cause.choices)
    metric_value = models.BigIntegerField(null=True)
    threshold = models.BigIntegerField(null=True)
    window_from = models.DateField(null=True)
    window_to = models.DateField(null=True)
    journal_seq = models.BigIntegerField(null=True)
    purchase_ids = ArrayField(models.BigIntegerField(), null=True)
    refund_ids = ArrayField(models.BigIntegerField(), null=True)
    # The purchase that was being recorded, so that sending it again tells of this change again.
    by_purchase_id = models.BigIntegerField(null=True)
    scheme_version = models.PositiveIntegerField()
    zone = models.CharField(max_length=64, null=True)
    pin = models.ForeignKey(
        "members.TierPin", on_delete=models.PROTECT, null=True, related_name="changes",
        db_index=False,
    )  # fmt: skip

    class Meta:
        constraints = [
            # Something changes: what is held, or what is earned under a pin.
            models.CheckConstraint(
                name="tier_change_changes",
                condition=~models.Q(from_tier=models.F("to_tier"))
                | models.Q(earned_tier__isnull=False),
            ),
            # No change without evidence: the metric and its threshold, or a pin.
            models.CheckConstraint(
                name="tier_change_evidence",
                condition=models.Q(
                    pin__isnull=True,
                    metric_value__isnull=False,
                    threshold__isnull=False,
                    window_to__isnull=False,
                )
                | models.Q(pin__isnull=False, metric_value__isnull=True, threshold__isnull=True),
            ),
        ]
        indexes = [
            # A member's history, newest first; the chain check.
            models.Index(fields=["member", "-id"], name="tier_change_by_member"),
            # Moves of a period, for the overview.
            models.Index(fields=["at"], name="tier_change_at"),
            # What a purchase that is sent again has changed.
            models.Index(
                fields=["by_purchase_id"],
                name="tier_change_by_purchase",
                condition=models.Q(by_purchase_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.from_tier_id}→{self.to_tier_id}"

    @property
    def is_up(self) -> bool:
        """Whether the tier held is a higher one than before; reads both tiers."""
        return self.to_tier.rank > self.from_tier.rank


class TierPin(models.Model):
    """What holds a member's tier whatever the metric says: paid, decided by staff, or a benefit.

    For the brand days [`starts_on`, `ends_on`); in effect from `applied_at` to `ended_at`, which
    the operation or the night writes together with the tier. `at_least`: the higher of this tier
    and the one earned. `exactly`: this one; it wins over every other pin. `tier` is of the scheme
    of its day and counts by its code under later ones.
    """

    class Source(models.TextChoices):
        PAID = "paid", _("Paid membership")
        OVERRIDE = "override", _("Set by hand")
        BENEFIT = "benefit", _("Upgrade by a benefit")

    class Mode(models.TextChoices):
        AT_LEAST = "at_least", _("At least")
        EXACTLY = "exactly", _("Exactly")

    class Ending(models.TextChoices):
        EXPIRED = "expired", _("Expired")
        LAPSED = "lapsed", _("Lapsed")
        RENEWED = "renewed", _("Renewed")
        REFUNDED = "refunded", _("Refunded")
        REPLACED = "replaced", _("Replaced")
        LIFTED = "lifted", _("Lifted")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_pins", db_index=False
    )
    source = models.CharField(max_length=8, choices=Source.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", db_index=False)
    starts_on = models.DateField()
    ends_on = models.DateField()
    reason = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=8, choices=Ending.choices, blank=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tier_pin_dates", condition=models.Q(starts_on__lte=models.F("ends_on"))
            ),
            # Only staff hold a member down, and they say why; a benefit says which use of it.
            models.CheckConstraint(
                name="tier_pin_source",
                condition=models.Q(source="paid", mode="at_least")
                | (models.Q(source="benefit", mode="at_least") & ~models.Q(reason=""))
                | (models.Q(source="override") & ~models.Q(reason="")),
            ),
            models.CheckConstraint(
                name="tier_pin_ended_whole",
                condition=models.Q(ended_at__isnull=True, ending="")
                | (models.Q(ended_at__isnull=False) & ~models.Q(ending="")),
            ),
            # One decision by hand at a time.
            models.UniqueConstraint(
                name="tier_pin_one_override",
                fields=["member"],
                condition=models.Q(source="override", ended_at__isnull=True),
            ),
            # One use of a benefit lifts once.
            models.UniqueConstraint(
                name="tier_pin_once_per_use",
                fields=["member", "reason"],
                condition=models.Q(source="benefit"),
            ),
        ]
        indexes = [
            # What holds one member; history on the member's page.
            models.Index(fields=["member", "-id"], name="tier_pin_by_member"),
            # What ends, or is to be told of, by a day.
            models.Index(
                fields=["ends_on"],
                name="tier_pin_ends",
                condition=models.Q(ended_at__isnull=True),
            ),
            # What begins by a day.
            models.Index(
                fields=["starts_on"],
                name="tier_pin_starts",
                condition=models.Q(applied_at__isnull=True, ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.mode} {self.tier_id}"

    @property
    def state(self) -> str:
        """Return `scheduled`, `active`, or how it ended."""
        if self.ended_at is not None:
            return self.ending
        return "active" if self.applied_at is not None else "scheduled"


class PaidPlan(models.Model):
    """A membership that can be bought: which tier for how long at what price.

    Terms that were bought keep their own price, length and grace when the plan changes.
    """

    code = models.SlugField(max_length=30, unique=True)
    name = models.JSONField(help_text=_("Name by language."))
    tier_code = models.SlugField(max_length=30, help_text=_("The tier that it gives at least."))
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    period_months = models.PositiveSmallIntegerField(help_text=_("How long one payment lasts."))
    renews = models.BooleanField(
        default=True, help_text=_("Whether a payment is expected at the end of each period.")
    )
    grace_days = models.PositiveSmallIntegerField(
        default=0, help_text=_("Days after the period in which a renewal may still be paid.")
    )
    is_offered = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="paid_plan_terms",
                condition=models.Q(
                    price_minor__gte=0, period_months__range=(1, 120), grace_days__lte=90
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class PaidTerm(models.Model):
    """One payment for one period of a plan, for the brand days [`starts_on`, `ends_on`).

    The payment itself is the brand's business; `reference` names it and is unique for ever, so
    that the same payment sent again changes nothing. A renewal follows `previous` without a gap.
    """

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="paid_terms", db_index=False
    )
    plan = models.ForeignKey(PaidPlan, on_delete=models.PROTECT, related_name="terms")
    # The term is nothing without what it holds.
    pin = models.OneToOneField(TierPin, on_delete=models.PROTECT, related_name="term")
    previous = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="renewals", db_index=False
    )
    reference = models.CharField(max_length=100)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    starts_on = models.DateField()
    ends_on = models.DateField()
    grace_days = models.PositiveSmallIntegerField()
    renews = models.BooleanField()
    paid_at = models.DateTimeField()
    renewal_told_at = models.DateTimeField(null=True)
    refunded_minor = models.BigIntegerField(default=0)
    refunded_at = models.DateTimeField(null=True)
    refund_reference = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="paid_term_reference_once", fields=["reference"]),
            # A term is followed by one other, unless that was given back.
            models.UniqueConstraint(
                name="paid_term_renewed_once",
                fields=["previous"],
                condition=models.Q(refunded_at__isnull=True),
            ),
            models.CheckConstraint(
                name="paid_term_amounts",
                condition=models.Q(
                    price_minor__gte=0,
                    refunded_minor__gte=0,
                    refunded_minor__lte=models.F("price_minor"),
                    starts_on__lt=models.F("ends_on"),
                ),
            ),
            models.CheckConstraint(
                name="paid_term_refund_whole",
                condition=models.Q(refunded_at__isnull=True, refunded_minor=0, refund_reference="")
                | (models.Q(refunded_at__isnull=False) & ~models.Q(refund_reference="")),
            ),
        ]
        indexes = [
            # A member's terms, newest first.
            models.Index(fields=["member", "-id"], name="paid_term_by_member"),
            # Revenue of a time.
            models.Index(fields=["paid_at"], name="paid_term_paid"),
            models.Index(
                fields=["refunded_at"],
                name="paid_term_refunded",
                condition=models.Q(refunded_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class TierWelcome(models.Model):
    """That a member was welcomed to a tier: once per member and tier, for ever. Append-only."""

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tier_code = models.SlugField(max_length=30)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="tier_welcome_once", fields=["member", "tier_code"]),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.tier_code}"


class TierSimulation(models.Model):
    """A draft of a scheme that somebody wanted tried out; nothing of it counts for anybody.

    `draft` is `values.SchemeDraft` as JSON, `job_id` the work in `public` that fills `result`:
    moves and costs by tier, without members. Kept for 90 days.
    """

    draft = models.JSONField()
    asked_by = models.CharField(max_length=60)
    asked_at = models.DateTimeField()
    job_id = models.BigIntegerField(null=True)
    result = models.JSONField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # What was found has its time.
            models.CheckConstraint(
                name="tier_simulation_finished",
                condition=models.Q(("result__isnull", True), ("finished_at__isnull", True))
                | models.Q(("result__isnull", False), ("finished_at__isnull", False)),
            ),
        ]

    def __str__(self) -> str:
        return f"simulation {self.pk}"
