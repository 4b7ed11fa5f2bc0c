"""What people wrote at a step of a redemption can be erased; the step itself can not."""

from django.db import migrations

from tenants.brands.append_only import append_only_but_for_words


class Migration(migrations.Migration):
    dependencies = [("benefits", "0003_budget_guards")]

    operations = [
        append_only_but_for_words(
            "benefits_redemptionstep",
            facts=["id", "redemption_id", "from_state", "to_state", "actor", "at"],
            words={"reason": "''", "evidence": "'{}'::jsonb"},
        )
    ]
