"""The points mall: items, their stock, and orders paid with points."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Concat, Greatest, Length, LPad
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from benefits.catalogue.models import CODE, Benefit, CodePool, Package
from benefits.grants.models import Grant
from members.profiles.models import Member


class MallItem(models.Model):
    """Something members buy with points, or points and cash.

    `stock_total` empty: unlimited; otherwise the count lives in `StockRow`. An item with variants
    has no stock of its own: each variant has. Items of kind `benefit` and `partner` grant a
    benefit, of kind `package` all benefits of a package; of kind `code` hand out a code of a pool.
    With `unit_rows` each unit of the stock is a row of its own, so that buyers of a rush do not
    queue for one counter.
    """

    class Kind(models.TextChoices):
        PHYSICAL = "physical", _("Goods")
        VIRTUAL = "virtual", _("Virtual")
        CODE = "code", pgettext_lazy("coupon", "Code")
        BENEFIT = "benefit", _("Benefit")
        PARTNER = "partner", _("Partner service")
        PACKAGE = "package", _("Package")

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
    unit_rows = models.BooleanField(
        default=False, help_text=_("Made for a rush: many buyers in the same second.")
    )
    per_member_limit = models.PositiveIntegerField(null=True, blank=True)
    limit_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text=_("The limit holds for this many days; empty: for good."),
    )
    pay_minutes = models.PositiveSmallIntegerField(
        default=30, help_text=_("How long an order waits for its cash part.")
    )
    offer_hours = models.PositiveSmallIntegerField(
        default=24, help_text=_("How long a unit is kept for the next one on the waiting list.")
    )
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
    package = models.ForeignKey(
        Package, on_delete=models.PROTECT, null=True, blank=True, related_name="mall_items"
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
                    package__isnull=True,
                )
                | Q(
                    kind="code",
                    benefit__isnull=True,
                    code_pool__isnull=False,
                    package__isnull=True,
                )
                | Q(
                    kind__in=["benefit", "partner"],
                    benefit__isnull=False,
                    code_pool__isnull=True,
                    package__isnull=True,
                )
                | Q(
                    kind="package",
                    benefit__isnull=True,
                    code_pool__isnull=True,
                    package__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="mall_item_waits_are_positive",
                condition=Q(pay_minutes__gte=1, offer_hours__gte=1)
                & (Q(limit_days__isnull=True) | Q(limit_days__gte=1)),
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


class ItemVariant(models.Model):
    """A size or colour of an item, with stock of its own; ordered as the item, one code each.

    `extra_points` come on top of the item's price. Variants are switched off, never deleted:
    orders name them.
    """

    item = models.ForeignKey(MallItem, on_delete=models.PROTECT, related_name="variants")
    code = models.CharField(max_length=40, validators=[CODE])
    name = models.JSONField(help_text=_("Name in each language."))
    position = models.PositiveSmallIntegerField(default=0)
    extra_points = models.PositiveBigIntegerField(default=0)
    stock_total = models.PositiveIntegerField(null=True, help_text=_("Empty: unlimited."))
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="item_variant_code", fields=["item", "code"]),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.code}"


class Counter(models.Model):
    """A stock: what came in, what orders and the waiting list hold, what is sold.

    Free = in − held − sold, never negative (I6): the CHECK is the last wall behind the
    conditional update. Where units are rows, `held` and `sold` stay 0 and `first_unit` and
    `last_unit` bound the units' keys.
    """

    stock_in = models.PositiveIntegerField()
    held = models.PositiveIntegerField(default=0)
    sold = models.PositiveIntegerField(default=0)
    first_unit = models.BigIntegerField(null=True)
    last_unit = models.BigIntegerField(null=True)

    class Meta:
        abstract = True

    @property
    def free(self) -> int:
        """Return the units that can still be ordered, where units are not rows."""
        return self.stock_in - self.held - self.sold


class StockRow(Counter):
    """The stock of one item: a row of its own, because it is the one row that buyers share."""

    item = models.OneToOneField(
        MallItem, on_delete=models.PROTECT, primary_key=True, related_name="stock"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stock_never_oversold",
                condition=Q(held__gte=0, sold__gte=0) & Q(stock_in__gte=F("held") + F("sold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.stock_in - self.held - self.sold}"


class VariantStock(Counter):
    """The stock of one variant, as `StockRow` is of an item."""

    variant = models.OneToOneField(
        ItemVariant, on_delete=models.PROTECT, primary_key=True, related_name="stock"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="variant_stock_never_oversold",
                condition=Q(held__gte=0, sold__gte=0) & Q(stock_in__gte=F("held") + F("sold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.variant_id}: {self.stock_in - self.held - self.sold}"


class StockMovement(models.Model):
    """Units that came in or were counted out, with who and why. Append-only by trigger.

    The sum of an item's (or variant's) movements is what its stock row says came in.
    """

    class Kind(models.TextChoices):
        OPENING = "opening", _("Opening stock")
        RECEIVED = "received", _("Received")
        CORRECTED = "corrected", _("Counted anew")
        LOST = "lost", _("Lost or broken")

    item = models.ForeignKey(MallItem, on_delete=models.PROTECT, related_name="movements")
    variant = models.ForeignKey(
        ItemVariant, on_delete=models.PROTECT, null=True, related_name="movements"
    )
    kind = models.CharField(max_length=9, choices=Kind.choices)
    quantity = models.IntegerField(help_text=_("Below zero: taken out."))
    reason = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stock_movement_direction",
                condition=Q(kind__in=["opening", "received"], quantity__gte=0)
                | Q(kind="lost", quantity__lt=0)
                | (Q(kind="corrected") & ~Q(quantity=0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.quantity:+d}"


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
    variant = models.ForeignKey(
        ItemVariant, on_delete=models.PROTECT, null=True, related_name="orders", db_index=False
    )
    quantity = models.PositiveIntegerField()
    points = models.PositiveBigIntegerField(help_text=_("Of the whole order."))
    cash_minor = models.BigIntegerField(default=0)
    member_limit = models.PositiveIntegerField(
        null=True, help_text=_("The item's limit per member when it was ordered.")
    )
    limit_days = models.PositiveSmallIntegerField(
        null=True, help_text=_("The days of that limit; empty: for good.")
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
    carrier = models.CharField(max_length=40, blank=True)
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


class StockUnit(models.Model):
    """One unit of a stock made for a rush; free until an order or a waiting member has it."""

    item = models.ForeignKey(
        MallItem, on_delete=models.PROTECT, related_name="units", db_index=False
    )
    variant = models.ForeignKey(
        ItemVariant, on_delete=models.PROTECT, null=True, related_name="units", db_index=False
    )
    order = models.ForeignKey(MallOrder, on_delete=models.PROTECT, null=True, related_name="units")
    waiting = models.ForeignKey(
        "benefits.WaitingEntry",
        on_delete=models.PROTECT,
        null=True,
        related_name="units",
        db_index=False,
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stock_unit_has_one_holder",
                condition=Q(order__isnull=True) | Q(waiting__isnull=True),
            ),
        ]
        indexes = [
            # Taking: a free unit of the item and variant from a random key on.
            models.Index(
                fields=["item", "variant", "id"],
                name="stock_unit_free",
                condition=Q(order__isnull=True, waiting__isnull=True),
            ),
            # Which unit is kept for this member of the waiting list?
            models.Index(
                fields=["waiting"],
                name="stock_unit_waiting",
                condition=Q(waiting__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.pk}"


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


class MemberAddress(models.Model):
    """An address that a member keeps for the next order. Personal data, deleted with the member."""

    # Nothing else names it: an order has a copy of its own.
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="addresses")
    recipient = models.CharField(max_length=120)
    phone = models.CharField(max_length=40)
    lines = models.TextField()
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_default_address",
                fields=["member"],
                condition=Q(is_default=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}: {self.pk}"


class WaitingEntry(models.Model):
    """A member's place in the queue for something that is sold out; the lower key comes first.

    When a unit comes back it is kept for the first one waiting (`offered`) until `offer_ends_at`;
    then the next one is offered it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        OFFERED = "offered", _("Reserved")
        ORDERED = "ordered", _("Ordered")
        LAPSED = "lapsed", _("Lapsed")
        LEFT = "left", _("Left")

    item = models.ForeignKey(MallItem, on_delete=models.PROTECT, related_name="waiting")
    variant = models.ForeignKey(
        ItemVariant, on_delete=models.PROTECT, null=True, related_name="waiting", db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="waiting", db_index=False
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    joined_at = models.DateTimeField()
    offered_at = models.DateTimeField(null=True)
    offer_ends_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    order = models.OneToOneField(
        MallOrder, on_delete=models.PROTECT, null=True, related_name="waiting"
    )

    # The states in which a member has a place.
    LIVE: ClassVar[tuple[str, ...]] = ("waiting", "offered")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="waiting_once",
                fields=["member", "item", "variant"],
                condition=Q(state__in=["waiting", "offered"]),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="waiting_offer_has_an_end",
                condition=~Q(state="offered") | Q(offer_ends_at__isnull=False),
            ),
            models.CheckConstraint(
                name="waiting_ordered_by_an_order",
                condition=Q(state="ordered", order__isnull=False)
                | (~Q(state="ordered") & Q(order__isnull=True)),
            ),
        ]
        indexes = [
            # The queue of an item, and what is kept for it.
            models.Index(
                fields=["item", "variant", "id"],
                name="waiting_queue",
                condition=Q(state__in=["waiting", "offered"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.member_id}"

    @property
    def holder(self) -> str:
        """Return the name under which codes are kept for this place."""
        return f"mall_waiting:{self.pk}"
