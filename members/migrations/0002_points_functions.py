"""The functions and triggers of the points ledger."""

from django.db import migrations

from members.points.sql_files import run_sql_file
from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0001_initial"),
        ("audit", "0001_initial"),
        ("brands", "0002_refuse_change"),
    ]

    operations = [
        append_only("members_entry"),
        run_sql_file("shared.sql", digest="09b0ae9fca396fe0"),
        run_sql_file("tables.sql", digest="63a73a8879241243"),
        run_sql_file("earn.sql", digest="753655400c292c21"),
        run_sql_file("spend.sql", digest="aa2ba2f814bf0e5e"),
        run_sql_file("hold_end.sql", digest="f00581ac687d7831"),
        run_sql_file("reverse.sql", digest="fd2cbb0c1c35cf5d"),
        run_sql_file("nightly.sql", digest="c16ffba4ec8e896d"),
    ]
