"""Evidence of tier changes is written once; a published scheme and its tiers are never edited."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("members", "0004_points_wallets")]

    operations = [
        append_only("members_tierchange"),
        migrations.RunSQL(
            sql="""
                CREATE OR REPLACE FUNCTION tiers_keep_scheme() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    IF OLD.status <> 'draft' AND (TG_OP = 'DELETE'
                        OR NEW.status = 'draft'
                        OR to_jsonb(NEW) - 'status' <> to_jsonb(OLD) - 'status')
                    THEN
                        RAISE EXCEPTION 'tier scheme % is published', OLD.version
                            USING ERRCODE = 'restrict_violation';
                    END IF;
                    RETURN COALESCE(NEW, OLD);
                END
                $$
            """,
            reverse_sql="DROP FUNCTION tiers_keep_scheme()",
        ),
        migrations.RunSQL(
            sql="""
                CREATE TRIGGER keep_published BEFORE UPDATE OR DELETE ON members_tierscheme
                FOR EACH ROW EXECUTE FUNCTION tiers_keep_scheme()
            """,
            reverse_sql="DROP TRIGGER keep_published ON members_tierscheme",
        ),
        migrations.RunSQL(
            sql="""
                CREATE OR REPLACE FUNCTION tiers_keep_tiers() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT FROM members_tierscheme WHERE status <> 'draft'
                        AND id IN (OLD.scheme_id, NEW.scheme_id))
                    THEN
                        RAISE EXCEPTION 'the tier scheme of this tier is published'
                            USING ERRCODE = 'restrict_violation';
                    END IF;
                    RETURN COALESCE(NEW, OLD);
                END
                $$
            """,
            reverse_sql="DROP FUNCTION tiers_keep_tiers()",
        ),
        migrations.RunSQL(
            sql="""
                CREATE TRIGGER keep_published BEFORE INSERT OR UPDATE OR DELETE ON members_tier
                FOR EACH ROW EXECUTE FUNCTION tiers_keep_tiers()
            """,
            reverse_sql="DROP TRIGGER keep_published ON members_tier",
        ),
        # Room on the page for the next night's version of a row.
        migrations.RunSQL(
            sql="ALTER TABLE members_memberscore SET (fillfactor = 80)",
            reverse_sql="ALTER TABLE members_memberscore RESET (fillfactor)",
        ),
    ]
