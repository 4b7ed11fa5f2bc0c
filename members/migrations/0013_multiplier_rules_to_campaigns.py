"""Rules that only multiplied others become campaigns; what they gave stays as it is."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0012_campaigns_and_occasions")]

    operations = [
        migrations.RunSQL(
            sql="""
                INSERT INTO members_campaign (name, effect, multiplier_bp, points, combine, rule_ids,
                    categories, stores, channels, condition, starts_at, ends_at, status, created_at)
                SELECT name, 'multiplier', multiplier_bp, 0, 'best', '{}', categories, '[]', '[]',
                    condition, COALESCE(starts_at, TIMESTAMPTZ '2000-01-01'),
                    COALESCE(ends_at, TIMESTAMPTZ '9999-01-01'), status, created_at
                FROM members_earningrule WHERE effect = 'multiplier'
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            sql="DELETE FROM members_earningrule WHERE effect = 'multiplier'",
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
