"""Facts by month, and the alerts that come of them (DOMAIN §7).

Facts are computed from rows by set-based SQL, can be computed again for any month with the same
result, and are what pages read. None in a measure means that there is no data: never 0 %.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from benefits.rules.models import GrantRule


class BenefitMonth(models.Model):
    """One benefit in one calendar month of the brand's time zone.

    The columns are the numerators and denominators of `measures`; `month` is the first day.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="months")
    month = models.DateField()
    target_members = models.BigIntegerField(help_text=_("Held an active grant in the month."))
    users = models.BigIntegerField(help_text=_("Requested one in the month, not cancelled."))
    units_issued = models.BigIntegerField()
    units_used = models.BigIntegerField(help_text=_("Of the units issued in the month, to date."))
    units_fulfilled = models.BigIntegerField()
    unit_cost_minor = models.BigIntegerField()
    partner_cost_minor = models.BigIntegerField()
    points_cost_minor = models.BigIntegerField()
    ratings = models.BigIntegerField()
    rating_sum = models.BigIntegerField()
    nps_answers = models.BigIntegerField(help_text=_("Answers of the 90 days to the month's end."))
    nps_promoters = models.BigIntegerField()
    nps_detractors = models.BigIntegerField()
    user_buyers = models.BigIntegerField(help_text=_("Users with a purchase in those 90 days."))
    user_repeaters = models.BigIntegerField(help_text=_("Users with two or more."))
    category_revenue_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Net sales of the linked categories to all members.")
    )
    user_category_revenue_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("The part of it that users bought.")
    )
    others_answers = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text=_("Answers of those 90 days by members who were not users."),
    )
    others_promoters = models.BigIntegerField(default=0, db_default=0)
    others_detractors = models.BigIntegerField(default=0, db_default=0)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="benefit_month_once", fields=["benefit", "month"]),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.month:%Y-%m}"

    @property
    def cost_minor(self) -> int:
        """Return unit cost + partner price + points cost of what was fulfilled."""
        return self.unit_cost_minor + self.partner_cost_minor + self.points_cost_minor


class BenefitSlice(models.Model):
    """The part of a benefit's month that falls to one value of a dimension; same columns.

    A member belongs to the tier held at the month's end, to the region on file, and to the store,
    associate and channel of the last purchase before the month's end. Over the values of each
    dimension the columns add up to the benefit's month. `partner` has only what partners did: no
    target, and a user of two partners counts with both. An empty value: unknown, or none.
    """

    class Dimension(models.TextChoices):
        TIER = "tier", _("Tier")
        REGION = "region", _("Region")
        STORE = "store", _("Store")
        ASSOCIATE = "associate", _("Associate")
        CHANNEL = "channel", _("Channel")
        PARTNER = "partner", _("Partner")

    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, related_name="slices", db_index=False
    )
    month = models.DateField()
    dimension = models.CharField(max_length=9, choices=Dimension.choices)
    value = models.CharField(max_length=80, blank=True)
    target_members = models.BigIntegerField(default=0)
    users = models.BigIntegerField(default=0)
    units_issued = models.BigIntegerField(default=0)
    units_used = models.BigIntegerField(default=0)
    units_fulfilled = models.BigIntegerField(default=0)
    unit_cost_minor = models.BigIntegerField(default=0)
    partner_cost_minor = models.BigIntegerField(default=0)
    points_cost_minor = models.BigIntegerField(default=0)
    ratings = models.BigIntegerField(default=0)
    rating_sum = models.BigIntegerField(default=0)
    nps_answers = models.BigIntegerField(default=0)
    nps_promoters = models.BigIntegerField(default=0)
    nps_detractors = models.BigIntegerField(default=0)
    user_buyers = models.BigIntegerField(default=0)
    user_repeaters = models.BigIntegerField(default=0)
    category_revenue_minor = models.BigIntegerField(default=0)
    user_category_revenue_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="benefit_slice_once", fields=["month", "benefit", "dimension", "value"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.month:%Y-%m} {self.dimension}={self.value}"

    @property
    def cost_minor(self) -> int:
        """Return unit cost + partner price + points cost of what was fulfilled."""
        return self.unit_cost_minor + self.partner_cost_minor + self.points_cost_minor


class ProgrammeMonth(models.Model):
    """The whole programme in one calendar month; `liability_*` are as of its end."""

    month = models.DateField(unique=True)
    revenue_minor = models.BigIntegerField(help_text=_("Net purchases of the month's days."))
    orders = models.BigIntegerField()
    active_members = models.BigIntegerField(help_text=_("Bought, or requested a benefit."))
    new_members = models.BigIntegerField()
    members = models.BigIntegerField(help_text=_("Enrolled by the month's end."))
    buyers_90d = models.BigIntegerField()
    repeaters_90d = models.BigIntegerField()
    units_issued = models.BigIntegerField()
    units_used = models.BigIntegerField()
    cost_minor = models.BigIntegerField()
    points_issued = models.BigIntegerField()
    points_spent = models.BigIntegerField()
    points_expired = models.BigIntegerField()
    liability_points = models.BigIntegerField()
    liability_minor = models.BigIntegerField()
    service_revenue_minor = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text=_("Paid memberships and cash for benefits and packages, less what went back."),
    )
    breakage_points = models.BigIntegerField(
        null=True, help_text=_("Of the liability, expected never to be redeemed.")
    )
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class CohortMonth(models.Model):
    """Of the members who joined in `cohort`, how many bought in `month`, and for how much net."""

    cohort = models.DateField()
    month = models.DateField()
    members = models.BigIntegerField()
    buyers = models.BigIntegerField()
    net_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="cohort_month_once", fields=["cohort", "month"]),
        ]

    def __str__(self) -> str:
        return f"{self.cohort:%Y-%m} {self.month:%Y-%m}"


