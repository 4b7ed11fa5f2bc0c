"""Lines, refunds and named events are written once: the database refuses to change them."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("members", "0002_points_functions")]

    operations = [
        append_only("members_purchaseline"),
        append_only("members_refund"),
        append_only("members_activityevent"),
    ]
