"""Lucky draws: prizes with published odds, and every draw so that anybody can check it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from benefits.catalogue.models import CODE, Benefit, CodePool
from benefits.grants.models import Grant
from members.profiles.models import Member


class LuckyDraw(models.Model):
    """A draw that members pay for with points.

    Once it is open, prizes and odds are fixed: `odds_hash` is the digest of the table that was
    published, and every draw is checked against it.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OPEN = "open", _("Open")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    code = models.CharField(max_length=40, unique=True, validators=[CODE])
    name = models.JSONField(help_text=_("Name in each language."))
    summary = models.JSONField(default=dict, help_text=_("One sentence in each language."))
    icon = models.CharField(max_length=40, default="sparkles", help_text=_("Name of an icon."))
    points = models.PositiveBigIntegerField(help_text=_("What one draw costs."))
    per_member_limit = models.PositiveIntegerField(null=True, blank=True)
    per_day_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Draws of one member on one day.")
    )
    condition = models.JSONField(
        null=True, blank=True, help_text=_("Who can take part; empty: every member.")
    )
    budget_line = models.ForeignKey(
        "benefits.BudgetLine", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    odds_hash = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The account's lock, which paying takes, also guards the limits per member.
            models.CheckConstraint(name="lucky_draw_costs_points", condition=Q(points__gte=1)),
            models.CheckConstraint(
                name="lucky_draw_limits",
                condition=(Q(per_member_limit__isnull=True) | Q(per_member_limit__gte=1))
                & (Q(per_day_limit__isnull=True) | Q(per_day_limit__gte=1)),
            ),
            models.CheckConstraint(
                name="lucky_draw_starts_before_it_ends",
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(starts_at__lt=F("ends_at")),
            ),
            models.CheckConstraint(
                name="lucky_draw_odds_when_open",
                condition=Q(status="draft", odds_hash="") | (~Q(status="draft") & ~Q(odds_hash="")),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class DrawPrize(models.Model):
    """What a draw can give, and how likely: `weight` of a million.

    `stock` empty: as many as are won. The one prize that is the draw's `is_fallback` has no
    stock: it is what a winner of a prize gets that has run out.
    """

    class Kind(models.TextChoices):
        NOTHING = "nothing", _("No prize")
        POINTS = "points", _("Points")
        CODE = "code", pgettext_lazy("coupon", "Code")
        BENEFIT = "benefit", _("Benefit")

    draw = models.ForeignKey(LuckyDraw, on_delete=models.PROTECT, related_name="prizes")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.JSONField(help_text=_("Name in each language."))
    weight = models.PositiveIntegerField(help_text=_("Chances in a million."))
    stock = models.PositiveIntegerField(null=True, blank=True)
    awarded = models.PositiveIntegerField(default=0, help_text=_("Counted where there is a stock."))
    is_fallback = models.BooleanField(default=False)
    points = models.PositiveBigIntegerField(default=0)
    code_pool = models.ForeignKey(
        CodePool, on_delete=models.PROTECT, null=True, blank=True, related_name="draw_prizes"
    )
    benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, null=True, blank=True, related_name="draw_prizes"
    )
    benefit_validity_days = models.PositiveIntegerField(null=True, blank=True)
    unit_cost_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="draw_prize_position", fields=["draw", "position"]),
            models.UniqueConstraint(
                name="draw_prize_one_fallback", fields=["draw"], condition=Q(is_fallback=True)
            ),
            models.CheckConstraint(
                name="draw_prize_weight", condition=Q(weight__gte=1, weight__lte=1_000_000)
            ),
            models.CheckConstraint(
                name="draw_prize_never_oversold",
                condition=Q(stock__isnull=True) | Q(awarded__lte=F("stock")),
            ),
            models.CheckConstraint(
                name="draw_prize_fallback_is_endless",
                condition=Q(is_fallback=False)
                | Q(stock__isnull=True, kind__in=["nothing", "points"]),
            ),
            models.CheckConstraint(
                name="draw_prize_cost_not_negative", condition=Q(unit_cost_minor__gte=0)
            ),
            models.CheckConstraint(
                name="draw_prize_content",
                condition=Q(kind="nothing", points=0, code_pool__isnull=True, benefit__isnull=True)
                | Q(kind="points", points__gte=1, code_pool__isnull=True, benefit__isnull=True)
                | Q(kind="code", points=0, code_pool__isnull=False, benefit__isnull=True)
                | Q(kind="benefit", points=0, code_pool__isnull=True, benefit__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw_id}: {self.position}"


class DrawSeed(models.Model):
    """A secret that decides draws: its hash is published first, the seed itself afterwards."""

    draw = models.ForeignKey(LuckyDraw, on_delete=models.PROTECT, related_name="seeds")
    number = models.PositiveIntegerField()
    seed_hash = models.CharField(max_length=64)
    # Never shown before it is revealed.
    seed = models.CharField(max_length=64)
    committed_at = models.DateTimeField()
    revealed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="draw_seed_number", fields=["draw", "number"]),
            # One seed decides at a time.
            models.UniqueConstraint(
                name="draw_seed_one_in_use",
                fields=["draw"],
                condition=Q(revealed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw_id}: {self.number}"


class DrawTicket(models.Model):
    """One draw of one member: what decided it, what came out, what was given. Append-only.

    `roll` follows from the seed and from `player`, `number` (the member's own count, which nobody
    can choose) and `lucky_words` (which only the member chooses). `drawn` is the prize at that
    roll; `prize` the one given, which is the fallback where `drawn` had run out.
    """

    draw = models.ForeignKey(LuckyDraw, on_delete=models.PROTECT, related_name="tickets")
    seed = models.ForeignKey(DrawSeed, on_delete=models.PROTECT, related_name="tickets")
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="draw_tickets", db_index=False
    )
    key = models.UUIDField(unique=True)
    player = models.CharField(max_length=16)
    number = models.PositiveIntegerField()
    lucky_words = models.CharField(max_length=60, blank=True)
    roll = models.PositiveIntegerField()
    drawn = models.ForeignKey(
        DrawPrize, on_delete=models.PROTECT, related_name="drawn", db_index=False
    )
    prize = models.ForeignKey(DrawPrize, on_delete=models.PROTECT, related_name="tickets")
    fallback_reason = models.CharField(max_length=20, blank=True)
    points = models.PositiveBigIntegerField()
    points_won = models.PositiveBigIntegerField(default=0)
    code = models.CharField(max_length=120, blank=True)
    grant = models.OneToOneField(
        Grant, on_delete=models.PROTECT, null=True, related_name="draw_ticket"
    )
    cost_minor = models.BigIntegerField(default=0)
    day_on = models.DateField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # The member's draws are counted one by one; also finds them, for limits and history.
            models.UniqueConstraint(name="draw_ticket_number", fields=["member", "draw", "number"]),
            models.CheckConstraint(
                name="draw_ticket_roll", condition=Q(roll__gte=0, roll__lt=1_000_000)
            ),
            models.CheckConstraint(
                name="draw_ticket_fallback_has_a_reason",
                condition=Q(drawn=F("prize"), fallback_reason="")
                | (~Q(drawn=F("prize")) & ~Q(fallback_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.key)
