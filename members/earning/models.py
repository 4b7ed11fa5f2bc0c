"""How purchases and other acts become points and growth."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(models.TextChoices):
    """The life of a rule or campaign: draft → active ⇄ paused → ended."""

    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    ENDED = "ended", _("Ended")


class Campaign(models.Model):
    """More points for a time: a multiplier on what rules give, or a bonus of its own.

    A multiplier acts on the rules in `rule_ids` (none named: on all) for purchases that fit
    stores, channels, categories (a line of one is enough) and the condition. Of those with
    `best` that fit, the greatest holds; each with `multiply` comes on top. A bonus gives its
    points once per purchase, by a rule of its own (`EarningRule.campaign`), so that caps,
    refunds and explanations are those of rules. Both act on points of purchases, never on growth.
    """

    class Effect(models.TextChoices):
        MULTIPLIER = "multiplier", pgettext_lazy("campaign", "Multiplier")
        BONUS = "bonus", pgettext_lazy("campaign", "Bonus points")

    class Combine(models.TextChoices):
        BEST = "best", _("Only the greatest multiplier counts")
        MULTIPLY = "multiply", _("Comes on top of the others")

    Status = Status

    name = models.CharField(max_length=80)
    effect = models.CharField(max_length=12, choices=Effect.choices)
    multiplier_bp = models.PositiveIntegerField(
        default=10_000, help_text=_("Multiplier in basis points; 20,000 is double.")
    )
    points = models.PositiveIntegerField(default=0, help_text=_("Points of a bonus."))
    combine = models.CharField(max_length=8, choices=Combine.choices, default=Combine.BEST)
    rule_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    categories = models.JSONField(
        default=list, blank=True, help_text=_("A line of one of these is enough; empty: all.")
    )
    stores = models.JSONField(default=list, blank=True, help_text=_("Empty: all."))
    channels = models.JSONField(default=list, blank=True, help_text=_("Empty: all."))
    condition = models.JSONField(null=True, blank=True, help_text=_("Which members; empty: all."))
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="campaign_period", condition=models.Q(ends_at__gt=models.F("starts_at"))
            ),
            # A multiplier has no points of its own, a bonus no multiplier.
            models.CheckConstraint(
                name="campaign_effect",
                condition=models.Q(effect="multiplier", points=0, multiplier_bp__gt=0)
                | models.Q(effect="bonus", points__gt=0, multiplier_bp=10_000),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EarningRule(models.Model):
    """What is earned for what; each rounds down once. See `rules` for the sum.

    `per_unit`: `points` for each `unit_minor` of the amount, in proportion. `fixed`: `points`
    once. Rules with `stacking` = `sum` add up. Of those that share a `stack_group`, one gives:
    the one that would give the most before its caps (`best`), or the first by priority (`first`).
    Tier and campaign multipliers act on points, never on growth, so that a tier does not earn
    itself.
    """

    class Effect(models.TextChoices):
        PER_UNIT = "per_unit", _("Points per amount")
        FIXED = "fixed", _("Fixed points")

    class Stacking(models.TextChoices):
        SUM = "sum", _("Adds up with all others")
        BEST = "best", _("The best of its group")
        FIRST = "first", _("The first of its group")

    class CategoryMode(models.TextChoices):
        ONLY = "only", _("Only these categories")
        EXCEPT = "except", _("All but these categories")

    class Wallets(models.TextChoices):
        POINTS = "points", _("Points")
        GROWTH = "growth", _("Growth")
        BOTH = "both", _("Points and growth")

    Status = Status

    name = models.CharField(max_length=80)
    trigger = models.CharField(
        max_length=20, default="purchase", help_text=_("What sets the rule off.")
    )
    event_name = models.CharField(
        max_length=60, blank=True, help_text=_("Name of the event, for rules on events.")
    )
    effect = models.CharField(max_length=12, choices=Effect.choices)
    wallets = models.CharField(max_length=8, choices=Wallets.choices, default=Wallets.BOTH)
    points = models.PositiveIntegerField(default=0, help_text=_("Points per unit, or fixed."))
    unit_minor = models.PositiveBigIntegerField(
        default=100, help_text=_("Amount in minor units that earns the points.")
    )
    categories = models.JSONField(
        default=list, blank=True, help_text=_("Categories whose lines count; empty: all.")
    )
    category_mode = models.CharField(
        max_length=6, choices=CategoryMode.choices, default=CategoryMode.ONLY
    )
    stores = models.JSONField(default=list, blank=True, help_text=_("Empty: all."))
    channels = models.JSONField(default=list, blank=True, help_text=_("Empty: all."))
    condition = models.JSONField(null=True, blank=True, help_text=_("Which members; empty: all."))
    pending_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Days until the points can be spent.")
    )
    cap_per_day = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Most points per member and day from this rule.")
    )
    cap_per_month = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Most points per member and month from this rule.")
    )
    stacking = models.CharField(max_length=8, choices=Stacking.choices, default=Stacking.SUM)
    stack_group = models.CharField(
        max_length=40, blank=True, help_text=_("Of the rules of one group, only one gives.")
    )
    priority = models.PositiveSmallIntegerField(
        default=100, help_text=_("Lower ones go first within their group.")
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    # The campaign whose bonus this is; such a rule lives and ends with it.
    campaign = models.OneToOneField(
        Campaign, on_delete=models.PROTECT, null=True, blank=True, related_name="bonus_rule"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="earning_rule_period",
                condition=models.Q(starts_at__isnull=True)
                | models.Q(ends_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at")),
            ),
            models.CheckConstraint(
                name="earning_rule_unit_positive", condition=models.Q(unit_minor__gt=0)
            ),
            # A rule competes only within a group that has a name.
            models.CheckConstraint(
                name="earning_rule_group",
                condition=models.Q(stacking="sum", stack_group="")
                | (~models.Q(stacking="sum") & ~models.Q(stack_group="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Earning(models.Model):
    """What one rule gave for one purchase in one wallet: the decision and its posting.

    One per purchase, rule and wallet, so a purchase earns once; the same three name the journal
    entry (`_keys.earning_key`). `reversed` grows with refunds up to `amount`. `on_date` is the
    purchase's brand day: caps count by it, and `is_capped` says that the rule has one.

    How the amount was made: `eligible_minor` of the purchase counted and gave `base` by the
    rule's rate; with `tier_bp` and `campaign_bp` (of `campaigns`) that made `raw`; what a cap
    cut off is `raw` - `amount`. Where a cap left nothing the row stays, with `amount` 0 and no
    posting. Growth has no multipliers.

    The database holds no foreign keys here: rows are written only by this room, for a purchase
    it has just added or locked, and neither purchases, members nor rules are ever deleted. They
    would cost three look-ups for each row, in the path of every purchase.
    """

    pk = models.CompositePrimaryKey("purchase", "rule", "wallet")
    purchase = models.ForeignKey(
        "members.Purchase",
        on_delete=models.PROTECT,
        related_name="earnings",
        db_constraint=False,
        db_index=False,
    )
    rule = models.ForeignKey(
        EarningRule,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    amount = models.BigIntegerField()
    reversed = models.BigIntegerField(default=0, db_default=0)
    eligible_minor = models.BigIntegerField()
    on_date = models.DateField()
    tier_bp = models.PositiveIntegerField(null=True)
    campaign_bp = models.PositiveIntegerField(null=True)
    is_capped = models.BooleanField(default=False)
    wallet = models.CharField(max_length=8)
    # Null in rows from before these were kept.
    base = models.BigIntegerField(null=True)
    raw = models.BigIntegerField(null=True)
    campaigns = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="earning_reversed_within",
                condition=models.Q(amount__gte=0)
                & models.Q(reversed__gte=0)
                & models.Q(reversed__lte=models.F("amount")),
            ),
        ]
        indexes = [
            # Caps: what a rule gave a member on a day or in a month.
            models.Index(
                fields=["member", "rule", "on_date"],
                name="earning_caps",
                condition=models.Q(is_capped=True),
            ),
            # What rules and campaigns gave in a span of days: rows lie by their days on disk.
            BrinIndex(fields=["on_date"], name="earning_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id} {self.wallet} {self.amount}"

    @property
    def cut(self) -> int:
        """What the caps of the rule cut off."""
        return 0 if self.raw is None else self.raw - self.amount


class OccasionEarning(models.Model):
    """What one rule gave a member in one wallet on an occasion that is no purchase.

    `occasion` names it: `enrolment`, `birthday:2026`, `event:12`, `referral:7`, … It is unique
    per member, rule and wallet, so that an occasion earns once however often it is told.
    `raw` is the amount before caps; where a cap left nothing the row stays with `amount` 0.
    """

    rule = models.ForeignKey(
        EarningRule, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    wallet = models.CharField(max_length=8)
    occasion = models.CharField(max_length=80)
    on_date = models.DateField()
    amount = models.BigIntegerField()
    raw = models.BigIntegerField()
    tier_bp = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # One effect per occasion; its first columns serve caps and the foreign key.
            models.UniqueConstraint(
                name="occasion_earning_once", fields=["member", "rule", "wallet", "occasion"]
            ),
            models.CheckConstraint(
                name="occasion_earning_amounts",
                condition=models.Q(amount__gte=0, raw__gte=models.F("amount")),
            ),
        ]
        indexes = [
            # What a rule gave, newest first; serves the foreign key.
            models.Index(fields=["rule", "-id"], name="occasion_earning_by_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.occasion} {self.wallet} {self.amount}"


class EarningBoost(models.Model):
    """A time in which one member's purchases earn more points, switched on by `source`.

    Counts like a campaign multiplier. One per source, so that switching on twice does it once.
    """

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    multiplier_bp = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    source_type = models.CharField(max_length=20)
    source_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="earning_boost_once", fields=["source_type", "source_id"]),
            models.CheckConstraint(
                name="earning_boost_multiplies", condition=models.Q(multiplier_bp__gt=10_000)
            ),
            models.CheckConstraint(
                name="earning_boost_period",
                condition=models.Q(starts_at__lte=models.F("ends_at")),
            ),
        ]
        indexes = [
            # A purchase's question: what holds for this member at this time?
            models.Index(fields=["member", "ends_at"], name="earning_boost_of_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} ×{self.multiplier_bp}"
