"""A run of the scores says in which time zone; room on the pages of rows that nights change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0024_receipts_of_tier_changes")]

    operations = [
        migrations.AddField(
            model_name="scorerun",
            name="zone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                max_length=64,
            ),
        ),
        # A new version of a row then fits beside the old one, and no index has to be told.
        migrations.RunSQL(
            sql=[
                "ALTER TABLE members_memberscore SET (fillfactor = 80)",
                "ALTER TABLE members_membertier SET (fillfactor = 80)",
            ],
            reverse_sql=[
                "ALTER TABLE members_memberscore RESET (fillfactor)",
                "ALTER TABLE members_membertier RESET (fillfactor)",
            ],
        ),
    ]
