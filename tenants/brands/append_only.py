"""Append-only tables, enforced by the database itself. For use in migrations."""

from django.db.migrations import RunSQL


def append_only(table: str) -> RunSQL:
    """Return the migration step that makes a table refuse update, delete and truncate.

    The trigger fires once per statement, also when no row matches. `INSERT … ON CONFLICT DO
    UPDATE` counts as an update and is refused; `DO NOTHING` is not.
    """
    return RunSQL(
        sql=(
            f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()"
        ),
        reverse_sql=f'DROP TRIGGER append_only ON "{table}"',
    )
