"""What people wrote at a step of an order can be erased; the step itself can not."""

from django.db import migrations

from tenants.brands.append_only import append_only_but_for_words


class Migration(migrations.Migration):
    dependencies = [("partners", "0002_append_only")]

    operations = [
        append_only_but_for_words(
            "partners_ordertransition",
            facts=[
                "id", "order_id", "number", "event", "from_state", "to_state", "partner_id",
                "actor_kind", "actor_id", "actor_label", "at", "data",
            ],
            words={"reason": "''"},
        )
    ]  # fmt: skip
