"""What merging two members needs of the database: accounts handed over, events that follow."""

from django.db import migrations

from members.points.sql_files import run_sql_file


class Migration(migrations.Migration):
    dependencies = [("members", "0021_member_merges")]

    operations = [
        run_sql_file("merge.sql", digest="8e3c88f36f6d24cb"),
        # Events stay as they were written; only whose they are follows a merge.
        migrations.RunSQL(
            sql="""
                CREATE OR REPLACE FUNCTION members_follow_merge() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    IF NOT EXISTS (
                        SELECT FROM members_membermerge
                        WHERE undone_at IS NULL
                          AND (merged_id, survivor_id) IN (
                              (OLD.member_id, NEW.member_id), (NEW.member_id, OLD.member_id))
                    ) THEN
                        RAISE EXCEPTION '% % may only follow a merge', TG_TABLE_NAME, OLD.id
                            USING ERRCODE = 'restrict_violation';
                    END IF;
                    RETURN NEW;
                END
                $$
            """,
            reverse_sql="DROP FUNCTION members_follow_merge()",
        ),
        migrations.RunSQL(
            sql="""
                DROP TRIGGER append_only ON members_activityevent;
                CREATE TRIGGER append_only BEFORE
                    UPDATE OF id, name, at, external_id, digest OR DELETE OR TRUNCATE
                    ON members_activityevent
                    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
                CREATE TRIGGER follow_merge BEFORE UPDATE OF member_id ON members_activityevent
                    FOR EACH ROW EXECUTE FUNCTION members_follow_merge()
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
