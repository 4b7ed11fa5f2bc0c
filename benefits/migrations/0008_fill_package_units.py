"""What packages held before becomes their units; the new histories refuse change."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("benefits", "0007_rules_in_depth")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO benefits_packageunit (package_id, benefit_id, quantity)"
            " SELECT package_id, benefit_id, quantity FROM benefits_packageitem"
            " ON CONFLICT DO NOTHING",
            migrations.RunSQL.noop,
        ),
        append_only("benefits_benefitversion"),
        append_only("benefits_grantrevocation"),
    ]