class TierMonth(models.Model):
    """How many members held tier `from_code` when a month began and `to_code` when it ended.

    Those who stayed are counted too; an empty `from_code`: joined in the month.
    """

    month = models.DateField()
    from_code = models.CharField(max_length=30, blank=True)
    to_code = models.CharField(max_length=30)
    members = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="tier_month_once", fields=["month", "from_code", "to_code"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.from_code} → {self.to_code}"


class MonthStatus(models.Model):
    """What a month's facts were computed from, so that late data is noticed.

    `sources` holds a fingerprint of the rows of each kind that belong to the month. Where the
    rows have another one by now the month is stale, for the causes named, until it is recomputed.
    """

    month = models.DateField(primary_key=True)
    sources = models.JSONField(default=dict)
    computed_at = models.DateTimeField()
    stale_at = models.DateTimeField(null=True)
    stale_causes = models.JSONField(default=list)

    class Meta:
        constraints = [
            # A stale month says why.
            models.CheckConstraint(
                name="month_status_stale_for_a_cause",
                condition=models.Q(stale_at__isnull=True, stale_causes=[])
                | (models.Q(stale_at__isnull=False) & ~models.Q(stale_causes=[])),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ReturnEstimate(models.Model):
    """What a benefit brought per member, by a hold-out or by matching, with 95 % intervals.

    `outcomes` has for spend (minor units), repurchase (share) and visits (days with a purchase)
    the difference between treated and others, its interval, error and both means. A result by
    hold-out is final; one by matching is weaker evidence, one row a month. The return on cost is
    spend × `margin_rate` × treated + fees ÷ cost, empty where margin or cost is unknown.
    """

    class Method(models.TextChoices):
        HOLD_OUT = "hold_out", _("Hold-out")
        MATCHED = "matched", _("Matched comparison")

    class Interval(models.TextChoices):
        WELCH = "welch", _("Welch, CUPED")
        BOOTSTRAP = "bootstrap", _("Bootstrap, CUPED")
        NORMAL = "normal", _("Within strata")

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="returns")
    rule = models.ForeignKey(
        GrantRule, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    method = models.CharField(max_length=8, choices=Method.choices)
    interval = models.CharField(max_length=9, choices=Interval.choices)
    from_on = models.DateField()
    until_on = models.DateField(help_text=_("First day after the last member was followed."))
    treated = models.PositiveBigIntegerField()
    others = models.PositiveBigIntegerField()
    outcomes = models.JSONField()
    narrowed = models.FloatField(
        null=True, help_text=_("By how much the time before narrows the interval.")
    )
    margin_rate = models.FloatField(
        null=True, help_text=_("Of lines whose cost is known, in the year to that day.")
    )
    cost_minor = models.BigIntegerField()
    fees_minor = models.BigIntegerField()
    roi = models.FloatField(null=True)
    roi_low = models.FloatField(null=True)
    roi_high = models.FloatField(null=True)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="return_once", fields=["benefit", "rule", "from_on"], nulls_distinct=False
            ),
            # A hold-out belongs to a rule, a matched comparison to none.
            models.CheckConstraint(
                name="return_method_rule",
                condition=models.Q(method="hold_out", rule__isnull=False)
                | models.Q(method="matched", rule__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.method} {self.from_on}"


class Alert(models.Model):
    """Something that needs a person: opened by a rule, owned, due, closed with an outcome.

    One per rule, subject and period (I11). `figures` are the numbers that opened it.
    """

    class Rule(models.TextChoices):
        PENETRATION_LOW = "penetration_low", _("Few members use the benefit")
        COST_RATIO_HIGH = "cost_ratio_high", _("Service cost is high against revenue")
        RESERVE_LOW = "reserve_low", _("The reserve is under its floor")
        ORDER_UNASSIGNED = "order_unassigned", _("No partner takes an order")

    class Severity(models.TextChoices):
        WARNING = "warning", _("Warning")
        CRITICAL = "critical", _("Critical")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    rule = models.CharField(max_length=20, choices=Rule.choices)
    subject_type = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    period = models.CharField(max_length=10, help_text=_("Month such as 2026-11, or a day."))
    severity = models.CharField(max_length=8, choices=Severity.choices)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    figures = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    due_on = models.DateField()
    owner_id = models.BigIntegerField(null=True, blank=True, help_text=_("A member of staff."))
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=60, blank=True)
    outcome = models.TextField(blank=True)
    snoozed_until = models.DateField(
        null=True, blank=True, help_text=_("Not on the list of open alerts before this day.")
    )
    snooze_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            # Whoever puts an alert off says why.
            models.CheckConstraint(
                name="alert_snoozed_for_a_reason",
                condition=models.Q(snoozed_until__isnull=True, snooze_reason="")
                | (models.Q(snoozed_until__isnull=False) & ~models.Q(snooze_reason="")),
            ),
            models.UniqueConstraint(
                name="alert_once_per_period",
                fields=["rule", "subject_type", "subject_id", "period"],
            ),
            # A closed alert says how it ended.
            models.CheckConstraint(
                name="alert_closed_whole",
                condition=models.Q(state="open", closed_at__isnull=True, outcome="")
                | (models.Q(state="closed", closed_at__isnull=False) & ~models.Q(outcome="")),
            ),
        ]
        indexes = [
            # The to-do list.
            models.Index(fields=["due_on"], name="alert_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject_type}:{self.subject_id} {self.period}"
