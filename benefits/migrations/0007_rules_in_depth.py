"""Rules with more caps, groups and revocation; prices, versions, stock and nested packages."""

import django.contrib.postgres.constraints
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("benefits", "0006_mall_history"),
        ("members", "0005_tier_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="BenefitPrice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("list_price_minor", models.BigIntegerField()),
                ("valid_from", models.DateField()),
                ("valid_to", models.DateField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="BenefitUnit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("taken_at", models.DateTimeField(null=True)),
                ("taken_for", models.CharField(blank=True, max_length=60)),
            ],
        ),
        migrations.CreateModel(
            name="BenefitVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("content", models.JSONField()),
                ("actor", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="GrantRevocation",
            fields=[
                (
                    "grant",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="revocation",
                        serialize=False,
                        to="benefits.grant",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("staff", "Taken back by staff"),
                            ("no_longer_met", "The condition is no longer met"),
                            ("replaced", "A better right took its place"),
                            ("refunded", "The purchase was refunded"),
                            ("rule_ended", "The rule has ended"),
                            ("benefit_retired", "The benefit was retired"),
                            ("order", "The order was cancelled"),
                        ],
                        max_length=16,
                    ),
                ),
                ("detail", models.JSONField(default=dict)),
                ("units_left", models.PositiveIntegerField()),
                ("actor", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PackagePart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="PackageUnit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="holdout",
            name="hold_out_once",
        ),
        migrations.RemoveConstraint(
            model_name="ruleperiod",
            name="rule_period_once",
        ),
        migrations.AddField(
            model_name="benefit",
            name="is_stocked",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Units are counted one by one; without a free one nobody can use it.",
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="cap_minor_per_day",
            field=models.BigIntegerField(
                blank=True, help_text="What the units of one day may cost, at unit cost.", null=True
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="cap_minor_per_member",
            field=models.BigIntegerField(
                blank=True,
                help_text="What one member's units from this rule may cost in all, at unit cost.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="cap_minor_total",
            field=models.BigIntegerField(
                blank=True, help_text="What all units may cost in all, at unit cost.", null=True
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="cap_units_per_day",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="Units all members can get on one day.", null=True
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="cap_units_total",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="Units all members can get in all.", null=True
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="exclusivity_group",
            field=models.CharField(
                blank=True,
                help_text="A member holds live rights of one rule of a group at a time.",
                max_length=40,
                validators=[django.core.validators.RegexValidator("^[a-z0-9][a-z0-9_-]{0,39}$")],
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="on_lost",
            field=models.CharField(
                choices=[("keep", "Stays until it ends"), ("revoke", "Is taken back")],
                default="keep",
                help_text="What becomes of a live right whose member no longer meets the condition.",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="grantrule",
            name="on_refund",
            field=models.CharField(
                choices=[("keep", "Stays until it ends"), ("revoke", "Is taken back")],
                default="revoke",
                help_text="What becomes of a right when the purchase that gave it is refunded.",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="holdout",
            name="period_key",
            field=models.CharField(default="earlier", max_length=60),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="ruleperiod",
            name="scope",
            field=models.CharField(
                choices=[("total", "In all"), ("period", "Period"), ("day", "Day")],
                db_default="period",
                default="period",
                max_length=6,
            ),
        ),
        migrations.AlterField(
            model_name="holdout",
            name="member",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="hold_outs",
                to="members.member",
            ),
        ),
        migrations.AlterField(
            model_name="holdout",
            name="rule",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="hold_outs",
                to="benefits.grantrule",
            ),
        ),
        migrations.AddConstraint(
            model_name="grantrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("cap_minor_per_member__isnull", True),
                        ("cap_minor_per_member__gte", 0),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cap_minor_per_day__isnull", True),
                        ("cap_minor_per_day__gte", 0),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cap_minor_total__isnull", True),
                        ("cap_minor_total__gte", 0),
                        _connector="OR",
                    ),
                ),
                name="grant_rule_money_caps",
            ),
        ),
        migrations.AddConstraint(
            model_name="holdout",
            constraint=models.UniqueConstraint(
                fields=("rule", "period_key", "member"), name="hold_out_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleperiod",
            constraint=models.UniqueConstraint(
                fields=("rule", "scope", "period_key"), name="rule_period_once"
            ),
        ),
        migrations.AddField(
            model_name="benefitprice",
            name="benefit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="prices",
                to="benefits.benefit",
            ),
        ),
        migrations.AddField(
            model_name="benefitunit",
            name="benefit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="units",
                to="benefits.benefit",
            ),
        ),
        migrations.AddField(
            model_name="benefitversion",
            name="benefit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="versions",
                to="benefits.benefit",
            ),
        ),
        migrations.AddField(
            model_name="packagepart",
            name="package",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="parts",
                to="benefits.package",
            ),
        ),
        migrations.AddField(
            model_name="packagepart",
            name="part",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="part_of",
                to="benefits.package",
            ),
        ),
        migrations.AddField(
            model_name="packageunit",
            name="benefit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="benefits.benefit"
            ),
        ),
        migrations.AddField(
            model_name="packageunit",
            name="package",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="units",
                to="benefits.package",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("list_price_minor__gte", 0)), name="benefit_price_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitprice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True),
                    ("valid_from__lt", models.F("valid_to")),
                    _connector="OR",
                ),
                name="benefit_price_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitprice",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (
                        models.Func(
                            "benefit_id", "benefit_id", models.Value("[]"), function="int8range"
                        ),
                        "&&",
                    ),
                    (models.Func("valid_from", "valid_to", function="daterange"), "&&"),
                ],
                name="benefit_price_one_a_day",
            ),
        ),
        migrations.AddIndex(
            model_name="benefitunit",
            index=models.Index(
                condition=models.Q(("taken_at__isnull", True)),
                fields=["benefit", "id"],
                name="benefit_unit_free",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitunit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_at__isnull", True), ("taken_for", "")),
                    models.Q(
                        ("taken_at__isnull", False), models.Q(("taken_for", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="benefit_unit_taken_for_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitunit",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_for", ""), _negated=True),
                fields=("taken_for",),
                name="benefit_unit_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitversion",
            constraint=models.UniqueConstraint(
                fields=("benefit", "version"), name="benefit_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="packagepart",
            constraint=models.UniqueConstraint(
                fields=("package", "part"), name="package_part_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="packagepart",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="package_part_quantity_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="packagepart",
            constraint=models.CheckConstraint(
                condition=models.Q(("package", models.F("part")), _negated=True),
                name="package_part_of_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="packageunit",
            constraint=models.UniqueConstraint(
                fields=("package", "benefit"), name="package_unit_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="packageunit",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1)), name="package_unit_quantity_positive"
            ),
        ),
    ]
