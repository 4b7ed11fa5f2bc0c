"""Work that must happen. The rows live in `public`; the broker may lose everything."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.brands.models import Brand


class Job(models.Model):
    """One piece of work for one brand, closed by the very transaction that makes its effect.

    `(brand, kind, dedupe_key)` is unique: a job of the same kind and period exists once, however
    many schedulers ask for it. A worker holds the row by `leased_until`; when it dies, the lease
    runs out and the sweeper publishes the row again. `parameters` hold keys, never amounts.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    # Jobs of a removed brand have nothing left to work on.
    brand = models.ForeignKey(Brand, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=60)
    dedupe_key = models.CharField(max_length=120)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    published_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    progress_done = models.BigIntegerField(default=0)
    progress_total = models.BigIntegerField(null=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=60, default="system")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="job_once_per_period", fields=["brand", "kind", "dedupe_key"]
            ),
        ]
        indexes = [
            # The sweeper: open or lease-expired work that is due.
            models.Index(
                fields=["due_at"],
                name="job_unfinished",
                condition=models.Q(state__in=["open", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.dedupe_key}"


class Heartbeat(models.Model):
    """When a background process was last seen at work; `/readyz` reports its age."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
