"""The cash part of orders: what is asked for, what came in, what went back."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from benefits.mall.models import MallOrder


class PaymentAccount(models.Model):
    """A way of paying that the brand has switched on; `secret` signs the provider's notices."""

    provider = models.CharField(max_length=20, unique=True)
    secret = models.CharField(max_length=120)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.provider


class MallPayment(models.Model):
    """One try to pay the cash part of an order; `key` names it to the provider.

    An order has one payment that counts (`paid`). Money that came in for an order that is over,
    or a second time, is `refund_due` until it has gone back.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting for payment")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Failed")
        REFUND_DUE = "refund_due", _("To be refunded")
        REFUNDED = "refunded", _("Refunded")

    order = models.ForeignKey(MallOrder, on_delete=models.PROTECT, related_name="payments")
    key = models.UUIDField(unique=True)
    provider = models.CharField(max_length=20)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reference = models.CharField(
        max_length=120, blank=True, help_text=_("What the provider calls it.")
    )
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    paid_by = models.CharField(max_length=60, blank=True)
    refund_reference = models.CharField(max_length=120, blank=True)
    refunded_at = models.DateTimeField(null=True)
    refunded_by = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="mall_payment_amount_positive", condition=Q(amount_minor__gte=1)
            ),
            # Two callbacks at the same moment pay an order once.
            models.UniqueConstraint(
                name="mall_payment_counts_once", fields=["order"], condition=Q(state="paid")
            ),
            models.UniqueConstraint(
                name="mall_payment_reference_once",
                fields=["provider", "reference"],
                condition=~Q(reference=""),
            ),
            models.CheckConstraint(
                name="mall_payment_money_came_in",
                condition=Q(state__in=["pending", "failed"], paid_at__isnull=True)
                | Q(state__in=["paid", "refund_due", "refunded"], paid_at__isnull=False),
            ),
            models.CheckConstraint(
                name="mall_payment_refunded_at",
                condition=Q(state="refunded", refunded_at__isnull=False)
                | (~Q(state="refunded") & Q(refunded_at__isnull=True)),
            ),
        ]
        indexes = [
            # Money that has to go back.
            models.Index(fields=["id"], name="mall_payment_due", condition=Q(state="refund_due")),
        ]

    def __str__(self) -> str:
        return str(self.key)
