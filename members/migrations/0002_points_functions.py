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
        run_sql_file("shared.sql", digest="3dde4a497e84f814"),
        run_sql_file("tables.sql", digest="63a73a8879241243"),
        run_sql_file("earn.sql", digest="527ff34b3beeb2ac"),
        run_sql_file("spend.sql", digest="9b84385e57beddf6"),
        run_sql_file("hold_end.sql", digest="be20cfbaaedf8fe0"),
        run_sql_file("reverse.sql", digest="b227c1fed3201c74"),
        run_sql_file("nightly.sql", digest="0a54582c972ae794"),
    ]
