"""The function that the trigger `append_only` of every append-only table calls."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("brands", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="""
                CREATE OR REPLACE FUNCTION public.refuse_change() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION '% on %.% is refused: the table is append-only',
                        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
                        USING ERRCODE = 'restrict_violation';
                END
                $$
            """,
            reverse_sql="DROP FUNCTION public.refuse_change()",
        ),
        append_only("brands_chainanchor"),
    ]
