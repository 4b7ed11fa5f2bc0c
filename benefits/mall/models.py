"""The points mall: items, their stock, and orders paid with points."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Concat, Greatest, Length, LPad
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from benefits.catalogue.models import CODE, Benefit, CodePool
from benefits.grants.models import Grant
from members.profiles.models import Member


class MallItem(models.Model):
    """Something members buy with points, or points and cash.

    `stock_total` empty: unlimited; otherwise the count lives in `StockRow`. Items of kind
    `benefit` and `partner` grant a benefit; of kind `code` hand out a code of a pool.
    """

    class Kind(models.TextChoices):
        PHYSICAL = "physical", _("Goods")
        VIRTUAL = "virtual", _("Virtual")
        CODE = "code", pgettext_lazy("coupon", "Code")
        BENEFIT = "benefit", _("Benefit")
        PARTNER = "partner", _("Partner service")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ON_SALE = "on_sale", _("On sale")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.JSONField(help_text=_("Name in each language."))
    summary = models.JSONField(default=dict, help_text=_("One sentence in each language."))
    icon = models.CharField(max_length=40, default="gift", help_text=_("Name of an icon."))
    category = models.CharField(max_length=40, blank=True)
    points = models.PositiveBigIntegerField()
    cash_minor = models.BigIntegerField(default=0)
    unit_cost_minor = models.BigIntegerField(
        default=0, help_text=_("What one unit costs the brand, without its points.")
    )
    stock_total = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Empty: unlimited.")
    )
    per_member_limit = models.PositiveIntegerField(null=True, blank=True)
    condition = models.JSONField(
        null=True, blank=True, help_text=_("Who can buy it; empty: every member.")
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, null=True, blank=True, related_name="mall_items"
    )
    benefit_validity_days = models.PositiveIntegerField(null=True, blank=True)
    code_pool = models.ForeignKey(
        CodePool, on_delete=models.PROTECT, null=True, blank=True, related_name="mall_items"
    )
    budget_line = models.ForeignKey(
        "benefits.BudgetLine",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="mall_items",
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # An order is always paid through the ledger: the account's lock also guards the
            # limit per member.
            models.CheckConstraint(name="mall_item_costs_points", condition=Q(points__gte=1)),
            models.CheckConstraint(
                name="mall_item_money_not_negative",
                condition=Q(cash_minor__gte=0, unit_cost_minor__gte=0),
            ),
            models.CheckConstraint(
                name="mall_item_content",
                condition=Q(
                    kind__in=["physical", "virtual"],
                    benefit__isnull=True,
                    code_pool__isnull=True,
                )
                | Q(kind="code", benefit__isnull=True, code_pool__isnull=False)
                | Q(
                    kind__in=["benefit", "partner"],
                    benefit__isnull=False,
                    code_pool__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="mall_item_starts_before_it_ends",
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(starts_at__lt=F("ends_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class StockRow(models.Model):
    """The stock of one item: what came in, what orders hold, what is sold.

    Free = in − held − sold, never negative (I6): the CHECK is the last wall behind the
    conditional update. A row of its own, because it is the one row that buyers share.
    """

    item = models.OneToOneField(
        MallItem, on_delete=models.PROTECT, primary_key=True, related_name="stock"
    )
    stock_in = models.PositiveIntegerField()
    held = models.PositiveIntegerField(default=0)
    sold = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stock_never_oversold",
                condition=Q(held__gte=0, sold__gte=0) & Q(stock_in__gte=F("held") + F("sold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.stock_in - self.held - self.sold}"

    @property
    def free(self) -> int:
        """Return the units that can still be ordered."""
        return self.stock_in - self.held - self.sold


class MallOrder(models.Model):
    """An order of a member: points held when placed, captured when confirmed.

    `key` is the caller's and unique for ever, `number` is made by the database. `hold_key` names the hold, `debit_key` the capture
    and `refund_key` the return in the ledger, so an order has one debit at most (I7).
    """

    class State(models.TextChoices):
        PLACED = "placed", _("Placed")
        CONFIRMED = "confirmed", _("Confirmed")
        SHIPPED = "shipped", _("Shipped")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        REFUNDED = "refunded", _("Refunded")

    key = models.UUIDField(unique=True)
    number = models.GeneratedField(
        expression=Concat(
            models.Value("O"),
            LPad(
                Cast("id", models.CharField(max_length=19)),
                Greatest(8, Length(Cast("id", models.CharField(max_length=19)))),
                models.Value("0"),
            ),
        ),
        output_field=models.CharField(max_length=20),
        db_persist=True,
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="mall_orders", db_index=False
    )
    item = models.ForeignKey(MallItem, on_delete=models.PROTECT, related_name="orders")
    quantity = models.PositiveIntegerField()
    points = models.PositiveBigIntegerField(help_text=_("Of the whole order."))
    cash_minor = models.BigIntegerField(default=0)
    member_limit = models.PositiveIntegerField(
        null=True, help_text=_("The item's limit per member when it was ordered.")
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLACED)
    hold_key = models.UUIDField(unique=True)
    debit_key = models.UUIDField(unique=True, null=True)
    refund_key = models.UUIDField(unique=True, null=True)
    # The right an order of a benefit gave.
    grant = models.OneToOneField(
        Grant, on_delete=models.PROTECT, null=True, related_name="mall_order"
    )
    codes = models.JSONField(default=list)
    restocked = models.BooleanField(
        default=False, help_text=_("Refunded units came back to the stock.")
    )
    tracking = models.CharField(max_length=120, blank=True)
    budget_line = models.ForeignKey(
        "benefits.BudgetLine", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    committed_minor = models.BigIntegerField(default=0)
    cost_minor = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    placed_by = models.CharField(max_length=60)
    placed_at = models.DateTimeField()
    hold_ends_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    shipped_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="mall_order_number_unique", fields=["number"]),
            models.CheckConstraint(name="mall_order_quantity", condition=Q(quantity__gte=1)),
            models.CheckConstraint(
                name="mall_order_debit_when_confirmed",
                condition=Q(state__in=["placed", "cancelled"], debit_key__isnull=True)
                | Q(
                    state__in=["confirmed", "shipped", "completed", "refunded"],
                    debit_key__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="mall_order_refund_when_refunded",
                condition=Q(state="refunded", refund_key__isnull=False)
                | (~Q(state="refunded") & Q(refund_key__isnull=True)),
            ),
        ]
        indexes = [
            # A member's orders, newest first; and what counts against the limit of an item.
            models.Index(fields=["member", "-id"], name="mall_order_by_member"),
            # Staff queue and expiry of holds: what is still under way.
            models.Index(
                fields=["state", "id"],
                name="mall_order_open",
                condition=Q(state__in=["placed", "confirmed", "shipped"]),
            ),
        ]

    def __str__(self) -> str:
        return str(self.number)


class MallAddress(models.Model):
    """Where an order goes. Personal data, so a row of its own to delete."""

    # Erasing the address must not touch the order; without the order it has no meaning.
    order = models.OneToOneField(
        MallOrder, on_delete=models.CASCADE, primary_key=True, related_name="address"
    )
    recipient = models.CharField(max_length=120)
    phone = models.CharField(max_length=40)
    lines = models.TextField()

    def __str__(self) -> str:
        return str(self.order_id)
