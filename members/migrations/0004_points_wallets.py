"""The two wallets that every brand has."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0003_activity_append_only")]

    operations = [
        migrations.RunSQL(
            sql="""
                INSERT INTO members_wallet (id, code, name, expiry_policy, expiry_months,
                    pending_days, restore_grace_days, may_go_negative, cost_per_point_micro)
                VALUES (1, 'points', 'Points', 'none', 0, 0, 30, false, 1000000),
                       (2, 'growth', 'Growth', 'none', 0, 0, 30, false, 0)
                ON CONFLICT (id) DO NOTHING
            """,
            reverse_sql="DELETE FROM members_wallet WHERE id IN (1, 2)",
        )
    ]
