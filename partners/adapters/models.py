"""Connections to partners' own systems, and the calls made to them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.sealing import SealedTextField
from partners.orders.models import FulfilmentOrder
from partners.pool.models import Partner


class Connection(models.Model):
    """How the system of one partner is called; `settings` are those of its adapter, checked.

    `failures` counts calls in a row without a proper answer; the circuit is open, and nothing is
    called, until `resumes_at`.
    """

    partner = models.OneToOneField(Partner, on_delete=models.PROTECT, related_name="connection")
    adapter = models.CharField(max_length=20, default="http")
    settings = models.JSONField()
    secret = SealedTextField(blank=True)
    callback_secret = SealedTextField()
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    resumes_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="connection_says_why_off",
                condition=Q(is_enabled=True, disabled_reason="")
                | Q(is_enabled=False) & ~Q(disabled_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.adapter}"


class PartnerCall(models.Model):
    """One thing that a partner's system has to be told or asked, until it has answered.

    `key` is sent with every try. `attempts` also tells two senders apart: what came of a try is
    noted only while no other has begun. A request whose outcome nobody knows is `is_unclear`.
    """

    class Action(models.TextChoices):
        REQUEST = "request", _("Request")
        CANCEL = "cancel", _("Cancellation")
        STATUS = "status", _("Status")

    class State(models.TextChoices):
        PENDING = "pending", _("Due")
        DONE = "done", _("Answered")
        DROPPED = "dropped", _("No longer needed")
        GIVEN_UP = "given_up", _("Given up")

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="calls", db_index=False
    )
    order = models.ForeignKey(
        FulfilmentOrder, on_delete=models.PROTECT, related_name="partner_calls", db_index=False
    )
    action = models.CharField(max_length=7, choices=Action.choices)
    offer_number = models.PositiveSmallIntegerField(
        help_text=_("Which offer of the order it belongs to.")
    )
    key = models.UUIDField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    is_unclear = models.BooleanField(default=False)
    reference = models.CharField(
        max_length=200, blank=True, help_text=_("The partner’s own number of the order.")
    )
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    verdict = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # Each offer is requested, cancelled and followed by one call each; also lists the
            # calls of an order.
            models.UniqueConstraint(
                name="partner_call_once", fields=["order", "offer_number", "action"]
            ),
            models.UniqueConstraint(name="partner_call_key", fields=["key"]),
            models.CheckConstraint(
                name="partner_call_closed_has_time",
                condition=Q(state="pending", closed_at__isnull=True)
                | ~Q(state="pending") & Q(closed_at__isnull=False),
            ),
        ]
        indexes = [
            # What is to be called now.
            models.Index(fields=["due_at"], name="partner_call_due", condition=Q(state="pending")),
            # The list of one connection, newest first.
            models.Index(fields=["connection", "-id"], name="partner_call_listed"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.order_id}#{self.offer_number}"
