"""All tables of the benefits wing."""

import django.contrib.postgres.constraints
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("members", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="CodePool",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("first_id", models.BigIntegerField(null=True)),
                ("last_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="MallOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                (
                    "number",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Concat(
                            models.Value("O"),
                            django.db.models.functions.text.LPad(
                                django.db.models.functions.comparison.Cast(
                                    "id", models.CharField(max_length=19)
                                ),
                                django.db.models.functions.comparison.Greatest(
                                    8,
                                    django.db.models.functions.text.Length(
                                        django.db.models.functions.comparison.Cast(
                                            "id", models.CharField(max_length=19)
                                        )
                                    ),
                                ),
                                models.Value("0"),
                            ),
                        ),
                        output_field=models.CharField(max_length=20),
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
                ("points", models.PositiveBigIntegerField(help_text="Of the whole order.")),
                ("cash_minor", models.BigIntegerField(default=0)),
                (
                    "member_limit",
                    models.PositiveIntegerField(
                        help_text="The item's limit per member when it was ordered.", null=True
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("placed", "Placed"),
                            ("confirmed", "Confirmed"),
                            ("shipped", "Shipped"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("refunded", "Refunded"),
                        ],
                        default="placed",
                        max_length=10,
                    ),
                ),
                ("hold_key", models.UUIDField(unique=True)),
                ("debit_key", models.UUIDField(null=True, unique=True)),
                ("refund_key", models.UUIDField(null=True, unique=True)),
                ("codes", models.JSONField(default=list)),
                (
                    "restocked",
                    models.BooleanField(
                        default=False, help_text="Refunded units came back to the stock."
                    ),
                ),
                ("tracking", models.CharField(blank=True, max_length=120)),
                ("committed_minor", models.BigIntegerField(default=0)),
                ("cost_minor", models.BigIntegerField(null=True)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("placed_by", models.CharField(max_length=60)),
                ("placed_at", models.DateTimeField()),
                ("hold_ends_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("shipped_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="MallItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")
                        ],
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("physical", "Goods"),
                            ("virtual", "Virtual"),
                            ("code", "Code"),
                            ("benefit", "Benefit"),
                            ("partner", "Partner service"),
                        ],
                        max_length=8,
                    ),
                ),
                ("name", models.JSONField(help_text="Name in each language.")),
                (
                    "summary",
                    models.JSONField(default=dict, help_text="One sentence in each language."),
                ),
                (
                    "icon",
                    models.CharField(default="gift", help_text="Name of an icon.", max_length=40),
                ),
                ("category", models.CharField(blank=True, max_length=40)),
                ("points", models.PositiveBigIntegerField()),
                ("cash_minor", models.BigIntegerField(default=0)),
                (
                    "unit_cost_minor",
                    models.BigIntegerField(
                        default=0, help_text="What one unit costs the brand, without its points."
                    ),
                ),
                (
                    "stock_total",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: unlimited.", null=True
                    ),
                ),
                ("per_member_limit", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "condition",
                    models.JSONField(
                        blank=True, help_text="Who can buy it; empty: every member.", null=True
                    ),
                ),
                ("benefit_validity_days", models.PositiveIntegerField(blank=True, null=True)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("on_sale", "On sale"),
                            ("paused", "Paused"),
                            ("ended", "Ended"),
                        ],
                        default="draft",
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Package",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")
                        ],
                    ),
                ),
                ("name", models.JSONField(help_text="Name in each language.")),
                (
                    "summary",
                    models.JSONField(default=dict, help_text="One sentence in each language."),
                ),
                (
                    "icon",
                    models.CharField(
                        default="package", help_text="Name of an icon.", max_length=40
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ProgrammeMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(unique=True)),
                (
                    "revenue_minor",
                    models.BigIntegerField(help_text="Net purchases of the month's days."),
                ),
                ("orders", models.BigIntegerField()),
                (
                    "active_members",
                    models.BigIntegerField(help_text="Bought, or requested a benefit."),
                ),
                ("new_members", models.BigIntegerField()),
                ("members", models.BigIntegerField(help_text="Enrolled by the month's end.")),
                ("buyers_90d", models.BigIntegerField()),
                ("repeaters_90d", models.BigIntegerField()),
                ("units_issued", models.BigIntegerField()),
                ("units_used", models.BigIntegerField()),
                ("cost_minor", models.BigIntegerField()),
                ("points_issued", models.BigIntegerField()),
                ("points_spent", models.BigIntegerField()),
                ("points_expired", models.BigIntegerField()),
                ("liability_points", models.BigIntegerField()),
                ("liability_minor", models.BigIntegerField()),
                ("computed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Redemption",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("instant", "At once"),
                            ("code", "Code"),
                            ("partner", "Partner"),
                            ("staff", "Staff"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("confirmed", "Confirmed"),
                            ("fulfilled", "Fulfilled"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                            ("reversed", "Reversed"),
                        ],
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=120)),
                ("region", models.CharField(blank=True, max_length=40)),
                ("slot_at", models.DateTimeField(null=True)),
                ("requested_by", models.CharField(max_length=60)),
                ("requested_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("fulfilled_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("unit_returned", models.BooleanField(default=False)),
                ("failure_code", models.CharField(blank=True, max_length=40)),
                ("committed_minor", models.BigIntegerField(default=0)),
                ("unit_cost_minor", models.BigIntegerField(null=True)),
                ("partner_price_minor", models.BigIntegerField(null=True)),
                ("points_cost_minor", models.BigIntegerField(null=True)),
                ("cost_minor", models.BigIntegerField(null=True)),
                ("rating", models.PositiveSmallIntegerField(null=True)),
                ("nps", models.PositiveSmallIntegerField(null=True)),
                ("rated_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("penetration_low", "Few members use the benefit"),
                            ("cost_ratio_high", "Service cost is high against revenue"),
                            ("reserve_low", "The reserve is under its floor"),
                            ("order_unassigned", "No partner takes an order"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject_type", models.CharField(max_length=20)),
                ("subject_id", models.BigIntegerField()),
                (
                    "period",
                    models.CharField(help_text="Month such as 2026-11, or a day.", max_length=10),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[("warning", "Warning"), ("critical", "Critical")], max_length=8
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=6,
                    ),
                ),
                ("figures", models.JSONField(default=dict)),
                ("opened_at", models.DateTimeField()),
                ("due_on", models.DateField()),
                (
                    "owner_id",
                    models.BigIntegerField(blank=True, help_text="A member of staff.", null=True),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, max_length=60)),
                ("outcome", models.TextField(blank=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")), fields=["due_on"], name="alert_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rule", "subject_type", "subject_id", "period"),
                        name="alert_once_per_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_at__isnull", True), ("outcome", ""), ("state", "open")
                            ),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("state", "closed"),
                                models.Q(("outcome", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="alert_closed_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField(help_text="First day after the period.")),
                ("currency", models.CharField(max_length=3)),
                ("total_minor", models.BigIntegerField()),
                (
                    "reserve_share_bp",
                    models.PositiveSmallIntegerField(
                        default=2000, help_text="Share kept back, in basis points; 2000 is 20 %."
                    ),
                ),
                ("opening_reserve_minor", models.BigIntegerField()),
                (
                    "floor_minor",
                    models.BigIntegerField(
                        default=0,
                        help_text="An alert opens when less than this is left in reserve.",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=6,
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_reserve_minor", models.BigIntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_on__lt", models.F("ends_on"))),
                        name="budget_period_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("floor_minor__gte", 0),
                            ("opening_reserve_minor__gte", 0),
                            ("opening_reserve_minor__lte", models.F("total_minor")),
                            ("total_minor__gt", 0),
                        ),
                        name="budget_reserve_within_total",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_at__isnull", True),
                                ("closed_reserve_minor__isnull", True),
                                ("status", "open"),
                            ),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("closed_reserve_minor__isnull", False),
                                ("status", "closed"),
                            ),
                            _connector="OR",
                        ),
                        name="budget_closed_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.SlugField(max_length=40)),
                ("name", models.CharField(max_length=80)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("benefit", "Benefit"),
                            ("package", "Package"),
                            ("mall", "Points mall"),
                            ("points", "Points cost"),
                            ("pilot", "Pilot"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "target_id",
                    models.BigIntegerField(
                        blank=True,
                        help_text="Key of the benefit or package, where it is one.",
                        null=True,
                    ),
                ),
                (
                    "policy",
                    models.CharField(
                        choices=[
                            ("refuse", "Refuse what passes the plan"),
                            ("alert", "Allow and raise an alert"),
                        ],
                        default="refuse",
                        max_length=6,
                    ),
                ),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="benefits.budget",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BudgetEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("plan", "Planned"),
                            ("commit", "Committed"),
                            ("spend", "Spent"),
                            ("release", "Released"),
                            ("reserve_draw", "Drawn from the reserve"),
                            ("reserve_return", "Returned to the reserve"),
                        ],
                        max_length=14,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("on_date", models.DateField(help_text="Brand day of the movement.")),
                ("source_type", models.CharField(blank=True, max_length=20)),
                ("source_id", models.BigIntegerField(null=True)),
                ("key", models.UUIDField(unique=True)),
                ("by", models.CharField(max_length=60)),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="benefits.budget",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="benefits.budgetline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BudgetAllowance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("shard", models.PositiveSmallIntegerField()),
                ("left_minor", models.BigIntegerField(default=0)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allowances",
                        to="benefits.budgetline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Benefit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")
                        ],
                    ),
                ),
                ("kind", models.CharField(help_text="What the benefit does.", max_length=20)),
                ("name", models.JSONField(help_text="Name in each language.")),
                (
                    "summary",
                    models.JSONField(default=dict, help_text="One sentence in each language."),
                ),
                (
                    "terms",
                    models.JSONField(default=dict, help_text="Conditions of use in each language."),
                ),
                ("category", models.CharField(blank=True, max_length=40)),
                (
                    "icon",
                    models.CharField(default="gift", help_text="Name of an icon.", max_length=40),
                ),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("idea", "Idea"),
                            ("pilot", "Pilot"),
                            ("core", "Core"),
                            ("star", "Star service"),
                            ("watch", "Under watch"),
                            ("retired", "Retired"),
                        ],
                        default="idea",
                        max_length=8,
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("instant", "At once"),
                            ("code", "Code"),
                            ("partner", "Partner"),
                            ("staff", "Staff"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "sla_hours",
                    models.PositiveIntegerField(
                        blank=True, help_text="Hours from the request to the service.", null=True
                    ),
                ),
                (
                    "service_steps",
                    models.JSONField(
                        default=list, help_text="Steps of the service standard, in order."
                    ),
                ),
                (
                    "list_price_minor",
                    models.BigIntegerField(default=0, help_text="What it is worth to the member."),
                ),
                ("regions", models.JSONField(default=list, help_text="Empty: everywhere.")),
                (
                    "linked_categories",
                    models.JSONField(
                        default=list, help_text="Product categories whose sales it should lift."
                    ),
                ),
                ("target", models.JSONField(blank=True, null=True)),
                (
                    "cancel_returns_unit",
                    models.BooleanField(
                        default=True, help_text="A member who cancels in time gets the unit back."
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("parameters", models.JSONField(default=dict, help_text="Depends on the kind.")),
                ("created_at", models.DateTimeField()),
                (
                    "code_pool",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="benefits",
                        to="benefits.codepool",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CohortMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cohort", models.DateField()),
                ("month", models.DateField()),
                ("members", models.BigIntegerField()),
                ("buyers", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("cohort", "month"), name="cohort_month_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="GrantRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                (
                    "condition",
                    models.JSONField(
                        default=dict, help_text="Who gets it, as a condition; empty: every member."
                    ),
                ),
                (
                    "cadence",
                    models.CharField(
                        choices=[
                            ("once", "Once"),
                            ("on_join", "On joining"),
                            ("on_tier_up", "On reaching a tier"),
                            ("weekly", "Every week"),
                            ("monthly", "Every month"),
                            ("quarterly", "Every quarter"),
                            ("yearly", "Every year"),
                            ("birthday_month", "In the birthday month"),
                            ("every_n_months", "Every few months"),
                            ("on_purchase", "On a purchase"),
                            ("on_event", "On an event"),
                        ],
                        max_length=16,
                    ),
                ),
                ("every_months", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("event_name", models.CharField(blank=True, max_length=60)),
                (
                    "quantity",
                    models.PositiveIntegerField(
                        default=1, help_text="Units of the benefit, or packages, per period."
                    ),
                ),
                (
                    "validity_days",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: until the period ends.", null=True
                    ),
                ),
                (
                    "cap_per_member",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Units one member can get from this rule in all.",
                        null=True,
                    ),
                ),
                (
                    "cap_units_per_period",
                    models.PositiveBigIntegerField(
                        blank=True, help_text="Units all members can get in one period.", null=True
                    ),
                ),
                (
                    "cap_minor_per_period",
                    models.BigIntegerField(
                        blank=True,
                        help_text="What the units of one period may cost, at unit cost.",
                        null=True,
                    ),
                ),
                (
                    "hold_out_bp",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Share of the audience that gets nothing, to measure against.",
                    ),
                ),
                ("priority", models.IntegerField(default=100, help_text="Lower ones go first.")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("published", "Published"),
                            ("paused", "Paused"),
                            ("ended", "Ended"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=0)),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "benefit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="benefits.benefit",
                    ),
                ),
                (
                    "budget_line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="benefits.budgetline",
                    ),
                ),
                (
                    "package",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="benefits.package",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GrantTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("content", models.JSONField()),
                ("since", models.DateTimeField()),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="benefits.benefit",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Grant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule_version", models.PositiveIntegerField(null=True)),
                ("period_key", models.CharField(max_length=60)),
                ("quantity", models.PositiveIntegerField()),
                ("used", models.PositiveIntegerField(db_default=0, default=0)),
                ("issued_at", models.DateTimeField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                ("reason", models.JSONField()),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "benefit",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="benefits.benefit",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="members.member",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="grants",
                        to="benefits.grantrule",
                    ),
                ),
                (
                    "terms",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="benefits.grantterms",
                    ),
                ),
                (
                    "package",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="benefits.package",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HoldOut",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold_outs",
                        to="members.member",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold_outs",
                        to="benefits.grantrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MallAddress",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="address",
                        serialize=False,
                        to="benefits.mallorder",
                    ),
                ),
                ("recipient", models.CharField(max_length=120)),
                ("phone", models.CharField(max_length=40)),
                ("lines", models.TextField()),
            ],
        ),
        migrations.AddField(
            model_name="mallorder",
            name="budget_line",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="benefits.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="mallorder",
            name="grant",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mall_order",
                to="benefits.grant",
            ),
        ),
        migrations.AddField(
            model_name="mallorder",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mall_orders",
                to="members.member",
            ),
        ),
        migrations.CreateModel(
            name="StockRow",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="stock",
                        serialize=False,
                        to="benefits.mallitem",
                    ),
                ),
                ("stock_in", models.PositiveIntegerField()),
                ("held", models.PositiveIntegerField(default=0)),
                ("sold", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="mallorder",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="benefits.mallitem",
            ),
        ),
        migrations.AddField(
            model_name="mallitem",
            name="benefit",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mall_items",
                to="benefits.benefit",
            ),
        ),
        migrations.AddField(
            model_name="mallitem",
            name="budget_line",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mall_items",
                to="benefits.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="mallitem",
            name="code_pool",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mall_items",
                to="benefits.codepool",
            ),
        ),
        migrations.CreateModel(
            name="PackageItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="package_items",
                        to="benefits.benefit",
                    ),
                ),
                (
                    "package",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="benefits.package",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PoolCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=120)),
                ("taken_at", models.DateTimeField(null=True)),
                ("taken_for", models.CharField(max_length=60, null=True)),
                (
                    "pool",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="codes",
                        to="benefits.codepool",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RedemptionNote",
            fields=[
                (
                    "redemption",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="words",
                        serialize=False,
                        to="benefits.redemption",
                    ),
                ),
                ("note", models.TextField(blank=True)),
                ("comment", models.TextField(blank=True)),
            ],
        ),
        migrations.AddField(
            model_name="redemption",
            name="benefit",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemptions",
                to="benefits.benefit",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="budget_line",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="benefits.budgetline",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="grant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemptions",
                to="benefits.grant",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemptions",
                to="members.member",
            ),
        ),
        migrations.CreateModel(
            name="RedemptionStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(max_length=10)),
                (
                    "to_state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("confirmed", "Confirmed"),
                            ("fulfilled", "Fulfilled"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                            ("reversed", "Reversed"),
                        ],
                        max_length=10,
                    ),
                ),
                ("actor", models.CharField(max_length=60)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("evidence", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
                (
                    "redemption",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="benefits.redemption",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReserveDraw",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("pilot", "Pilot"),
                            ("supply_shock", "Supply shock"),
                            ("demand_shift", "Demand shift"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "reason",
                    models.TextField(help_text="What the money is for, in a sentence or two."),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("exit_on", models.DateField(help_text="What is unspent on this day goes back.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting for approval"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("returned", "Ended, rest returned"),
                        ],
                        default="requested",
                        max_length=9,
                    ),
                ),
                ("asked_by", models.CharField(max_length=60)),
                ("asked_by_label", models.CharField(blank=True, max_length=120)),
                ("asked_at", models.DateTimeField()),
                ("decided_by", models.CharField(blank=True, max_length=60)),
                ("decided_by_label", models.CharField(blank=True, max_length=120)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_note", models.CharField(blank=True, max_length=200)),
                ("returned_minor", models.BigIntegerField(default=0)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
                        to="benefits.budget",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draws",
                        to="benefits.budgetline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReserveSnapshot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("on_date", models.DateField()),
                ("target_minor", models.BigIntegerField(help_text="Opening reserve.")),
                ("left_minor", models.BigIntegerField()),
                ("planned_minor", models.BigIntegerField()),
                ("committed_minor", models.BigIntegerField()),
                ("spent_minor", models.BigIntegerField()),
                (
                    "burn_per_day_minor",
                    models.BigIntegerField(help_text="Mean spend of the last 28 days."),
                ),
                (
                    "exhausted_on",
                    models.DateField(help_text="When the whole budget would be spent.", null=True),
                ),
                ("projected_low_minor", models.BigIntegerField()),
                ("projected_minor", models.BigIntegerField()),
                ("projected_high_minor", models.BigIntegerField()),
                ("free_share_bp", models.IntegerField(help_text="Reserve left over the total.")),
                ("computed_at", models.DateTimeField()),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="snapshots",
                        to="benefits.budget",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RulePeriod",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("period_key", models.CharField(max_length=60)),
                ("members", models.PositiveBigIntegerField(default=0)),
                ("units", models.PositiveBigIntegerField(default=0)),
                (
                    "cost_minor",
                    models.BigIntegerField(default=0, help_text="At the unit cost when issued."),
                ),
                ("first_issued_at", models.DateTimeField()),
                ("last_issued_at", models.DateTimeField()),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="benefits.grantrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RuleVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("terms", models.JSONField()),
                ("preview", models.JSONField()),
                ("published_at", models.DateTimeField()),
                ("published_by", models.CharField(max_length=60)),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="benefits.grantrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StageChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_stage", models.CharField(blank=True, max_length=8)),
                (
                    "to_stage",
                    models.CharField(
                        choices=[
                            ("idea", "Idea"),
                            ("pilot", "Pilot"),
                            ("core", "Core"),
                            ("star", "Star service"),
                            ("watch", "Under watch"),
                            ("retired", "Retired"),
                        ],
                        max_length=8,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "evidence",
                    models.JSONField(default=dict, help_text="What the decision was based on."),
                ),
                ("actor", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stage_changes",
                        to="benefits.benefit",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BenefitCost",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("unit_cost_minor", models.BigIntegerField()),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField(blank=True, null=True)),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="costs",
                        to="benefits.benefit",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("unit_cost_minor__gte", 0)),
                        name="benefit_cost_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="benefit_cost_period",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            (
                                models.Func(
                                    "benefit_id",
                                    "benefit_id",
                                    models.Value("[]"),
                                    function="int8range",
                                ),
                                "&&",
                            ),
                            (models.Func("valid_from", "valid_to", function="daterange"), "&&"),
                        ],
                        name="benefit_cost_one_a_day",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BenefitMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField()),
                (
                    "target_members",
                    models.BigIntegerField(help_text="Held an active grant in the month."),
                ),
                (
                    "users",
                    models.BigIntegerField(help_text="Requested one in the month, not cancelled."),
                ),
                ("units_issued", models.BigIntegerField()),
                (
                    "units_used",
                    models.BigIntegerField(help_text="Of the units issued in the month, to date."),
                ),
                ("units_fulfilled", models.BigIntegerField()),
                ("unit_cost_minor", models.BigIntegerField()),
                ("partner_cost_minor", models.BigIntegerField()),
                ("points_cost_minor", models.BigIntegerField()),
                ("ratings", models.BigIntegerField()),
                ("rating_sum", models.BigIntegerField()),
                (
                    "nps_answers",
                    models.BigIntegerField(help_text="Answers of the 90 days to the month's end."),
                ),
                ("nps_promoters", models.BigIntegerField()),
                ("nps_detractors", models.BigIntegerField()),
                (
                    "user_buyers",
                    models.BigIntegerField(help_text="Users with a purchase in those 90 days."),
                ),
                ("user_repeaters", models.BigIntegerField(help_text="Users with two or more.")),
                ("computed_at", models.DateTimeField()),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="months",
                        to="benefits.benefit",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("benefit", "month"), name="benefit_month_once")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="budgetline",
            constraint=models.UniqueConstraint(
                fields=("budget", "code"), name="budget_line_code_once"
            ),
        ),
        migrations.AddIndex(
            model_name="budgetentry",
            index=models.Index(
                fields=["line", "kind", "on_date"],
                include=("amount_minor",),
                name="budget_entry_sums",
            ),
        ),
        migrations.AddIndex(
            model_name="budgetentry",
            index=models.Index(fields=["budget", "-id"], name="budget_entry_list"),
        ),
        migrations.AddConstraint(
            model_name="budgetentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_minor__gt", 0),
                    models.Q(("kind", "plan"), models.Q(("amount_minor", 0), _negated=True)),
                    _connector="OR",
                ),
                name="budget_entry_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetallowance",
            constraint=models.UniqueConstraint(
                fields=("line", "shard"), name="budget_allowance_shard"
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("list_price_minor__gte", 0)),
                name="benefit_list_price_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_at__isnull", True),
                    ("ends_at__isnull", True),
                    ("starts_at__lt", models.F("ends_at")),
                    _connector="OR",
                ),
                name="benefit_starts_before_it_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("code_pool__isnull", True), ("channel", "code"), _connector="OR"
                ),
                name="benefit_pool_only_for_codes",
            ),
        ),
        migrations.AddConstraint(
            model_name="holdout",
            constraint=models.UniqueConstraint(fields=("rule", "member"), name="hold_out_once"),
        ),
        migrations.AddConstraint(
            model_name="stockrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("held__gte", 0),
                    ("sold__gte", 0),
                    (
                        "stock_in__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("held"), "+", models.F("sold")
                        ),
                    ),
                ),
                name="stock_never_oversold",
            ),
        ),
        migrations.AddIndex(
            model_name="mallorder",
            index=models.Index(fields=["member", "-id"], name="mall_order_by_member"),
        ),
        migrations.AddIndex(
            model_name="mallorder",
            index=models.Index(
                condition=models.Q(("state__in", ["placed", "confirmed", "shipped"])),
                fields=["state", "id"],
                name="mall_order_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="mallorder",
            constraint=models.UniqueConstraint(fields=("number",), name="mall_order_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="mallorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="mall_order_quantity"
            ),
        ),
        migrations.AddConstraint(
            model_name="mallorder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("debit_key__isnull", True), ("state__in", ["placed", "cancelled"])),
                    models.Q(
                        ("debit_key__isnull", False),
                        ("state__in", ["confirmed", "shipped", "completed", "refunded"]),
                    ),
                    _connector="OR",
                ),
                name="mall_order_debit_when_confirmed",
            ),
        ),
        migrations.AddConstraint(
            model_name="mallorder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refund_key__isnull", False), ("state", "refunded")),
                    models.Q(
                        models.Q(("state", "refunded"), _negated=True), ("refund_key__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="mall_order_refund_when_refunded",
            ),
        ),
        migrations.AddConstraint(
            model_name="mallitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("points__gte", 1)), name="mall_item_costs_points"
            ),
        ),
        migrations.AddConstraint(
            model_name="mallitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("cash_minor__gte", 0), ("unit_cost_minor__gte", 0)),
                name="mall_item_money_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="mallitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("benefit__isnull", True),
                        ("code_pool__isnull", True),
                        ("kind__in", ["physical", "virtual"]),
                    ),
                    models.Q(
                        ("benefit__isnull", True), ("code_pool__isnull", False), ("kind", "code")
                    ),
                    models.Q(
                        ("benefit__isnull", False),
                        ("code_pool__isnull", True),
                        ("kind__in", ["benefit", "partner"]),
                    ),
                    _connector="OR",
                ),
                name="mall_item_content",
            ),
        ),
        migrations.AddConstraint(
            model_name="mallitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_at__isnull", True),
                    ("ends_at__isnull", True),
                    ("starts_at__lt", models.F("ends_at")),
                    _connector="OR",
                ),
                name="mall_item_starts_before_it_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("benefit__isnull", False), ("package__isnull", True)),
                    models.Q(("benefit__isnull", True), ("package__isnull", False)),
                    _connector="OR",
                ),
                name="grant_rule_benefit_or_package",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cap_minor_per_period__isnull", True),
                    ("cap_minor_per_period__gte", 0),
                    _connector="OR",
                ),
                name="grant_rule_cap_minor",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="grant_rule_quantity"
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold_out_bp__gte", 0), ("hold_out_bp__lt", 10000)),
                name="grant_rule_hold_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cadence", "every_n_months"), ("every_months__gte", 1)),
                    models.Q(
                        models.Q(("cadence", "every_n_months"), _negated=True),
                        ("every_months__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="grant_rule_every_months",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cadence", "on_event"), models.Q(("event_name", ""), _negated=True)),
                    models.Q(models.Q(("cadence", "on_event"), _negated=True), ("event_name", "")),
                    _connector="OR",
                ),
                name="grant_rule_event_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("status", "draft"), ("version__gte", 1), _connector="OR"),
                name="grant_rule_published_has_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_at__isnull", True),
                    ("ends_at__isnull", True),
                    ("starts_at__lt", models.F("ends_at")),
                    _connector="OR",
                ),
                name="grant_rule_starts_before_it_ends",
            ),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(fields=["member", "ends_at"], name="grant_by_member"),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["issued_at"], name="grant_issued_at"
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                fields=("rule", "period_key", "benefit", "member"),
                name="grant_once_per_rule_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.UniqueConstraint(
                condition=models.Q(("rule__isnull", True)),
                fields=("member", "benefit", "period_key"),
                name="grant_once_without_rule",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="grant_quantity"
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=models.Q(("used__gte", 0), ("used__lte", models.F("quantity"))),
                name="grant_used_within_quantity",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_at__isnull", True),
                    ("starts_at__lt", models.F("ends_at")),
                    _connector="OR",
                ),
                name="grant_starts_before_it_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rule__isnull", True), ("rule_version__isnull", True)),
                    models.Q(("rule__isnull", False), ("rule_version__isnull", False)),
                    _connector="OR",
                ),
                name="grant_rule_with_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="packageitem",
            constraint=models.UniqueConstraint(
                fields=("package", "benefit"), name="package_item_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="packageitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="package_item_quantity_positive"
            ),
        ),
        migrations.AddIndex(
            model_name="poolcode",
            index=models.Index(
                condition=models.Q(("taken_at__isnull", True)),
                fields=["pool", "id"],
                name="pool_code_free",
            ),
        ),
        migrations.AddIndex(
            model_name="poolcode",
            index=models.Index(
                condition=models.Q(("taken_for__isnull", False)),
                fields=["taken_for"],
                name="pool_code_taken_for",
            ),
        ),
        migrations.AddConstraint(
            model_name="poolcode",
            constraint=models.UniqueConstraint(fields=("pool", "code"), name="pool_code_once"),
        ),
        migrations.AddConstraint(
            model_name="poolcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_at__isnull", True), ("taken_for__isnull", True)),
                    models.Q(("taken_at__isnull", False), ("taken_for__isnull", False)),
                    _connector="OR",
                ),
                name="pool_code_taken_for_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(fields=["member", "-id"], name="redemption_by_member"),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(fields=["benefit", "requested_at"], name="redemption_by_benefit"),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(
                condition=models.Q(("state__in", ["requested", "confirmed"])),
                fields=["state", "id"],
                name="redemption_open",
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(
                condition=models.Q(("code", ""), _negated=True),
                fields=["code"],
                name="redemption_by_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("cost_minor__isnull", False), ("state__in", ["fulfilled", "reversed"])
                    ),
                    models.Q(
                        ("cost_minor__isnull", True),
                        ("state__in", ["requested", "confirmed", "cancelled", "failed", "expired"]),
                    ),
                    _connector="OR",
                ),
                name="redemption_cost_when_fulfilled",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rating__isnull", True),
                    models.Q(("rating__gte", 1), ("rating__lte", 5)),
                    _connector="OR",
                ),
                name="redemption_rating",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(("nps__isnull", True), ("nps__lte", 10), _connector="OR"),
                name="redemption_nps",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservedraw",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_minor__gt", 0),
                    ("returned_minor__gte", 0),
                    ("returned_minor__lte", models.F("amount_minor")),
                ),
                name="reserve_draw_amounts",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservedraw",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_by", ""),
                    models.Q(("decided_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="reserve_draw_four_eyes",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservedraw",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by", ""), ("state", "requested")
                    ),
                    models.Q(
                        models.Q(("state", "requested"), _negated=True),
                        models.Q(("decided_by", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="reserve_draw_decided_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservesnapshot",
            constraint=models.UniqueConstraint(
                fields=("budget", "on_date"), name="reserve_snapshot_daily"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleperiod",
            constraint=models.UniqueConstraint(
                fields=("rule", "period_key"), name="rule_period_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleversion",
            constraint=models.UniqueConstraint(
                fields=("rule", "version"), name="rule_version_once"
            ),
        ),
    ]
