"""What members did: purchases, refunds and named events, with a daily roll-up per member."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.money import MAX_MINOR
from members.profiles.models import Member


class Store(models.Model):
    """A shop of the brand. Purchases name it by `code`, also before it is listed here."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120, help_text=_("As members know the shop."))
    region = models.CharField(max_length=40, blank=True, help_text=_("Region it serves."))

    def __str__(self) -> str:
        return self.code


class Purchase(models.Model):
    """One order of a member, known by the brand's own id, which is unique for ever.

    `digest` is the SHA-256 of what was sent (`_digest.canonical`), so that the same id with
    another body is refused. `local_date` is the brand day of `occurred_at` and never changes.
    `refunded_minor` is the sum of its refunds, raised in the transaction of each.
    """

    external_id = models.CharField(max_length=100)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="purchases", db_index=False
    )
    occurred_at = models.DateTimeField()
    local_date = models.DateField()
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    channel = models.CharField(max_length=40, blank=True)
    store_code = models.CharField(max_length=40, blank=True)
    associate = models.CharField(max_length=60, blank=True)
    digest = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="purchase_external_id_unique", fields=["external_id"]),
            # An amount far from any real one is a mistake of the sender.
            models.CheckConstraint(
                name="purchase_amount_in_range",
                condition=models.Q(amount_minor__gte=0, amount_minor__lte=MAX_MINOR),
            ),
            # Never more is given back than was paid.
            models.CheckConstraint(
                name="purchase_refund_within_amount",
                condition=models.Q(
                    refunded_minor__gte=0, refunded_minor__lte=models.F("amount_minor")
                ),
            ),
        ]
        indexes = [
            # Purchases of one member, newest first; its first column serves the foreign key.
            models.Index(fields=["member", "-occurred_at", "-id"], name="purchase_by_member"),
            # The purchases of a month, for simulations: rows lie by their days on disk.
            BrinIndex(fields=["local_date"], name="purchase_by_day"),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def net_minor(self) -> int:
        """What the member has paid in the end."""
        return self.amount_minor - self.refunded_minor


class PurchaseLine(models.Model):
    """One line of a purchase, in the order sent. Written once, with its purchase.

    Lines need not add up to the purchase: delivery and discounts have no line.
    """

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    sku = models.CharField(max_length=64)
    category = models.CharField(max_length=64, blank=True)
    quantity = models.IntegerField()
    amount_minor = models.BigIntegerField()
    cost_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            # The order of the lines is part of what was sent; serves the foreign key.
            models.UniqueConstraint(
                name="purchase_line_position_unique", fields=["purchase", "position"]
            ),
            models.CheckConstraint(
                name="purchase_line_quantity_positive", condition=models.Q(quantity__gt=0)
            ),
            models.CheckConstraint(
                name="purchase_line_amount_in_range",
                condition=models.Q(amount_minor__gte=-MAX_MINOR, amount_minor__lte=MAX_MINOR),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_id}/{self.position}"


class Refund(models.Model):
    """Money given back for a purchase, whole or in part. Append-only.

    `external_id` is unique per purchase, so that sending it again changes nothing.
    """

    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, related_name="refunds", db_index=False
    )
    external_id = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="refund_external_id_unique", fields=["purchase", "external_id"]
            ),
            models.CheckConstraint(
                name="refund_amount_positive", condition=models.Q(amount_minor__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class RefundLine(models.Model):
    """The part of a refund that is for one line of the purchase. Append-only, with its refund.

    All refunds of a line together give back neither more pieces nor more money than it has.
    """

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    quantity = models.IntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            # Once per refund; serves the foreign key.
            models.UniqueConstraint(name="refund_line_once", fields=["refund", "position"]),
            models.CheckConstraint(
                name="refund_line_positive",
                condition=models.Q(quantity__gt=0, amount_minor__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_id}/{self.position}"


class MemberDay(models.Model):
    """What one member bought on one brand day; changed in the statement of each purchase.

    `orders` counts the purchases of the day that are not fully given back, `spend_minor` sums
    all of them, `refunded_minor` what was given back for them, whenever that was. A day all of
    whose purchases were given back stays, with no orders.
    """

    pk = models.CompositePrimaryKey("member_id", "on_date")
    # No constraint in the database: a day is written only together with a purchase, which has
    # one. It would double the look-ups of members when a file comes in.
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    on_date = models.DateField()
    orders = models.IntegerField(default=0, db_default=0)
    spend_minor = models.BigIntegerField(default=0, db_default=0)
    refunded_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            # Refunds never pass what was paid, nor orders their number.
            models.CheckConstraint(
                name="member_day_figures",
                condition=models.Q(
                    orders__gte=0,
                    refunded_minor__gte=0,
                    refunded_minor__lte=models.F("spend_minor"),
                ),
            ),
        ]
        indexes = [
            # Days that enter or leave a window, over all members.
            models.Index(fields=["on_date"], name="member_day_by_date"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.on_date}"


class ActivityEvent(models.Model):
    """A named thing a member did (visit, check-in, survey, …). Append-only.

    `external_id`, where the sender gives one, makes sending it again change nothing.
    """

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="activity_events", db_index=False
    )
    name = models.CharField(max_length=60)
    properties = models.JSONField(default=dict)
    at = models.DateTimeField()
    external_id = models.CharField(max_length=100, null=True, blank=True)
    digest = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="activity_event_external_id_unique", fields=["external_id"]
            ),
        ]
        indexes = [
            # "Did X within N days" and the member's history; serves the foreign key.
            models.Index(fields=["member", "name", "-at"], name="activity_event_by_name"),
            # Who did X within N days, over all members: audiences and behaviour signals.
            models.Index(fields=["name", "at"], include=["member"], name="activity_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.member_id}"
