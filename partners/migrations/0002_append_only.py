"""The timeline of orders can only grow."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("partners", "0001_initial")]

    operations = [append_only("partners_ordertransition")]
