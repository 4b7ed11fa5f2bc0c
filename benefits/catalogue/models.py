"""What a brand can give: benefits, what they cost, packages of them, and pools of codes."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from benefits.catalogue.errors import InvalidBenefitError

CODE = RegexValidator(r"^[a-z0-9][a-z0-9_-]{0,39}$")


def check_code(code: str) -> None:
    """:raises InvalidBenefitError: if it is no code."""
    try:
        CODE(code)
    except ValidationError:
        raise InvalidBenefitError(
            "A code has small letters, digits, - and _, at most 40.", pointer="/code"
        ) from None


class Benefit(models.Model):
    """Something a brand gives to members: the definition, not one member's right to it.

    `kind` names a folder of `catalogue.kinds`, which checks `parameters`. Texts are maps from
    language to text (`{"en": …, "zh-hans": …}`). A grant freezes the terms as they are then.
    `regions` empty: everywhere. `target` is the audience declared for a benefit without grants.
    """

    class Stage(models.TextChoices):
        IDEA = "idea", _("Idea")
        PILOT = "pilot", _("Pilot")
        CORE = "core", _("Core")
        STAR = "star", _("Star service")
        WATCH = "watch", _("Under watch")
        RETIRED = "retired", _("Retired")

    class Channel(models.TextChoices):
        INSTANT = "instant", _("At once")
        CODE = "code", pgettext_lazy("coupon", "Code")
        PARTNER = "partner", _("Partner")
        STAFF = "staff", _("Staff")

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    kind = models.CharField(max_length=20, help_text=_("What the benefit does."))
    name = models.JSONField(help_text=_("Name in each language."))
    summary = models.JSONField(default=dict, help_text=_("One sentence in each language."))
    terms = models.JSONField(default=dict, help_text=_("Conditions of use in each language."))
    category = models.CharField(max_length=40, blank=True)
    icon = models.CharField(max_length=40, default="gift", help_text=_("Name of an icon."))
    stage = models.CharField(max_length=8, choices=Stage.choices, default=Stage.IDEA)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    # Codes of the pool go with the pool; a benefit on the code channel without one makes codes.
    code_pool = models.ForeignKey(
        "CodePool", on_delete=models.PROTECT, null=True, blank=True, related_name="benefits"
    )
    by_appointment = models.BooleanField(
        default=False, help_text=_("Whether a calendar takes bookings for it.")
    )
    sla_hours = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Hours from the request to the service.")
    )
    service_steps = models.JSONField(
        default=list, help_text=_("Steps of the service standard, in order.")
    )
    list_price_minor = models.BigIntegerField(
        default=0, help_text=_("What it is worth to the member.")
    )
    is_stocked = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Units are counted one by one; without a free one nobody can use it."),
    )
    regions = models.JSONField(default=list, help_text=_("Empty: everywhere."))
    linked_categories = models.JSONField(
        default=list, help_text=_("Product categories whose sales it should lift.")
    )
    target = models.JSONField(null=True, blank=True)
    cancel_returns_unit = models.BooleanField(
        default=True, help_text=_("A member who cancels in time gets the unit back.")
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    parameters = models.JSONField(default=dict, help_text=_("Depends on the kind."))
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="benefit_list_price_not_negative", condition=Q(list_price_minor__gte=0)
            ),
            models.CheckConstraint(
                name="benefit_starts_before_it_ends",
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(starts_at__lt=F("ends_at")),
            ),
            # A pool without the channel that hands out its codes would never be used.
            models.CheckConstraint(
                name="benefit_pool_only_for_codes",
                condition=Q(code_pool__isnull=True) | Q(channel="code"),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def star(self) -> bool:
        """Return whether this is a star service."""
        return self.stage == self.Stage.STAR


class BenefitCost(models.Model):
    """What one unit costs the brand from a day on; `valid_to` is the first day it no longer holds.

    The exclusion constraint keeps at most one cost in force per benefit and day. It uses two
    built-in range types, so that no extension is needed.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="costs")
    unit_cost_minor = models.BigIntegerField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="benefit_cost_not_negative", condition=Q(unit_cost_minor__gte=0)
            ),
            models.CheckConstraint(
                name="benefit_cost_period",
                condition=Q(valid_to__isnull=True) | Q(valid_from__lt=F("valid_to")),
            ),
            ExclusionConstraint(
                name="benefit_cost_one_a_day",
                expressions=[
                    (
                        Func("benefit_id", "benefit_id", Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (Func("valid_from", "valid_to", function="daterange"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.valid_from}: {self.unit_cost_minor}"


class BenefitPrice(models.Model):
    """What a benefit is worth to the member from a day on, where that changes over time.

    Like costs: half-open `[valid_from, valid_to)`, at most one in force per day. The one in force
    is copied to `Benefit.list_price_minor`, at once or by the nightly job.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="prices")
    list_price_minor = models.BigIntegerField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="benefit_price_not_negative", condition=Q(list_price_minor__gte=0)
            ),
            models.CheckConstraint(
                name="benefit_price_period",
                condition=Q(valid_to__isnull=True) | Q(valid_from__lt=F("valid_to")),
            ),
            ExclusionConstraint(
                name="benefit_price_one_a_day",
                expressions=[
                    (
                        Func("benefit_id", "benefit_id", Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (Func("valid_from", "valid_to", function="daterange"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} {self.valid_from}: {self.list_price_minor}"


class BenefitVersion(models.Model):
    """A benefit's definition as it was from an instant on, with who wrote it. Append-only by trigger.

    Rights granted meanwhile keep the terms they were given (`grants.GrantTerms`); this is the
    history that staff compare.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    content = models.JSONField()
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="benefit_version_once", fields=["benefit", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id} v{self.version}"


class BenefitUnit(models.Model):
    """One piece of a benefit's stock. `taken_for` names the redemption that got it.

    A row per piece, so that those who take one at the same moment do not queue for a counter.
    """

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="units")
    taken_at = models.DateTimeField(null=True)
    taken_for = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="benefit_unit_taken_for_something",
                condition=Q(taken_at__isnull=True, taken_for="")
                | (Q(taken_at__isnull=False) & ~Q(taken_for="")),
            ),
            # One piece per redemption; giving it back finds it by this.
            models.UniqueConstraint(
                name="benefit_unit_once",
                fields=["taken_for"],
                condition=~Q(taken_for=""),
            ),
        ]
        indexes = [
            # The next free piece.
            models.Index(
                fields=["benefit", "id"],
                name="benefit_unit_free",
                condition=Q(taken_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id}: {self.taken_for or 'free'}"


class StageChange(models.Model):
    """A move of a benefit from one stage to another, with who and why. Append-only by trigger."""

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="stage_changes")
    from_stage = models.CharField(max_length=8, blank=True)
    to_stage = models.CharField(max_length=8, choices=Benefit.Stage.choices)
    reason = models.TextField(blank=True)
    evidence = models.JSONField(default=dict, help_text=_("What the decision was based on."))
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.benefit_id}: {self.from_stage} → {self.to_stage}"


class Package(models.Model):
    """Benefits with quantities, granted or sold together."""

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    name = models.JSONField(help_text=_("Name in each language."))
    summary = models.JSONField(default=dict, help_text=_("One sentence in each language."))
    icon = models.CharField(max_length=40, default="package", help_text=_("Name of an icon."))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code


class PackageItem(models.Model):
    """How many units of a benefit a package holds; each benefit once."""

    # The items are the package's content.
    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="items")
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="package_items")
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="package_item_once", fields=["package", "benefit"]),
            models.CheckConstraint(
                name="package_item_quantity_positive", condition=Q(quantity__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.package_id}: {self.quantity} × {self.benefit_id}"


class PackagePart(models.Model):
    """A package within a package. Parts never lead back to where they began; operations see to it."""

    # The parts are the package's content.
    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="parts")
    part = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="part_of")
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="package_part_once", fields=["package", "part"]),
            models.CheckConstraint(
                name="package_part_quantity_positive", condition=Q(quantity__gte=1)
            ),
            models.CheckConstraint(name="package_part_of_another", condition=~Q(package=F("part"))),
        ]

    def __str__(self) -> str:
        return f"{self.package_id}: {self.quantity} × {self.part_id}"


