"""The outbox (what happened), webhooks (who is told) and idempotency keys (what came in)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Event(models.Model):
    """Something that happened, written in the transaction that made it happen.

    Delivered to each handler at least once, each with at most one effect. Kept for 30 days.
    `subject` is an opaque key such as `member:12`; `data` holds no personal data.
    """

    uuid = models.UUIDField(unique=True)
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # The relay: what is still to be delivered, oldest first.
            models.Index(
                fields=["id"],
                name="event_undelivered",
                condition=models.Q(delivered_at__isnull=True),
            ),
            # GET events of one member or order.
            models.Index(fields=["subject", "-id"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class EventHandling(models.Model):
    """That one handler has had its effect for one event: the unique pair makes it once (I8)."""

    event_uuid = models.UUIDField()
    handler = models.CharField(max_length=80)
    at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=1)
    done = models.BooleanField(default=True)
    error = models.TextField(blank=True)
    retry_at = models.DateTimeField(null=True, help_text=_("After a failure: not before this."))

    class Meta:
        constraints = [
            models.UniqueConstraint(name="event_handled_once", fields=["event_uuid", "handler"]),
        ]

    def __str__(self) -> str:
        return f"{self.handler} {self.event_uuid}"


class IdempotencyKey(models.Model):
    """The first answer to a write, kept to be given again byte for byte.

    Written in the transaction of its effect: either both exist or neither does. `scope` is the
    credential, so that two callers may use the same key.
    """

    scope = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of method, path and body."))
    status = models.PositiveSmallIntegerField()
    content_type = models.CharField(max_length=60)
    body = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="idempotency_key_once", fields=["scope", "key"]),
        ]
        indexes = [
            # The nightly clean-up of keys past 30 days.
            models.Index(fields=["created_at"], name="idempotency_key_age"),
        ]

    def __str__(self) -> str:
        return self.key


class WebhookEndpoint(models.Model):
    """An address that is told of events: the brand's own systems, or one partner's.

    `owner_id` is empty for the brand and the partner's key otherwise; a partner hears only of
    its own orders. Two secrets are live during a rotation.
    """

    owner_id = models.BigIntegerField(null=True, blank=True)
    url = models.URLField(max_length=500)
    description = models.CharField(max_length=120, blank=True)
    event_types = models.JSONField(default=list, help_text=_("Empty: all types."))
    secret = models.CharField(max_length=80)
    previous_secret = models.CharField(max_length=80, blank=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One event for one endpoint, with all its tries; unique, so that it is queued once."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Given up")

    # Deliveries have no meaning without their endpoint.
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    last_attempt_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="webhook_delivery_once", fields=["endpoint", "event"]),
        ]
        indexes = [
            # The sender: what is due.
            models.Index(
                fields=["due_at"], name="webhook_due", condition=models.Q(state="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id}"
