"""Two members who are one person: merges, what each of them moved, and who may be the same."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.profiles.models import Member


class MemberMerge(models.Model):
    """That `merged` became one with `survivor`; until `undo_until` it can be undone exactly.

    While it holds, `merged` has the status `merged` and leads to the survivor wherever it is
    named. A member is merged at most once at a time. `moved` counts what went over, by the names
    of the registry. `status_before` is what the merged member goes back to.
    """

    survivor = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="merges")
    merged = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    status_before = models.CharField(max_length=8)
    reason = models.CharField(max_length=300, help_text=_("Why they are one person."))
    moved = models.JSONField(default=dict)
    merged_at = models.DateTimeField()
    merged_by = models.CharField(max_length=60)
    undo_until = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=60, blank=True)
    undo_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            # Nobody is two people at once; also finds the merge of a merged member.
            models.UniqueConstraint(
                name="merge_once_at_a_time",
                fields=["merged"],
                condition=models.Q(undone_at__isnull=True),
            ),
            models.CheckConstraint(
                name="merge_of_two", condition=~models.Q(survivor=models.F("merged"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merged_id} → {self.survivor_id}"


class MergeMove(models.Model):
    """One row that a merge took from the merged member to the survivor, so that it can go back.

    `mover` is the name under which a room registered how its rows move, `row_id` the key of the
    row. `before` holds what else of the row the merge had to change.
    """

    # Moves say nothing without their merge.
    merge = models.ForeignKey(
        MemberMerge, on_delete=models.CASCADE, related_name="moves", db_index=False
    )
    mover = models.CharField(max_length=40)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)

    class Meta:
        constraints = [
            # A row moves once by a merge; finds what one mover moved.
            models.UniqueConstraint(name="merge_move_once", fields=["merge", "mover", "row_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.merge_id} {self.mover} {self.row_id}"


class DuplicatePair(models.Model):
    """Two members who may be one person, and what speaks for it; found by the nightly job.

    `dismissed_at` says that staff have looked and they are two: the pair is not shown again.
    """

    class Sign(models.TextChoices):
        PHONE = "phone", _("Same phone number")
        EMAIL = "email", _("Same e-mail address but for dots and additions")
        NAME_BIRTHDAY = "name_birthday", _("Same name and birthday")

    # The older member; a pair is nothing without either.
    first = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    signs = ArrayField(models.CharField(max_length=16, choices=Sign.choices))
    found_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True)
    dismissed_by = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duplicate_pair_once", fields=["first", "second"]),
            models.CheckConstraint(
                name="duplicate_pair_in_order", condition=models.Q(first__lt=models.F("second"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} {self.second_id}"
