"""Evidence for changes of tier by spend or orders: the purchases and refunds known then."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0023_file_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="tierchange",
            name="purchase_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="refund_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), null=True, size=None
            ),
        ),
    ]
