"""A budget's amounts, currency and period never change, and a closed one stays closed."""

from django.db import migrations

_FIXED = ("currency", "total_minor", "opening_reserve_minor", "starts_on", "ends_on")


class Migration(migrations.Migration):
    dependencies = [("benefits", "0011_budget_in_depth")]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER budget_fixed BEFORE UPDATE ON benefits_budget FOR EACH ROW WHEN ("
            + " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _FIXED)
            + " OR OLD.status = 'closed') EXECUTE FUNCTION public.refuse_change()",
            "DROP TRIGGER budget_fixed ON benefits_budget",
        ),
    ]
