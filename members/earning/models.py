"""How purchases and other acts become points and growth."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EarningRule(models.Model):
    """What is earned for what. All matching rules add up; each rounds down once.

    `per_unit`: `points` for each `unit_minor` of the amount, in proportion. `fixed`: `points`
    once. `multiplier`: nothing of its own, but `multiplier_bp` on the points of the other rules;
    where several match, the greatest holds. Tier and campaign multipliers act on points, never
    on growth, so that a tier does not earn itself.
    """

    class Effect(models.TextChoices):
        PER_UNIT = "per_unit", _("Points per amount")
        FIXED = "fixed", _("Fixed points")
        MULTIPLIER = "multiplier", _("Campaign multiplier")

    class Wallets(models.TextChoices):
        POINTS = "points", _("Points")
        GROWTH = "growth", _("Growth")
        BOTH = "both", _("Points and growth")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    name = models.CharField(max_length=80)
    trigger = models.CharField(
        max_length=20, default="purchase", help_text=_("What sets the rule off.")
    )
    effect = models.CharField(max_length=12, choices=Effect.choices)
    wallets = models.CharField(max_length=8, choices=Wallets.choices, default=Wallets.BOTH)
    points = models.PositiveIntegerField(default=0, help_text=_("Points per unit, or fixed."))
    unit_minor = models.PositiveBigIntegerField(
        default=100, help_text=_("Amount in minor units that earns the points.")
    )
    multiplier_bp = models.PositiveIntegerField(
        default=10_000, help_text=_("Campaign multiplier in basis points; 10,000 is once.")
    )
    categories = models.JSONField(
        default=list, blank=True, help_text=_("Only lines of these categories count; empty: all.")
    )
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
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
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
        ]

    def __str__(self) -> str:
        return self.name


class Earning(models.Model):
    """What one rule gave for one purchase in one wallet: the decision and its posting.

    One per purchase, rule and wallet, so a purchase earns once; the same three name the journal
    entry (`_keys.earning_key`). `reversed` grows with refunds up to `amount`. `on_date` is the
    purchase's brand day: caps count by it, and `is_capped` says that the rule has one.
    `eligible_minor`, `tier_bp` and `campaign_bp` are the numbers that the amount was made of;
    growth has no multipliers.

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

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="earning_reversed_within",
                condition=models.Q(amount__gt=0)
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
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id} {self.wallet} {self.amount}"
