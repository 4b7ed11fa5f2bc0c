"""What was settled, charged or paid ahead can only grow; words about it can be erased."""

from django.db import migrations

from tenants.brands.append_only import append_only, append_only_but_for_words


class Migration(migrations.Migration):
    dependencies = [("partners", "0004_contracts_and_settlements")]

    operations = [
        append_only("partners_ordercharge"),
        append_only("partners_statementline"),
        append_only("partners_correction"),
        append_only("partners_prepaidentry"),
        append_only_but_for_words(
            "partners_disputemessage",
            facts=["id", "dispute_id", "by_kind", "by_key", "by_label", "at"],
            words={"text": "''"},
        ),
    ]
