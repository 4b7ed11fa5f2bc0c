"""A brand's currency never changes: money of two currencies would stand in the same books."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("brands", "0002_refuse_change")]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER currency_fixed BEFORE UPDATE OF currency ON brands_brand FOR EACH ROW"
            " WHEN (OLD.currency IS DISTINCT FROM NEW.currency)"
            " EXECUTE FUNCTION public.refuse_change()",
            "DROP TRIGGER currency_fixed ON brands_brand",
        ),
    ]
