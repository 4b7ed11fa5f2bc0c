"""Policies of wallets: caps, inactivity, transfers, consent, recovery; liability per day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0009_words_of_activity"),
    ]

    operations = [
        migrations.CreateModel(
            name="AdjustmentRequest",
            fields=[
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.wallet",
                    ),
                ),
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("owner_id", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                ("reason", models.CharField(max_length=300)),
                ("expires_on", models.DateField(null=True)),
                ("limit", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting for consent"),
                            ("approved", "Approved"),
                            ("refused", "Refused"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                ("asked_by", models.CharField(max_length=40)),
                ("asked_person", models.CharField(max_length=40)),
                ("asked_name", models.CharField(blank=True, max_length=120)),
                ("asked_at", models.DateTimeField()),
                ("decided_by", models.CharField(blank=True, max_length=40)),
                ("decided_person", models.CharField(blank=True, max_length=40)),
                ("decided_name", models.CharField(blank=True, max_length=120)),
                ("decided_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="EarnedDay",
            fields=[
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.account",
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "on_date",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("on_date", models.DateField()),
                ("points", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ExpiryNotice",
            fields=[
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.account",
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account",
                        "expires_on",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("expires_on", models.DateField()),
                ("points", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LiabilityDay",
            fields=[
                (
                    "wallet",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.wallet",
                    ),
                ),
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("on_date", models.DateField()),
                ("outstanding", models.BigIntegerField()),
                ("held", models.BigIntegerField()),
                ("debt", models.BigIntegerField()),
                ("issued", models.BigIntegerField()),
                ("spent", models.BigIntegerField()),
                ("expired", models.BigIntegerField()),
                ("corrected", models.BigIntegerField()),
                ("cost_per_point_micro", models.BigIntegerField()),
                ("cost_minor", models.BigIntegerField()),
                ("matured", models.BigIntegerField()),
                ("lapsed", models.BigIntegerField()),
                ("breakage", models.BigIntegerField()),
                ("breakage_minor", models.BigIntegerField()),
                ("computed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "to_account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.account",
                    ),
                ),
                (
                    "from_account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.account",
                    ),
                ),
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(unique=True)),
                ("from_seq", models.BigIntegerField()),
                ("to_seq", models.BigIntegerField()),
                ("points", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("on_date", models.DateField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="wallet",
            name="wallet_expiry_policy_known",
        ),
        migrations.RemoveConstraint(
            model_name="wallet",
            name="wallet_months_need_a_number",
        ),
        migrations.AddField(
            model_name="account",
            name="good_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="account",
            name="idle_months",
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="account",
            name="owed",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="wallet",
            name="adjust_limit",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Points that one person may add or take by hand, per member and 24 hours; more needs the consent of somebody else. Empty: no limit.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="balance_cap",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Most points that a member may have; empty: no limit.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="cap_policy",
            field=models.CharField(
                choices=[
                    ("cut", "Credit what still fits"),
                    ("refuse", "Credit nothing unless all of it fits"),
                ],
                db_default="cut",
                default="cut",
                help_text="What happens to a credit that passes a cap.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="earn_cap_day",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Most points earned in a day, from all rules; counted from when this is set.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="earn_cap_month",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Most points earned in a calendar month; counted from when this is set.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="expiring_notice_days",
            field=models.PositiveSmallIntegerField(
                db_default=30,
                default=30,
                help_text="Days ahead that members are told of points about to expire; 0: never.",
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="recover_percent",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Without debts: the share of each later credit that pays for points that were spent before they could be taken back. 0 writes them off.",
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="spend_min",
            field=models.PositiveBigIntegerField(
                db_default=0, default=0, help_text="Fewest points that members may spend at once."
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="spend_step",
            field=models.PositiveBigIntegerField(
                db_default=1, default=1, help_text="Members spend multiples of this."
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="transfer_day_count",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Most transfers that a member makes in a day.", null=True
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="transfer_day_points",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="Most points that a member passes on in a day.", null=True
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="transfer_min",
            field=models.PositiveBigIntegerField(
                db_default=1, default=1, help_text="Fewest points in one transfer."
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="transfers_on",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Members may pass points on to each other.",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="kind",
            field=models.SmallIntegerField(
                choices=[
                    (1, "Earned"),
                    (2, "Spent"),
                    (3, "Expired"),
                    (4, "Given back"),
                    (5, "Adjusted"),
                    (6, "Held"),
                    (7, "Captured"),
                    (8, "Released"),
                    (9, "Transferred"),
                    (10, "Taken back"),
                    (11, "Paid what was owed"),
                ]
            ),
        ),
        migrations.AlterField(
            model_name="wallet",
            name="expiry_policy",
            field=models.CharField(
                choices=[
                    ("none", "Never"),
                    ("months", "Some months after earning"),
                    ("end_of_month", "At the end of a month"),
                    ("end_of_quarter", "At the end of a quarter"),
                    ("end_of_year", "At the end of a year"),
                    ("inactivity", "After some months without activity"),
                ],
                default="none",
                help_text="When points stop being good, counted from the day they were earned.",
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("good_until__isnull", False)),
                fields=["good_until"],
                name="account_idle",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "expiry_policy__in",
                        [
                            "none",
                            "months",
                            "end_of_month",
                            "end_of_quarter",
                            "end_of_year",
                            "inactivity",
                        ],
                    )
                ),
                name="wallet_expiry_policy_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("expiry_policy__in", ["months", "inactivity"]), _negated=True),
                    ("expiry_months__gt", 0),
                    _connector="OR",
                ),
                name="wallet_months_need_a_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("recover_percent", 0),
                    models.Q(("may_go_negative", False), ("recover_percent__lte", 100)),
                    _connector="OR",
                ),
                name="wallet_one_clawback_policy",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(("cap_policy__in", ["cut", "refuse"])),
                name="wallet_cap_policy_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(("spend_step__gt", 0), ("transfer_min__gt", 0)),
                name="wallet_steps_positive",
            ),
        ),
        migrations.AddIndex(
            model_name="adjustmentrequest",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["asked_at"],
                name="adjustment_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="adjustmentrequest",
            index=models.Index(fields=["owner_id"], name="adjustment_of_owner"),
        ),
        migrations.AddConstraint(
            model_name="adjustmentrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "approved", "refused", "withdrawn"])),
                name="adjustment_request_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustmentrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="adjustment_request_not_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustmentrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["approved", "refused"]), _negated=True),
                    models.Q(
                        models.Q(("decided_person", ""), _negated=True),
                        models.Q(("decided_person", models.F("asked_person")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="adjustment_request_four_eyes",
            ),
        ),
        migrations.AddConstraint(
            model_name="liabilityday",
            constraint=models.UniqueConstraint(
                fields=("wallet", "on_date"), name="liability_once_a_day"
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["from_account", "on_date"], name="transfer_of_day"),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_account", models.F("to_account")), _negated=True),
                    ("points__gt", 0),
                ),
                name="transfer_between_two",
            ),
        ),
    ]
