"""Tier schemes, the tier each member holds, and the evidence of every change."""

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
    """

    # A tier says nothing without its member.
    member = models.OneToOneField(
        "members.Member", on_delete=models.CASCADE, primary_key=True, related_name="tier_state"
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
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
    same scheme; `is_full` says that it looked at all.
    """

    on = models.DateField(primary_key=True)
    at = models.DateTimeField()
    scheme_version = models.PositiveIntegerField()
    is_full = models.BooleanField()
    looked_at = models.PositiveIntegerField(help_text=_("Members that this run looked at."))
    upgraded = models.PositiveIntegerField()
    downgraded = models.PositiveIntegerField()
    told = models.PositiveIntegerField(help_text=_("Members told that they may lose a tier."))

    def __str__(self) -> str:
        return f"{self.on}"


class TierChange(models.Model):
    """One change of one member's tier, with its evidence. Append-only.

    The metric was `metric_value` over the brand days [`window_from`, `window_to`), from the
    growth or points journal up to `journal_seq` (null for other metrics). An upgrade met
    `threshold` (the entry threshold), a downgrade missed it (the keep threshold).
    """

    class Cause(models.TextChoices):
        PURCHASE = "purchase", _("Purchase")
        IMPORT = "import", _("Import")
        EVENT = "event", _("Event")
        ADJUSTMENT = "adjustment", _("Adjustment")
        NIGHTLY = "nightly", _("Nightly evaluation")
        SCHEME = "scheme", _("New scheme")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_changes"
    )
    from_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    to_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    cause = models.CharField(max_length=12, choices=Cause.choices)
    metric_value = models.BigIntegerField()
    threshold = models.BigIntegerField()
    window_from = models.DateField(null=True)
    window_to = models.DateField()
    journal_seq = models.BigIntegerField(null=True)
    scheme_version = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tier_change_changes",
                condition=~models.Q(from_tier=models.F("to_tier")),
            ),
        ]
        indexes = [
            # A member's history, newest first; the chain check.
            models.Index(fields=["member", "-id"], name="tier_change_by_member"),
            # Moves of a period, for the overview.
            models.Index(fields=["at"], name="tier_change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.from_tier_id}→{self.to_tier_id}"
