"""A tier that a benefit holds for a time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0026_purchase_functions"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="tierpin",
            name="tier_pin_source",
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
                    ("paid", "Paid membership"),
                    ("paid_ended", "Paid membership ended"),
                    ("override", "Set by hand"),
                    ("override_ended", "Setting by hand ended"),
                    ("benefit", "Upgrade by a benefit"),
                    ("benefit_ended", "Upgrade by a benefit ended"),
                    ("merge", "Merge of two members"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="tierpin",
            name="source",
            field=models.CharField(
                choices=[
                    ("paid", "Paid membership"),
                    ("override", "Set by hand"),
                    ("benefit", "Upgrade by a benefit"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mode", "at_least"), ("source", "paid")),
                    models.Q(
                        ("mode", "at_least"),
                        ("source", "benefit"),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    models.Q(("source", "override"), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="tier_pin_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierpin",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source", "benefit")),
                fields=("member", "reason"),
                name="tier_pin_once_per_use",
            ),
        ),
    ]
