"""What members are worth (scores, value segments) and saved conditions over members."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ValueSegment(models.TextChoices):
    """The six value segments of DOMAIN §3."""

    CHAMPIONS = "champions", _("Champions")
    AT_RISK = "at_risk", _("At risk")
    LOYAL = "loyal", _("Loyal")
    NEW = "new", _("New")
    POTENTIAL = "potential", _("Potential")
    DORMANT = "dormant", _("Dormant")


class MemberScore(models.Model):
    """RFM of one member, as of the last `ScoreRun`; one row per member.

    The three facts are over the window [as-of − 365 days, as-of) in brand days, net of refunds.
    Scores are null, and the facts zero, for a member without a purchase in the window. The row
    is written only when something in it changes, so days since the last purchase are derived
    from `last_purchase_on` instead of stored. `changed_on` is the as-of date of that change.
    """

    # A score says nothing without its member.
    member = models.OneToOneField(
        "members.Member", on_delete=models.CASCADE, primary_key=True, related_name="score"
    )
    r = models.PositiveSmallIntegerField(null=True)
    f = models.PositiveSmallIntegerField(null=True)
    m = models.PositiveSmallIntegerField(null=True)
    last_purchase_on = models.DateField(null=True)
    frequency = models.PositiveIntegerField(default=0)
    monetary_minor = models.BigIntegerField(default=0)
    value_segment = models.CharField(max_length=12, choices=ValueSegment.choices)
    changed_on = models.DateField()

    class Meta:
        constraints = [
            # All three scores or none.
            models.CheckConstraint(
                name="member_score_complete",
                condition=models.Q(r__isnull=True, f__isnull=True, m__isnull=True)
                | models.Q(r__range=(1, 5), f__range=(1, 5), m__range=(1, 5)),
            ),
        ]
        indexes = [
            # Audiences by value segment, and the sizes of all six.
            models.Index(fields=["value_segment"], name="member_score_segment"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.value_segment}"


class ScoreRun(models.Model):
    """One recomputation of all scores: its as-of date and the quintile boundaries it used.

    `boundaries` holds four ascending values each for `recency` (days), `frequency` (purchases)
    and `monetary` (minor units), so that every stored score can be explained.
    """

    as_of = models.DateField(primary_key=True)
    boundaries = models.JSONField(default=dict)
    scored = models.PositiveIntegerField(help_text=_("Members with a purchase in the window."))
    changed = models.PositiveIntegerField(help_text=_("Rows that this run changed."))
    finished_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.as_of}"


class LateActivity(models.Model):
    """That a member's past days changed (late purchase, refund); taken by the next `ScoreRun`.

    Only ever added, and taken by the very statement that reads the days: a change that is not
    yet committed keeps its mark for the run after, and nobody waits.
    """

    # Nothing to recompute for a member who is gone.
    member = models.ForeignKey(
        "members.Member", on_delete=models.CASCADE, related_name="+", db_index=False
    )

    def __str__(self) -> str:
        return f"{self.member_id}"


class ValueSegmentRule(models.Model):
    """One row of the brand's own table of value segments; the first that matches wins.

    No rows at all: the default table of `segments.value_segments` is used.
    """

    position = models.PositiveSmallIntegerField(unique=True)
    segment = models.CharField(max_length=12, choices=ValueSegment.choices)
    condition = models.JSONField(
        help_text=_("Condition over r, f, m, days_since_joining and visits_30d.")
    )

    def __str__(self) -> str:
        return f"{self.position}. {self.segment}"


class SavedSegment(models.Model):
    """A condition with a name, to be used by rules and campaigns."""

    name = models.CharField(max_length=80, unique=True)
    condition = models.JSONField(help_text=_("Condition tree, see the condition grammar."))
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
