"""Rights of members to benefits, and their use."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit, Package
from benefits.rules.models import GrantRule
from members.profiles.models import Member


class GrantTerms(models.Model):
    """The terms of a benefit as they were when it was granted, shared by all grants of that state.

    `digest` is the SHA-256 of the benefit's key and the content, so equal terms are one row:
    millions of grants carry a key of eight bytes. Append-only by trigger.
    """

    digest = models.CharField(max_length=64, unique=True)
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="+")
    content = models.JSONField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest[:12]


class Grant(models.Model):
    """A member's right to `quantity` units of a benefit in a period.

    Unique per member, rule, benefit and period, so that issuing twice grants once; grants
    without a rule (by hand, bought in the mall) are unique per member, benefit and period key.
    States are derived: active, used up, expired, revoked. `used <= quantity` is the last wall
    behind the conditional update (I14). The rule, its version (whose conditions `RuleVersion`
    keeps) and `reason` (the member's facts then, or what staff wrote) say why it was granted.

    A month can add millions of rows, so keys of things that are never deleted (members stay when
    their names are erased) carry neither an index nor a foreign key check of their own: the
    check alone would take as long as writing the row.
    """

    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="grants",
        db_index=False,
        db_constraint=False,
    )
    benefit = models.ForeignKey(
        Benefit,
        on_delete=models.PROTECT,
        related_name="grants",
        db_index=False,
        db_constraint=False,
    )
    rule = models.ForeignKey(
        GrantRule,
        on_delete=models.PROTECT,
        null=True,
        related_name="grants",
        db_index=False,
        db_constraint=False,
    )
    rule_version = models.PositiveIntegerField(null=True)
    package = models.ForeignKey(
        Package,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    terms = models.ForeignKey(
        GrantTerms,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    period_key = models.CharField(max_length=60)
    quantity = models.PositiveIntegerField()
    used = models.PositiveIntegerField(default=0, db_default=0)
    issued_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    reason = models.JSONField()
    revoked_at = models.DateTimeField(null=True)
    # Of a periodic service: the day it falls due on that the member was last reminded of.
    reminded_for = models.DateField(null=True)

    class Meta:
        constraints = [
            # In this order, the rows of one issue lie side by side: quick to insert, and to
            # compare with when the job runs again.
            models.UniqueConstraint(
                name="grant_once_per_rule_period",
                fields=["rule", "period_key", "benefit", "member"],
            ),
            models.UniqueConstraint(
                name="grant_once_without_rule",
                fields=["member", "benefit", "period_key"],
                condition=Q(rule__isnull=True),
            ),
            models.CheckConstraint(name="grant_quantity", condition=Q(quantity__gte=1)),
            models.CheckConstraint(
                name="grant_used_within_quantity",
                condition=Q(used__gte=0, used__lte=F("quantity")),
            ),
            models.CheckConstraint(
                name="grant_starts_before_it_ends",
                condition=Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
            ),
            models.CheckConstraint(
                name="grant_rule_with_version",
                condition=Q(rule__isnull=True, rule_version__isnull=True)
                | Q(rule__isnull=False, rule_version__isnull=False),
            ),
        ]
        indexes = [
            # What a member has now: not ended yet.
            models.Index(fields=["member", "ends_at"], name="grant_by_member"),
            # The facts of a month: who held a grant then. Rows are appended in time order.
            BrinIndex(fields=["issued_at"], name="grant_issued_at"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.benefit_id} {self.period_key}"


class HoldOut(models.Model):
    """That a member matched a rule in a period but was left out, to measure what it brings.

    Decided by a hash of rule and member, so it never changes while the share stays. Recorded per
    period, so that what treated and left-out members did afterwards can be compared month by
    month. As with grants, keys of what is never deleted carry no check of their own.
    """

    rule = models.ForeignKey(
        GrantRule,
        on_delete=models.PROTECT,
        related_name="hold_outs",
        db_index=False,
        db_constraint=False,
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="hold_outs",
        db_index=False,
        db_constraint=False,
    )
    period_key = models.CharField(max_length=60)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="hold_out_once", fields=["rule", "period_key", "member"]),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.period_key}: {self.member_id}"


class RulePeriod(models.Model):
    """What one rule has issued in one period, on one day or in all: the counters behind its caps.

    The counter of a period is also the job's mark. Those of days and of the total exist where the
    rule has such caps. Locked only by the issuing of that rule, never by a redemption, and always
    in the order total, period, day.
    """

    class Scope(models.TextChoices):
        TOTAL = "total", _("In all")
        PERIOD = "period", _("Period")
        DAY = "day", _("Day")

    rule = models.ForeignKey(GrantRule, on_delete=models.PROTECT, related_name="periods")
    scope = models.CharField(
        max_length=6, choices=Scope.choices, default=Scope.PERIOD, db_default=Scope.PERIOD
    )
    period_key = models.CharField(max_length=60)
    members = models.PositiveBigIntegerField(default=0)
    units = models.PositiveBigIntegerField(default=0)
    cost_minor = models.BigIntegerField(default=0, help_text=_("At the unit cost when issued."))
    first_issued_at = models.DateTimeField()
    last_issued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="rule_period_once", fields=["rule", "scope", "period_key"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.period_key}"


class GrantRevocation(models.Model):
    """That what was left of a right was taken back: why, by whom, how many units were left.

    One per grant; what was used stays used. Append-only by trigger.
    """

    class Cause(models.TextChoices):
        STAFF = "staff", _("Taken back by staff")
        NO_LONGER_MET = "no_longer_met", _("The condition is no longer met")
        REPLACED = "replaced", _("A better right took its place")
        REFUNDED = "refunded", _("The purchase was refunded")
        RULE_ENDED = "rule_ended", _("The rule has ended")
        BENEFIT_RETIRED = "benefit_retired", _("The benefit was retired")
        ORDER = "order", _("The order was cancelled")

    grant = models.OneToOneField(
        Grant,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="revocation",
        db_constraint=False,
    )
    cause = models.CharField(max_length=16, choices=Cause.choices)
    detail = models.JSONField(default=dict)
    units_left = models.PositiveIntegerField()
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.grant_id}: {self.cause}"


class BenefitPopularity(models.Model):
    """How many members of a value segment (`*`: all) held a benefit lately, and used it.

    Counted anew each night from grants; says in which order members see what they have.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.CASCADE, related_name="+", db_index=False)
    value_segment = models.CharField(max_length=12, blank=True)
    holders = models.PositiveBigIntegerField()
    users = models.PositiveBigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="popularity_once", fields=["benefit", "value_segment"]),
            models.CheckConstraint(
                name="popularity_users_hold", condition=Q(users__lte=F("holders"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.value_segment}"


class Redemption(models.Model):
    """One use of one unit of a grant, on its way from request to fulfilment.

    `key` is the caller's and unique for ever: the same key again is the same redemption. States
    only move forward, by conditional updates. `code` is what the member shows or types in.
    Costs are booked when fulfilled: unit cost in force then, partner price, points.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        CONFIRMED = "confirmed", _("Confirmed")
        FULFILLED = "fulfilled", _("Fulfilled")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Expired")
        REVERSED = "reversed", _("Reversed")

    key = models.UUIDField(unique=True)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="redemptions")
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="redemptions", db_index=False
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, related_name="redemptions", db_index=False
    )
    channel = models.CharField(max_length=8, choices=Benefit.Channel.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    code = models.CharField(max_length=120, blank=True)
    region = models.CharField(max_length=40, blank=True)
    # The appointment where the benefit has a calendar (`benefits.booking`), else a wish.
    slot_at = models.DateTimeField(null=True)
    store_code = models.CharField(max_length=40, blank=True)
    requested_by = models.CharField(max_length=60)
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    fulfilled_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    unit_returned = models.BooleanField(default=False)
    failure_code = models.CharField(max_length=40, blank=True)
    # Lines are never deleted; a redemption keeps the one its commitment was booked on.
    budget_line = models.ForeignKey(
        "benefits.BudgetLine", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    committed_minor = models.BigIntegerField(default=0)
    unit_cost_minor = models.BigIntegerField(null=True)
    partner_price_minor = models.BigIntegerField(null=True)
    points_cost_minor = models.BigIntegerField(null=True)
    cost_minor = models.BigIntegerField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)
    nps = models.PositiveSmallIntegerField(null=True)
    rated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="redemption_cost_when_fulfilled",
                condition=Q(state__in=["fulfilled", "reversed"], cost_minor__isnull=False)
                | Q(
                    state__in=["requested", "confirmed", "cancelled", "failed", "expired"],
                    cost_minor__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="redemption_rating",
                condition=Q(rating__isnull=True) | Q(rating__gte=1, rating__lte=5),
            ),
            models.CheckConstraint(
                name="redemption_nps", condition=Q(nps__isnull=True) | Q(nps__lte=10)
            ),
        ]
        indexes = [
            # A member's history, newest first.
            models.Index(fields=["member", "-id"], name="redemption_by_member"),
            # The facts of a benefit's month.
            models.Index(fields=["benefit", "requested_at"], name="redemption_by_benefit"),
            # Staff queue and expiry: what is still open.
            models.Index(
                fields=["state", "id"],
                name="redemption_open",
                condition=Q(state__in=["requested", "confirmed"]),
            ),
            # The till: whose code is this?
            models.Index(fields=["code"], name="redemption_by_code", condition=~Q(code="")),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class RedemptionStep(models.Model):
    """A move of a redemption after its request: who, when, why. Append-only by trigger."""

    redemption = models.ForeignKey(Redemption, on_delete=models.PROTECT, related_name="steps")
    from_state = models.CharField(max_length=10)
    to_state = models.CharField(max_length=10, choices=Redemption.State.choices)
    actor = models.CharField(max_length=60)
    reason = models.CharField(max_length=200, blank=True)
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.from_state} → {self.to_state}"


class RedemptionNote(models.Model):
    """What a member wrote about a redemption. Personal data, so a row of its own to delete."""

    # Erasing the member's words must not touch the redemption; the other way round they go too.
    redemption = models.OneToOneField(
        Redemption, on_delete=models.CASCADE, primary_key=True, related_name="words"
    )
    note = models.TextField(blank=True)
    comment = models.TextField(blank=True)

    def __str__(self) -> str:
        return str(self.redemption_id)
