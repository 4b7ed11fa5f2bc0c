"""Campaigns, groups of rules, occasions without a purchase, refunds by line."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0011_points_policy_functions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Campaign",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "effect",
                    models.CharField(
                        choices=[("multiplier", "Multiplier"), ("bonus", "Bonus points")],
                        max_length=12,
                    ),
                ),
                (
                    "multiplier_bp",
                    models.PositiveIntegerField(
                        default=10000, help_text="Multiplier in basis points; 20,000 is double."
                    ),
                ),
                ("points", models.PositiveIntegerField(default=0, help_text="Points of a bonus.")),
                (
                    "combine",
                    models.CharField(
                        choices=[
                            ("best", "Only the greatest multiplier counts"),
                            ("multiply", "Comes on top of the others"),
                        ],
                        default="best",
                        max_length=8,
                    ),
                ),
                (
                    "rule_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), blank=True, default=list, size=None
                    ),
                ),
                (
                    "categories",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="A line of one of these is enough; empty: all.",
                    ),
                ),
                ("stores", models.JSONField(blank=True, default=list, help_text="Empty: all.")),
                ("channels", models.JSONField(blank=True, default=list, help_text="Empty: all.")),
                (
                    "condition",
                    models.JSONField(blank=True, help_text="Which members; empty: all.", null=True),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("active", "Active"),
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
            name="OccasionEarning",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("wallet", models.CharField(max_length=8)),
                ("occasion", models.CharField(max_length=80)),
                ("on_date", models.DateField()),
                ("amount", models.BigIntegerField()),
                ("raw", models.BigIntegerField()),
                ("tier_bp", models.PositiveIntegerField(null=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="RefundLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("quantity", models.IntegerField()),
                ("amount_minor", models.BigIntegerField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="earning",
            name="earning_reversed_within",
        ),
        migrations.AddField(
            model_name="earning",
            name="base",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="earning",
            name="campaigns",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="earning",
            name="raw",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="category_mode",
            field=models.CharField(
                choices=[("only", "Only these categories"), ("except", "All but these categories")],
                default="only",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="channels",
            field=models.JSONField(blank=True, default=list, help_text="Empty: all."),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="event_name",
            field=models.CharField(
                blank=True, help_text="Name of the event, for rules on events.", max_length=60
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="priority",
            field=models.PositiveSmallIntegerField(
                default=100, help_text="Lower ones go first within their group."
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="stack_group",
            field=models.CharField(
                blank=True, help_text="Of the rules of one group, only one gives.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="stacking",
            field=models.CharField(
                choices=[
                    ("sum", "Adds up with all others"),
                    ("best", "The best of its group"),
                    ("first", "The first of its group"),
                ],
                default="sum",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="stores",
            field=models.JSONField(blank=True, default=list, help_text="Empty: all."),
        ),
        migrations.AlterField(
            model_name="earningrule",
            name="categories",
            field=models.JSONField(
                blank=True, default=list, help_text="Categories whose lines count; empty: all."
            ),
        ),
        migrations.AlterField(
            model_name="earningrule",
            name="effect",
            field=models.CharField(
                choices=[("per_unit", "Points per amount"), ("fixed", "Fixed points")],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="cause",
            field=models.CharField(
                choices=[
                    ("purchase", "Purchase"),
                    ("import", "Import"),
                    ("event", "Event"),
                    ("adjustment", "Adjustment"),
                    ("nightly", "Nightly evaluation"),
                    ("scheme", "New scheme"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="earning",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gte", 0), ("reversed__gte", 0), ("reversed__lte", models.F("amount"))
                ),
                name="earning_reversed_within",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="campaign_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("effect", "multiplier"), ("multiplier_bp__gt", 0), ("points", 0)),
                    models.Q(("effect", "bonus"), ("multiplier_bp", 10000), ("points__gt", 0)),
                    _connector="OR",
                ),
                name="campaign_effect",
            ),
        ),
        migrations.AddField(
            model_name="earningrule",
            name="campaign",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bonus_rule",
                to="members.campaign",
            ),
        ),
        migrations.AddConstraint(
            model_name="earningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("stack_group", ""), ("stacking", "sum")),
                    models.Q(
                        models.Q(("stacking", "sum"), _negated=True),
                        models.Q(("stack_group", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="earning_rule_group",
            ),
        ),
        migrations.AddField(
            model_name="occasionearning",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
            ),
        ),
        migrations.AddField(
            model_name="occasionearning",
            name="rule",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.earningrule",
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="refund",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="members.refund",
            ),
        ),
        migrations.AddIndex(
            model_name="occasionearning",
            index=models.Index(fields=["rule", "-id"], name="occasion_earning_by_rule"),
        ),
        migrations.AddConstraint(
            model_name="occasionearning",
            constraint=models.UniqueConstraint(
                fields=("member", "rule", "wallet", "occasion"), name="occasion_earning_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="occasionearning",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0), ("raw__gte", models.F("amount"))),
                name="occasion_earning_amounts",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.UniqueConstraint(
                fields=("refund", "position"), name="refund_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gte", 0), ("quantity__gt", 0)),
                name="refund_line_positive",
            ),
        ),
        migrations.AddIndex(
            model_name="earning",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["on_date"], name="earning_by_day"
            ),
        ),
        migrations.AddIndex(
            model_name="purchase",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["local_date"], name="purchase_by_day"
            ),
        ),
        append_only("members_refundline"),
    ]
