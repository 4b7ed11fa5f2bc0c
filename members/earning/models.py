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

    Unique per purchase, rule and wallet, so a purchase earns once; the same three name the
    journal entry (`_keys.earning_key`). `reversed` grows with refunds up to `amount`. `trace`
    holds the numbers the decision was made of. `on_date` is the purchase's brand day: caps count
    by it.
    """

    # No constraints and no indexes of their own in the database: an earning is written only
    # beside its purchase, whose member is locked, and the indexes below serve all that is asked.
    # Three look-ups for each of a file's earnings would cost as much as all other effects.
    purchase = models.ForeignKey(
        "members.Purchase",
        on_delete=models.PROTECT,
        related_name="earnings",
        db_index=False,
        db_constraint=False,
    )
    rule = models.ForeignKey(
        EarningRule,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    wallet = models.CharField(max_length=8)
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    on_date = models.DateField()
    amount = models.BigIntegerField()
    reversed = models.BigIntegerField(default=0)
    trace = models.JSONField(default=dict)

    class Meta:
        constraints = [
            # A purchase earns once per rule and wallet; also finds the earnings of a refund.
            models.UniqueConstraint(name="earning_once", fields=["purchase", "rule", "wallet"]),
            models.CheckConstraint(
                name="earning_reversed_within",
                condition=models.Q(amount__gt=0)
                & models.Q(reversed__gte=0)
                & models.Q(reversed__lte=models.F("amount")),
            ),
        ]
        indexes = [
            # Caps: what a rule gave a member on a day or in a month.
            models.Index(fields=["member", "rule", "on_date"], name="earning_caps"),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id} {self.wallet} {self.amount}"
