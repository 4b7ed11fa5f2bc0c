"""Purchases and credits as functions that keep their plans; cheaper checks of accounts.

The functions of the ledger come with the tables of new brands; this brings the others up to date.
"""

from django.db import migrations, models

from members.points.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("members", "0025_score_runs_zone")]

    operations = [
        run_sql_file("earn.sql", digest="753655400c292c21"),
        run_sql_file("spend.sql", digest="aa2ba2f814bf0e5e"),
        run_sql_file("purchase.sql", digest="05d87d2202ed7ce4", room="activity"),
        run_sql_file("one_member.sql", digest="c51b745e3866f6c0", room="tiers"),
        run_sql_file("purchase.sql", digest="20fc3b2a90d219aa", room="earning"),
        migrations.AddField(
            model_name="tierchange",
            name="by_purchase_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="tierchange",
            index=models.Index(
                condition=models.Q(("by_purchase_id__isnull", False)),
                fields=["by_purchase_id"],
                name="tier_change_by_purchase",
            ),
        ),
        migrations.RemoveConstraint(model_name="account", name="account_merged_by_a_merge"),
        # Only statements that name these columns ask for it.
        migrations.RunSQL(
            sql="""
                CREATE OR REPLACE FUNCTION points_refuse_odd_merge() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'account % is merged by a merge, and never into itself', NEW.id
                        USING ERRCODE = 'check_violation',
                              CONSTRAINT = 'account_merged_by_a_merge';
                END
                $$;
                DROP TRIGGER IF EXISTS account_merged_by_a_merge ON members_account;
                CREATE TRIGGER account_merged_by_a_merge
                    BEFORE INSERT OR UPDATE OF merged_into_id, merge_id ON members_account
                    FOR EACH ROW WHEN (
                        (NEW.merged_into_id IS NULL) <> (NEW.merge_id IS NULL)
                        OR NEW.merged_into_id = NEW.id)
                    EXECUTE FUNCTION points_refuse_odd_merge()
            """,
            reverse_sql="""
                DROP TRIGGER account_merged_by_a_merge ON members_account;
                DROP FUNCTION points_refuse_odd_merge()
            """,
        ),
    ]
