"""Files that staff and systems hand in: what is in them, what was wrong, what became of them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FileImport(models.Model):
    """One file on its way: uploaded, checked, applied all or nothing.

    `digest` is the SHA-256 of the file. `names` maps our columns to the file's. A check reads all
    of it and writes nothing but its findings; applying does the same and writes. `total`, `good`
    and `bad` are of the last of both. The file and the list of bad rows hold personal data: they
    lie under the data folder, are named by the key alone, and are gone `FILES_DAYS` after the end
    (`files_gone_at`); this row stays.
    """

    class Kind(models.TextChoices):
        MEMBERS = "members", _("Members")
        PURCHASES = "purchases", _("Purchases")

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Being checked")
        CHECKED = "checked", _("Checked")
        APPLYING = "applying", _("Being applied")
        APPLIED = "applied", _("Applied")
        REFUSED = "refused", _("Not applied")
        DROPPED = "dropped", _("Dropped")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    file_name = models.CharField(max_length=200)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    encoding = models.CharField(max_length=20, blank=True)
    names = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    total = models.BigIntegerField(null=True)
    good = models.BigIntegerField(null=True)
    bad = models.BigIntegerField(null=True)
    result = models.JSONField(default=dict)
    failure = models.CharField(max_length=400, blank=True)
    job_id = models.BigIntegerField(null=True)
    uploaded_at = models.DateTimeField()
    uploaded_by = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True)
    files_gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="file_import_kind_known",
                condition=models.Q(kind__in=["members", "purchases"]),
            ),
            # Counts are made together.
            models.CheckConstraint(
                name="file_import_counts",
                condition=models.Q(total__isnull=True, good__isnull=True, bad__isnull=True)
                | models.Q(good__gte=0, bad__gte=0, total__gte=models.F("good")),
            ),
        ]
        indexes = [
            # Whose files are to be removed.
            models.Index(
                fields=["ended_at"],
                name="file_import_files",
                condition=models.Q(files_gone_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
