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


def append_only_but_for_words(table: str, *, facts: list[str], words: dict[str, str]) -> RunSQL:
    """Return the step that lets an append-only table's words be emptied, and nothing else.

    `words` maps the columns that may name a person to the SQL of their empty value: erasing a
    member sets them to it. All other columns (`facts`) stay refused, and so is any other value.
    """
    columns = ", ".join(f'"{column}"' for column in facts)
    named = ", ".join(f'"{column}"' for column in words)
    kept = " OR ".join(
        f'NEW."{column}" IS DISTINCT FROM {empty} '
        f'AND NEW."{column}" IS DISTINCT FROM OLD."{column}"'
        for column, empty in words.items()
    )
    call = "EXECUTE FUNCTION public.refuse_change()"
    return RunSQL(
        sql=[
            f'DROP TRIGGER IF EXISTS append_only ON "{table}"',
            (
                f"CREATE TRIGGER append_only BEFORE UPDATE OF {columns} OR DELETE OR TRUNCATE "
                f'ON "{table}" FOR EACH STATEMENT {call}'
            ),
            (
                f"CREATE TRIGGER append_only_words BEFORE UPDATE OF {named} "
                f'ON "{table}" FOR EACH ROW WHEN ({kept}) {call}'
            ),
        ],
        reverse_sql=[
            f'DROP TRIGGER append_only_words ON "{table}"',
            f'DROP TRIGGER append_only ON "{table}"',
            (
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
                f'ON "{table}" FOR EACH STATEMENT {call}'
            ),
        ],
    )
