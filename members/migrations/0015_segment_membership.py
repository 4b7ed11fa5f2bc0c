"""Saved segments day by day, the brand's own way to score, and indexes for audiences."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


def _key(to: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, to=to, **options
    )


_UNCHECKED = {"db_constraint": False, "related_name": "+"}


class Migration(migrations.Migration):
    dependencies = [("members", "0014_earning_rule_without_multiplier")]

    operations = [
        migrations.CreateModel(
            name="BehaviourSignal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=40, unique=True)),
                ("label", models.CharField(help_text="What the signal says.", max_length=80)),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        help_text="Names of events counted.",
                        size=None,
                    ),
                ),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        help_text="Days before the night that counts them."
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("days__gte", 1), ("days__lte", 365)),
                        name="signal_days_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[a-z][a-z0-9_]{0,39}$")),
                        name="signal_code_form",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="ScoreSetting",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("quintiles", "By fifths of the members"),
                            ("thresholds", "By limits of our own"),
                        ],
                        default="quintiles",
                        max_length=10,
                    ),
                ),
                ("thresholds", models.JSONField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="score_setting_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("method", "thresholds"), _negated=True),
                            ("thresholds__isnull", False),
                            _connector="OR",
                        ),
                        name="score_setting_has_thresholds",
                    ),
                ]
            },
        ),
        migrations.AddField(
            model_name="savedsegment",
            name="tells",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Send an event for each member who enters or leaves, each night.",
            ),
        ),
        migrations.AddField(
            model_name="savedsegment",
            name="version",
            field=models.PositiveIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name="scorerun",
            name="method",
            field=models.CharField(db_default="quintiles", default="quintiles", max_length=10),
        ),
        migrations.AddField(
            model_name="scorerun",
            name="scheme",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Digest of the scheme.",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="valuesegmentrule",
            name="condition",
            field=models.JSONField(
                help_text="Condition over r, f, m, days_since_joining and the behaviour signals."
            ),
        ),
        migrations.CreateModel(
            name="SegmentMember",
            fields=[
                ("segment", _key("members.savedsegment", **_UNCHECKED)),
                ("member", _key("members.member", **_UNCHECKED)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id",
                        "member_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("since", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="SegmentDay",
            fields=[
                ("segment", _key("members.savedsegment", related_name="days")),
                ("on_date", models.DateField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id",
                        "on_date",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("size", models.PositiveIntegerField()),
                ("entered", models.PositiveIntegerField()),
                ("left", models.PositiveIntegerField()),
                ("is_baseline", models.BooleanField()),
                ("finished_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SegmentChange",
            fields=[
                ("segment", _key("members.savedsegment", **_UNCHECKED)),
                ("on_date", models.DateField()),
                ("member", _key("members.member", **_UNCHECKED)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "segment_id",
                        "on_date",
                        "member_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("entered", models.BooleanField()),
            ],
        ),
        migrations.AddIndex(
            model_name="activityevent",
            index=models.Index(
                fields=["name", "at"], include=("member",), name="activity_event_by_time"
            ),
        ),
    ]
