"""A rule has no multiplier of its own any more: campaigns have."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0013_multiplier_rules_to_campaigns")]

    operations = [migrations.RemoveField(model_name="earningrule", name="multiplier_bp")]
