"""What holds a tier whatever the metric says, memberships that are bought, and welcomes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0016_liability_without_debt"),
    ]

    operations = [
        migrations.CreateModel(
            name="PaidPlan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.SlugField(max_length=30, unique=True)),
                ("name", models.JSONField(help_text="Name by language.")),
                (
                    "tier_code",
                    models.SlugField(help_text="The tier that it gives at least.", max_length=30),
                ),
                ("price_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "period_months",
                    models.PositiveSmallIntegerField(help_text="How long one payment lasts."),
                ),
                (
                    "renews",
                    models.BooleanField(
                        default=True,
                        help_text="Whether a payment is expected at the end of each period.",
                    ),
                ),
                (
                    "grace_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Days after the period in which a renewal may still be paid.",
                    ),
                ),
                ("is_offered", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PaidTerm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reference", models.CharField(max_length=100)),
                ("price_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("grace_days", models.PositiveSmallIntegerField()),
                ("renews", models.BooleanField()),
                ("paid_at", models.DateTimeField()),
                ("renewal_told_at", models.DateTimeField(null=True)),
                ("refunded_minor", models.BigIntegerField(default=0)),
                ("refunded_at", models.DateTimeField(null=True)),
                ("refund_reference", models.CharField(blank=True, max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name="TierPin",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("paid", "Paid membership"), ("override", "Set by hand")],
                        max_length=8,
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[("at_least", "At least"), ("exactly", "Exactly")], max_length=8
                    ),
                ),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("made_by", models.CharField(max_length=60)),
                ("made_at", models.DateTimeField()),
                ("applied_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ending",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("expired", "Expired"),
                            ("lapsed", "Lapsed"),
                            ("renewed", "Renewed"),
                            ("refunded", "Refunded"),
                            ("replaced", "Replaced"),
                            ("lifted", "Lifted"),
                        ],
                        max_length=8,
                    ),
                ),
                ("told_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="TierWelcome",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tier_code", models.SlugField(max_length=30)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="tierchange",
            name="tier_change_changes",
        ),
        migrations.AddField(
            model_name="membertier",
            name="earned_tier",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.tier",
            ),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="earned_tier",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.tier",
            ),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="zone",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="tierrun",
            name="zone",
            field=models.CharField(db_default="", default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="cause",
            field=models.CharField(
                choices=[
                    ("purchase", "Purchase"),
                    ("import", "Import"),
                    ("adjustment", "Adjustment"),
                    ("nightly", "Nightly evaluation"),
                    ("scheme", "New scheme"),
                    ("paid", "Paid membership"),
                    ("paid_ended", "Paid membership ended"),
                    ("override", "Set by hand"),
                    ("override_ended", "Setting by hand ended"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="metric_value",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="threshold",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="window_to",
            field=models.DateField(null=True),
        ),
        migrations.AddConstraint(
            model_name="paidplan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("grace_days__lte", 90),
                    ("period_months__range", (1, 120)),
                    ("price_minor__gte", 0),
                ),
                name="paid_plan_terms",
            ),
        ),
        migrations.AddField(
            model_name="paidterm",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="paid_terms",
                to="members.member",
            ),
        ),
        migrations.AddField(
            model_name="paidterm",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="members.paidplan",
            ),
        ),
        migrations.AddField(
            model_name="paidterm",
            name="previous",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="renewals",
                to="members.paidterm",
            ),
        ),
        migrations.AddField(
            model_name="tierpin",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tier_pins",
                to="members.member",
            ),
        ),
        migrations.AddField(
            model_name="tierpin",
            name="tier",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.tier",
            ),
        ),
        migrations.AddField(
            model_name="paidterm",
            name="pin",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="term",
                to="members.tierpin",
            ),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="pin",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="changes",
                to="members.tierpin",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_tier", models.F("to_tier")), _negated=True),
                    ("earned_tier__isnull", False),
                    _connector="OR",
                ),
                name="tier_change_changes",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("metric_value__isnull", False),
                        ("pin__isnull", True),
                        ("threshold__isnull", False),
                        ("window_to__isnull", False),
                    ),
                    models.Q(
                        ("metric_value__isnull", True),
                        ("pin__isnull", False),
                        ("threshold__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="tier_change_evidence",
            ),
        ),
        migrations.AddField(
            model_name="tierwelcome",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
            ),
        ),
        migrations.AddIndex(
            model_name="tierpin",
            index=models.Index(fields=["member", "-id"], name="tier_pin_by_member"),
        ),
        migrations.AddIndex(
            model_name="tierpin",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["ends_on"],
                name="tier_pin_ends",
            ),
        ),
        migrations.AddIndex(
            model_name="tierpin",
            index=models.Index(
                condition=models.Q(("applied_at__isnull", True), ("ended_at__isnull", True)),
                fields=["starts_on"],
                name="tier_pin_starts",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts_on__lte", models.F("ends_on"))), name="tier_pin_dates"
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mode", "at_least"), ("source", "paid")),
                    models.Q(("source", "override"), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="tier_pin_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("ending", "")),
                    models.Q(("ended_at__isnull", False), models.Q(("ending", ""), _negated=True)),
                    _connector="OR",
                ),
                name="tier_pin_ended_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True), ("source", "override")),
                fields=("member",),
                name="tier_pin_one_override",
            ),
        ),
        migrations.AddIndex(
            model_name="paidterm",
            index=models.Index(fields=["member", "-id"], name="paid_term_by_member"),
        ),
        migrations.AddIndex(
            model_name="paidterm",
            index=models.Index(fields=["paid_at"], name="paid_term_paid"),
        ),
        migrations.AddIndex(
            model_name="paidterm",
            index=models.Index(
                condition=models.Q(("refunded_at__isnull", False)),
                fields=["refunded_at"],
                name="paid_term_refunded",
            ),
        ),
        migrations.AddConstraint(
            model_name="paidterm",
            constraint=models.UniqueConstraint(
                fields=("reference",), name="paid_term_reference_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="paidterm",
            constraint=models.UniqueConstraint(
                condition=models.Q(("refunded_at__isnull", True)),
                fields=("previous",),
                name="paid_term_renewed_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="paidterm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("price_minor__gte", 0),
                    ("refunded_minor__gte", 0),
                    ("refunded_minor__lte", models.F("price_minor")),
                    ("starts_on__lt", models.F("ends_on")),
                ),
                name="paid_term_amounts",
            ),
        ),
        migrations.AddConstraint(
            model_name="paidterm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("refund_reference", ""),
                        ("refunded_at__isnull", True),
                        ("refunded_minor", 0),
                    ),
                    models.Q(
                        ("refunded_at__isnull", False),
                        models.Q(("refund_reference", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="paid_term_refund_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierwelcome",
            constraint=models.UniqueConstraint(
                fields=("member", "tier_code"), name="tier_welcome_once"
            ),
        ),
    ]