class PackageUnit(models.Model):
    """How many units of a benefit one package gives in all, with those of its parts.

    Written anew whenever a package changes, so that granting reads one table.
    """

    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="units")
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="package_unit_once", fields=["package", "benefit"]),
            models.CheckConstraint(
                name="package_unit_quantity_positive", condition=Q(quantity__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.package_id}: {self.quantity} × {self.benefit_id}"


class CodePool(models.Model):
    """A stock of imported codes, each handed out at most once.

    `first_id` and `last_id` bound the keys of the pool's codes: hand-outs start at a random key
    between them, so that callers do not queue for the same row. With fewer than `low_at` free
    codes the pool is low; `low_since_at` says since when that is known.
    """

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    name = models.CharField(max_length=120)
    low_at = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Tell us when fewer codes than this are free.")
    )
    low_since_at = models.DateTimeField(null=True)
    first_id = models.BigIntegerField(null=True)
    last_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code


class CodeImport(models.Model):
    """A file of codes that went into a pool, whole. Append-only by trigger.

    The digest of its content is unique per pool, so that the same file twice changes nothing.
    """

    pool = models.ForeignKey(CodePool, on_delete=models.PROTECT, related_name="imports")
    digest = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120, blank=True)
    codes = models.PositiveIntegerField()
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="code_import_once", fields=["pool", "digest"]),
            models.CheckConstraint(name="code_import_has_codes", condition=Q(codes__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id}: {self.codes}"


class PoolCode(models.Model):
    """One code. `taken_for` names the one redemption or order that got it, such as `redemption:7`."""

    pool = models.ForeignKey(CodePool, on_delete=models.PROTECT, related_name="codes")
    code = models.CharField(max_length=120)
    taken_at = models.DateTimeField(null=True)
    taken_for = models.CharField(max_length=60, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="pool_code_once", fields=["pool", "code"]),
            models.CheckConstraint(
                name="pool_code_taken_for_somebody",
                condition=Q(taken_at__isnull=True, taken_for__isnull=True)
                | Q(taken_at__isnull=False, taken_for__isnull=False),
            ),
        ]
        indexes = [
            # Hand-out: a free code of the pool from a random key on.
            models.Index(
                fields=["pool", "id"], name="pool_code_free", condition=Q(taken_at__isnull=True)
            ),
            # Which codes did this redemption or order get?
            models.Index(
                fields=["taken_for"],
                name="pool_code_taken_for",
                condition=Q(taken_for__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id}: {self.id}"
