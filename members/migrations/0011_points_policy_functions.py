"""Caps, inactivity, transfers, consent and recovery in the functions of the points ledger.

New brands get these functions when the tables are made; this brings the others up to date.
"""

from django.db import migrations

from members.points.sql_files import run_sql_file
from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("members", "0010_points_policies")]

    operations = [
        append_only("members_transfer"),
        # Its result has a new column, which can not be replaced in place.
        migrations.RunSQL(
            sql="""
                DROP FUNCTION IF EXISTS points_claw_back(
                    bigint, bigint[], bigint, bigint, bigint, timestamptz, date, boolean)
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
        run_sql_file("shared.sql", digest="09b0ae9fca396fe0"),
        run_sql_file("earn.sql", digest="753655400c292c21"),
        run_sql_file("spend.sql", digest="aa2ba2f814bf0e5e"),
        run_sql_file("hold_end.sql", digest="f00581ac687d7831"),
        run_sql_file("reverse.sql", digest="fd2cbb0c1c35cf5d"),
        run_sql_file("nightly.sql", digest="c16ffba4ec8e896d"),
        run_sql_file("transfer.sql", digest="03275b867f7abfc6"),
    ]
