"""Stock movements, draws and imports refuse change; every stock starts with what came in so far."""

from django.db import migrations

from tenants.brands.append_only import append_only

_OPENING = """
INSERT INTO benefits_stockmovement (item_id, kind, quantity, reason, actor, at)
SELECT s.item_id, 'opening', s.stock_in, '', 'system', i.created_at
  FROM benefits_stockrow s JOIN benefits_mallitem i ON i.id = s.item_id
 WHERE NOT EXISTS (SELECT 1 FROM benefits_stockmovement m WHERE m.item_id = s.item_id)
"""


class Migration(migrations.Migration):
    dependencies = [("benefits", "0004_mall_variants_payments_draws")]

    operations = [
        migrations.RunSQL(_OPENING, migrations.RunSQL.noop),
        append_only("benefits_stockmovement"),
        append_only("benefits_drawticket"),
        append_only("benefits_codeimport"),
    ]
