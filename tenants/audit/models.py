"""What was done, by whom; and whose schema this is. Both live in each brand's schema."""

from django.db import models


class BrandIdentity(models.Model):
    """One row that says whose schema this is; checked inside money transactions.

    Written by provisioning. `singleton` is always true and unique, so there is one row only.
    """

    singleton = models.BooleanField(default=True, unique=True)
    schema_name = models.CharField(max_length=63)
    brand_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="brand_identity_one_row", condition=models.Q(singleton=True)
            ),
        ]

    def __str__(self) -> str:
        return self.schema_name


class AuditEntry(models.Model):
    """One thing a person or machine did. Append-only: a trigger refuses update and delete.

    Holds keys only, no foreign keys and no personal data, so that history neither blocks nor
    vanishes with live rows. `changes` maps a field to `[old, new]`.
    """

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=254, blank=True)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=60)
    target_type = models.CharField(max_length=40)
    target_id = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    changes = models.JSONField(default=dict)

    class Meta:
        indexes = [
            # The audit page of one thing: newest first.
            models.Index(fields=["target_type", "target_id", "-id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type}:{self.target_id}"


class AuditSeal(models.Model):
    """The link of one entry in the hash chain, written by the sealer: gap-free, append-only.

    `digest` = SHA-256 over the previous digest and the entry's canonical JSON.
    """

    number = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.number}"
