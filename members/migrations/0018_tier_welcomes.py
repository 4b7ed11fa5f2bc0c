"""Welcomes are written once; who reached a tier before they were written down was welcomed."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("members", "0017_tier_pins_and_paid_terms")]

    operations = [
        migrations.RunSQL(
            sql="""
                INSERT INTO members_tierwelcome (member_id, tier_code, at)
                SELECT change.member_id, tier.code, min(change.at)
                FROM members_tierchange AS change
                JOIN members_tier AS tier ON tier.id = change.to_tier_id
                WHERE tier.rank > 1
                GROUP BY change.member_id, tier.code
                ON CONFLICT DO NOTHING
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
        append_only("members_tierwelcome"),
    ]
