"""History tables refuse change; grants leave room beside each row for its updates."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("benefits", "0001_initial"), ("brands", "0002_refuse_change")]

    operations = [
        append_only("benefits_stagechange"),
        append_only("benefits_ruleversion"),
        append_only("benefits_grantterms"),
        append_only("benefits_redemptionstep"),
        # Counting a unit as used then stays on the page and touches no index.
        migrations.RunSQL(
            "ALTER TABLE benefits_grant SET (fillfactor = 90)",
            "ALTER TABLE benefits_grant RESET (fillfactor)",
        ),
    ]
