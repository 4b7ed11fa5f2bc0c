"""Grant rules: who gets what, how often, and how much of it."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import CODE, Benefit, Package


class GrantRule(models.Model):
    """Who gets how many units of a benefit or package, and how often.

    Draft → published → paused → ended. Only a draft or paused rule is changed; each publication
    raises `version` and freezes the terms in a `RuleVersion`. Grants name the rule, not the
    version, so that a new version never grants the same period twice.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    class Cadence(models.TextChoices):
        ONCE = "once", _("Once")
        ON_JOIN = "on_join", _("On joining")
        ON_TIER_UP = "on_tier_up", _("On reaching a tier")
        WEEKLY = "weekly", _("Every week")
        MONTHLY = "monthly", _("Every month")
        QUARTERLY = "quarterly", _("Every quarter")
        YEARLY = "yearly", _("Every year")
        BIRTHDAY_MONTH = "birthday_month", _("In the birthday month")
        EVERY_N_MONTHS = "every_n_months", _("Every few months")
        ON_PURCHASE = "on_purchase", _("On a purchase")
        ON_EVENT = "on_event", _("On an event")

    class OnChange(models.TextChoices):
        KEEP = "keep", _("Stays until it ends")
        REVOKE = "revoke", _("Is taken back")

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    name = models.CharField(max_length=120)
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, null=True, blank=True, related_name="rules"
    )
    package = models.ForeignKey(
        Package, on_delete=models.PROTECT, null=True, blank=True, related_name="rules"
    )
    condition = models.JSONField(
        default=dict, help_text=_("Who gets it, as a condition; empty: every member.")
    )
    cadence = models.CharField(max_length=16, choices=Cadence.choices)
    every_months = models.PositiveSmallIntegerField(null=True, blank=True)
    event_name = models.CharField(max_length=60, blank=True)
    quantity = models.PositiveIntegerField(
        default=1, help_text=_("Units of the benefit, or packages, per period.")
    )
    validity_days = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Empty: until the period ends.")
    )
    cap_per_member = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Units one member can get from this rule in all.")
    )
    cap_units_per_period = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Units all members can get in one period.")
    )
    cap_minor_per_period = models.BigIntegerField(
        null=True, blank=True, help_text=_("What the units of one period may cost, at unit cost.")
    )
    cap_minor_per_member = models.BigIntegerField(
        null=True,
        blank=True,
        help_text=_("What one member's units from this rule may cost in all, at unit cost."),
    )
    cap_units_per_day = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Units all members can get on one day.")
    )
    cap_minor_per_day = models.BigIntegerField(
        null=True, blank=True, help_text=_("What the units of one day may cost, at unit cost.")
    )
    cap_units_total = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Units all members can get in all.")
    )
    cap_minor_total = models.BigIntegerField(
        null=True, blank=True, help_text=_("What all units may cost in all, at unit cost.")
    )
    hold_out_bp = models.PositiveIntegerField(
        default=0, help_text=_("Share of the audience that gets nothing, to measure against.")
    )
    exclusivity_group = models.CharField(
        max_length=40,
        blank=True,
        validators=[CODE],
        help_text=_("A member holds live rights of one rule of a group at a time."),
    )
    on_lost = models.CharField(
        max_length=6,
        choices=OnChange.choices,
        default=OnChange.KEEP,
        help_text=_("What becomes of a live right whose member no longer meets the condition."),
    )
    on_refund = models.CharField(
        max_length=6,
        choices=OnChange.choices,
        default=OnChange.REVOKE,
        help_text=_("What becomes of a right when the purchase that gave it is refunded."),
    )
    budget_line = models.ForeignKey(
        "benefits.BudgetLine", on_delete=models.PROTECT, null=True, blank=True, related_name="rules"
    )
    priority = models.IntegerField(default=100, help_text=_("Lower ones go first."))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    version = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="grant_rule_benefit_or_package",
                condition=Q(benefit__isnull=False, package__isnull=True)
                | Q(benefit__isnull=True, package__isnull=False),
            ),
            models.CheckConstraint(
                name="grant_rule_cap_minor",
                condition=Q(cap_minor_per_period__isnull=True) | Q(cap_minor_per_period__gte=0),
            ),
            models.CheckConstraint(
                name="grant_rule_money_caps",
                condition=(Q(cap_minor_per_member__isnull=True) | Q(cap_minor_per_member__gte=0))
                & (Q(cap_minor_per_day__isnull=True) | Q(cap_minor_per_day__gte=0))
                & (Q(cap_minor_total__isnull=True) | Q(cap_minor_total__gte=0)),
            ),
            models.CheckConstraint(name="grant_rule_quantity", condition=Q(quantity__gte=1)),
            models.CheckConstraint(
                name="grant_rule_hold_out", condition=Q(hold_out_bp__gte=0, hold_out_bp__lt=10_000)
            ),
            models.CheckConstraint(
                name="grant_rule_every_months",
                condition=Q(cadence="every_n_months", every_months__gte=1)
                | (~Q(cadence="every_n_months") & Q(every_months__isnull=True)),
            ),
            models.CheckConstraint(
                name="grant_rule_event_name",
                condition=(Q(cadence="on_event") & ~Q(event_name=""))
                | (~Q(cadence="on_event") & Q(event_name="")),
            ),
            models.CheckConstraint(
                name="grant_rule_published_has_version",
                condition=Q(status="draft") | Q(version__gte=1),
            ),
            models.CheckConstraint(
                name="grant_rule_starts_before_it_ends",
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(starts_at__lt=F("ends_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def is_within_dates(self, *, at: datetime) -> bool:
        """Say whether the rule's own dates include an instant."""
        return (self.starts_at is None or self.starts_at <= at) and (
            self.ends_at is None or self.ends_at > at
        )


class RuleVersion(models.Model):
    """A rule as it was published, with the audience and cost shown then. Append-only by trigger."""

    rule = models.ForeignKey(GrantRule, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    terms = models.JSONField()
    preview = models.JSONField()
    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="rule_version_once", fields=["rule", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.version}"
