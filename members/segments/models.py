"""What members are worth (scores, value segments) and saved conditions over members."""

from django.contrib.postgres.fields import ArrayField
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
    """One recomputation of all scores: its as-of date and the boundaries it used.

    `boundaries` holds four ascending values each for `recency` (days), `frequency` (purchases)
    and `monetary` (minor units), so that every stored score can be explained; `method` says
    whether they are quintiles or the brand's own.
    """

    as_of = models.DateField(primary_key=True)
    boundaries = models.JSONField(default=dict)
    method = models.CharField(max_length=10, default="quintiles", db_default="quintiles")
    scheme = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text=_("Digest of the scheme.")
    )
    zone = models.CharField(max_length=64, blank=True, default="", db_default="")
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
        help_text=_("Condition over r, f, m, days_since_joining and the behaviour signals.")
    )

    def __str__(self) -> str:
        return f"{self.position}. {self.segment}"


class ScoreSetting(models.Model):
    """How the brand scores: one row at most, with key 1; none: by quintiles.

    `thresholds` holds four ascending limits each for `recency` (days), `frequency` (purchases)
    and `monetary` (minor units), with the meaning of a run's boundaries.
    """

    class Method(models.TextChoices):
        QUINTILES = "quintiles", _("By fifths of the members")
        THRESHOLDS = "thresholds", _("By limits of our own")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.QUINTILES)
    thresholds = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="score_setting_once", condition=models.Q(id=1)),
            # Own limits need limits; those of another method are kept for when it comes back.
            models.CheckConstraint(
                name="score_setting_has_thresholds",
                condition=~models.Q(method="thresholds") | models.Q(thresholds__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.method


class BehaviourSignal(models.Model):
    """Events that can move a member to another value segment: how often, in how many days.

    Its code is a fact of the table of value segments, such as `visits_30d`. No rows at all: the
    default signal of `segments.value_segments` is there.
    """

    code = models.CharField(max_length=40, unique=True)
    label = models.CharField(max_length=80, help_text=_("What the signal says."))
    events = ArrayField(models.CharField(max_length=60), help_text=_("Names of events counted."))
    days = models.PositiveSmallIntegerField(help_text=_("Days before the night that counts them."))

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="signal_days_in_range", condition=models.Q(days__gte=1, days__lte=365)
            ),
            # It is the name of a fact.
            models.CheckConstraint(
                name="signal_code_form", condition=models.Q(code__regex=r"^[a-z][a-z0-9_]{0,39}$")
            ),
        ]

    def __str__(self) -> str:
        return self.code


class SavedSegment(models.Model):
    """A condition with a name, to be used by rules and campaigns.

    `version` counts the changes of the condition: on the day after one, who came and went says
    nothing about members. `tells` asks for an event for each member who enters or leaves.
    """

    name = models.CharField(max_length=80, unique=True)
    condition = models.JSONField(help_text=_("Condition tree, see the condition grammar."))
    version = models.PositiveIntegerField(default=1, db_default=1)
    tells = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Send an event for each member who enters or leaves, each night."),
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """That a member was in a saved segment when it was last stored, and since which day.

    Neither key is checked by the database: a night can write a million rows, members are never
    deleted, and a segment is deleted together with its rows.
    """

    pk = models.CompositePrimaryKey("segment_id", "member_id")
    # Goes with its segment.
    segment = models.ForeignKey(
        SavedSegment,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # Says nothing without its member.
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    since = models.DateField()

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.member_id}"


class SegmentDay(models.Model):
    """How a saved segment stood when it was stored on a brand day: its size, who came and went.

    `is_baseline` marks the first day of a condition: all its members are there by definition, and
    nobody is said to have come or gone. A second run on a day corrects the first.
    """

    pk = models.CompositePrimaryKey("segment_id", "on_date")
    # Goes with its segment.
    segment = models.ForeignKey(
        SavedSegment, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    on_date = models.DateField()
    version = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    entered = models.PositiveIntegerField()
    left = models.PositiveIntegerField()
    is_baseline = models.BooleanField()
    finished_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.segment_id} {self.on_date}"


class SegmentChange(models.Model):
    """That a member entered or left a saved segment on a brand day; one row for the day's net.

    Kept for a year and a month. Keys are not checked, as with `SegmentMember`.
    """

    pk = models.CompositePrimaryKey("segment_id", "on_date", "member_id")
    # Goes with its segment.
    segment = models.ForeignKey(
        SavedSegment,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    on_date = models.DateField()
    # Says nothing without its member.
    member = models.ForeignKey(
        "members.Member",
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    entered = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.segment_id} {self.on_date}: {self.member_id}"
