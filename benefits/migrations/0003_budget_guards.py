"""Budget entries refuse change; budgets of one brand never cover the same day."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("benefits", "0002_append_only")]

    operations = [
        append_only("benefits_budgetentry"),
        migrations.RunSQL(
            "ALTER TABLE benefits_budget ADD CONSTRAINT budget_period_no_overlap"
            " EXCLUDE USING gist (daterange(starts_on, ends_on) WITH &&)",
            "ALTER TABLE benefits_budget DROP CONSTRAINT budget_period_no_overlap",
        ),
    ]
