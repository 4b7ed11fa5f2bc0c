"""Stock movements, draws and imports refuse change; every stock starts with what came in so far.

The words that a member typed for a draw can be erased; the draw itself can not.
"""

from django.db import migrations

from tenants.brands.append_only import append_only, append_only_but_for_words

_OPENING = """
INSERT INTO benefits_stockmovement (item_id, kind, quantity, reason, actor, at)
SELECT s.item_id, 'opening', s.stock_in, '', 'system', i.created_at
  FROM benefits_stockrow s JOIN benefits_mallitem i ON i.id = s.item_id
 WHERE NOT EXISTS (SELECT 1 FROM benefits_stockmovement m WHERE m.item_id = s.item_id)
"""


class Migration(migrations.Migration):
    dependencies = [("benefits", "0005_mall_variants_payments_draws")]

    operations = [
        migrations.RunSQL(_OPENING, migrations.RunSQL.noop),
        append_only("benefits_stockmovement"),
        append_only("benefits_codeimport"),
        append_only("benefits_drawticket"),
        append_only_but_for_words(
            "benefits_drawticket",
            facts=[
                "id",
                "draw_id",
                "seed_id",
                "member_id",
                "key",
                "player",
                "number",
                "roll",
                "drawn_id",
                "prize_id",
                "fallback_reason",
                "points",
                "points_won",
                "code",
                "grant_id",
                "cost_minor",
                "day_on",
                "at",
            ],
            words={"lucky_words": "''"},
        ),
    ]
