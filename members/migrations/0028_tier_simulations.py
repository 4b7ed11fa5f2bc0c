"""Simulations of tiers as jobs: what was tried out, and what was found."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0027_tier_lifts")]

    operations = [
        migrations.CreateModel(
            name="TierSimulation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("draft", models.JSONField()),
                ("asked_by", models.CharField(max_length=60)),
                ("asked_at", models.DateTimeField()),
                ("job_id", models.BigIntegerField(null=True)),
                ("result", models.JSONField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        name="tier_simulation_finished",
                        condition=models.Q(
                            models.Q(("result__isnull", True), ("finished_at__isnull", True)),
                            models.Q(("result__isnull", False), ("finished_at__isnull", False)),
                            _connector="OR",
                        ),
                    ),
                ],
            },
        ),
    ]
