"""Experience officers (DOMAIN §7.9): members who try a benefit and say what they found.

A round invites members by a condition; those who take a seat get units to try, keep a diary with
scored questions and photos, bring and vote for ideas. Staff write down what was found, answer the
ideas, thank with points, and say in public what became of it.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from members.profiles.models import Member


class OfficerRound(models.Model):
    """A round of experience officers for one benefit.

    `seats_taken` never passes `seats`: a seat is taken by a conditional update. `alert_id` names
    what it was opened for, where that was an alert. The note is public once it is published.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="officer_rounds")
    title = models.CharField(max_length=80)
    brief = models.TextField(blank=True, help_text=_("What officers are asked to do."))
    condition = models.JSONField(null=True, help_text=_("Who is invited; empty for everybody."))
    seats = models.PositiveIntegerField()
    seats_taken = models.PositiveIntegerField(default=0)
    trial_units = models.PositiveSmallIntegerField(
        default=1, help_text=_("Units of the benefit that each officer gets to try.")
    )
    thank_points = models.PositiveIntegerField(default=0)
    least_entries = models.PositiveSmallIntegerField(
        default=1, help_text=_("Diary entries that earn the thank-you points.")
    )
    questions = models.JSONField(default=list, help_text=_("What each diary entry scores 1 to 5."))
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    ends_on = models.DateField(help_text=_("First day after the round."))
    alert_id = models.BigIntegerField(null=True, blank=True)
    you_said = models.TextField(blank=True)
    we_did = models.TextField(blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="officer_round_seats",
                condition=models.Q(seats__gte=1, seats_taken__lte=models.F("seats")),
            ),
            models.CheckConstraint(
                name="officer_round_note_whole",
                condition=models.Q(published_at__isnull=True)
                | (~models.Q(you_said="") & ~models.Q(we_did="")),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class OfficerSeat(models.Model):
    """One member in one round, from the invitation on; once each."""

    class State(models.TextChoices):
        INVITED = "invited", _("Invited")
        SEATED = "seated", _("Taking part")
        DECLINED = "declined", _("Declined")

    round = models.ForeignKey(OfficerRound, on_delete=models.PROTECT, related_name="places")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.INVITED)
    invited_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    thanked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="officer_seat_once", fields=["round", "member"]),
        ]

    def __str__(self) -> str:
        return f"{self.round_id}/{self.member_id}"


class DiaryEntry(models.Model):
    """What an officer noted on one day: scores by question, and words; one a day."""

    seat = models.ForeignKey(OfficerSeat, on_delete=models.PROTECT, related_name="entries")
    on_date = models.DateField()
    scores = models.JSONField()
    words = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="diary_entry_daily", fields=["seat", "on_date"]),
        ]

    def __str__(self) -> str:
        return f"{self.seat_id} {self.on_date}"


class DiaryPhoto(models.Model):
    """A photo of a diary entry, as bytes without what the camera wrote about place and owner."""

    # A photo goes with its entry when a member's words are erased.
    entry = models.ForeignKey(DiaryEntry, on_delete=models.CASCADE, related_name="photos")
    media_type = models.CharField(max_length=20)
    content = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="diary_photo_type",
                condition=models.Q(media_type__in=["image/jpeg", "image/png"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}/{self.pk}"


class OfficerIdea(models.Model):
    """An idea of an officer, and what the brand answers."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        TAKEN = "taken", _("Taken up")
        DECLINED = "declined", _("Not for now")

    seat = models.ForeignKey(OfficerSeat, on_delete=models.PROTECT, related_name="ideas")
    words = models.CharField(max_length=500)
    votes = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    reply = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk}"


class IdeaVote(models.Model):
    """One officer's vote for an idea of the same round; once, and not for one's own."""

    idea = models.ForeignKey(OfficerIdea, on_delete=models.PROTECT, related_name="voters")
    seat = models.ForeignKey(OfficerSeat, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="idea_vote_once", fields=["idea", "seat"]),
        ]

    def __str__(self) -> str:
        return f"{self.idea_id}/{self.seat_id}"


class OfficerFinding(models.Model):
    """What staff conclude from a round, by cause; a diagnosis or an evaluation can read it."""

    class Cause(models.TextChoices):
        NOT_SEEN = "not_seen", _("Not seen")
        NOT_WANTED = "not_wanted", _("Not wanted")
        TOO_HARD = "too_hard", _("Too hard to use")
        NO_SUPPLY = "no_supply", _("No supply")
        POOR_SERVICE = "poor_service", _("Poor service")
        WORKS = "works", _("Works well")

    round = models.ForeignKey(OfficerRound, on_delete=models.PROTECT, related_name="findings")
    cause = models.CharField(max_length=12, choices=Cause.choices)
    words = models.CharField(max_length=500)
    by = models.CharField(max_length=60)
    by_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.round_id} {self.cause}"
