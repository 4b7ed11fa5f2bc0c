"""Migrating all brands: SQL rendered once, then replayed over the schemas.

Django's own executor needs a fifth of a second of processor time per brand and migration, most
of it to build models in memory; replaying the SQL needs milliseconds. A migration that Python
must run (data), or that must not run in a transaction, goes through Django for each brand.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunPython, SeparateDatabaseAndState
from django.db.utils import DatabaseError, OperationalError

from tenants.brands import content_types
from tenants.brands.context import PUBLIC, platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.template import ensure_template

LOCK_TIMEOUT = "3s"
_LOCK_RETRIES = 5
_SCHEMAS_PER_QUERY = 200
_LOCK_NOT_AVAILABLE = "55P03"

Key = tuple[str, str]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of the plan; `sql` is empty when Django must run it for each brand."""

    key: Key
    sql: str
    replaces: tuple[Key, ...] = ()


@dataclass(slots=True)
class FleetReport:
    """What a run over the fleet did."""

    migrated: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class CanaryFailedError(RuntimeError):
    """A canary could not be migrated: no other brand was touched."""


def missing_migrations(schemas: Sequence[str]) -> dict[str, frozenset[Key]]:
    """Return what each schema has not applied of the present code, by one query per 200."""
    wanted = frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    applied = _applied(schemas)
    return {schema: wanted - applied[schema] for schema in schemas}


def migrate_fleet(
    *,
    choose: Callable[[], Sequence[Brand]],
    canaries: int = 1,
    progress: Progress = lambda _schema, _done, _total: None,
) -> FleetReport:
    """Bring `public`, the template and the chosen brands to the present code.

    `choose` is asked once `public` is up to date: before, there may be no table of brands. The
    first `canaries` brands go first, and a failure there stops everything. Elsewhere a
    failing brand is noted and left as it was; the others go on. Run it again to resume.

    :raises CanaryFailedError: when a canary fails.
    """
    started = time.monotonic()
    _migrate_public()
    ensure_template()
    brands = choose()
    report = FleetReport()
    missing = missing_migrations([brand.schema_name for brand in brands])
    behind = [brand for brand in brands if missing[brand.schema_name]]
    report.current = [brand.schema_name for brand in brands if not missing[brand.schema_name]]
    plans: dict[frozenset[Key], list[Step]] = {}
    for number, brand in enumerate(behind, start=1):
        schema = brand.schema_name
        try:
            if missing[schema] in plans:
                _apply(brand, plans[missing[schema]])
            else:
                # The first brand of each state is where the SQL is rendered, step by step.
                plans[missing[schema]] = list(_render_and_apply(brand))
            _finish(schema)
            report.migrated.append(schema)
        except DatabaseError as error:
            report.failed[schema] = str(error).strip().partition("\n")[0]
            if number <= canaries:
                raise CanaryFailedError(f"{brand.slug}: {report.failed[schema]}") from error
        progress(schema, number, len(behind))
    report.seconds = time.monotonic() - started
    return report


def is_public_current() -> bool:
    """Tell whether the schema `public` has all migrations of the present code."""
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.django_migrations')")
        exists = cursor.fetchone()[0] is not None
    return exists and not missing_migrations([PUBLIC])[PUBLIC]


def _migrate_public() -> None:
    if not is_public_current():
        call_command(
            "migrate_schemas", shared=True, verbosity=0, interactive=False, skip_checks=True
        )


def _applied(schemas: Sequence[str]) -> dict[str, set[Key]]:
    found: dict[str, set[Key]] = {schema: set() for schema in schemas}
    quote = connection.ops.quote_name
    for first in range(0, len(schemas), _SCHEMAS_PER_QUERY):
        some = list(schemas[first : first + _SCHEMAS_PER_QUERY])
        query = " UNION ALL ".join(
            f"SELECT %s, app, name FROM {quote(schema)}.django_migrations"  # noqa: S608
            for schema in some
        )
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(query, some)
            for schema, app, name in cursor.fetchall():
                found[schema].add((app, name))
    return found


def _render_and_apply(brand: Brand) -> Iterator[Step]:
    """Render each missing migration against this brand's schema as it then is, and apply it."""
    while True:
        with tenant_context(brand):
            executor = MigrationExecutor(connection)
            executor.check_replacements()
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if not plan:
                return
            migration = plan[0][0]
            step = Step(
                key=(migration.app_label, migration.name),
                sql=_render(executor, migration) if _is_plain(migration) else "",
                replaces=tuple(migration.replaces),
            )
        _apply(brand, [step])
        yield step


def _render(executor: MigrationExecutor, migration: Migration) -> str:
    # Private, but what `migrate --plan` and `sqlmigrate` of Django itself rest on.
    create_state: Any = executor._create_project_state  # type: ignore[attr-defined]  # noqa: SLF001
    state = create_state(with_applied_migrations=True)
    with connection.schema_editor(collect_sql=True, atomic=True) as editor:
        migration.apply(state, editor, collect_sql=True)
    statements = [text for text in editor.collected_sql if not text.startswith("--")]
    # Never empty, so that it can not be taken for a step that Django must run.
    return "\n".join(["SELECT 1;", *statements])


def _is_plain(migration: Migration) -> bool:
    return bool(migration.atomic) and not any(_runs_python(migration.operations))


def _runs_python(operations: Iterable[object]) -> Iterator[bool]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _runs_python(operation.database_operations)
        elif isinstance(operation, RunPython) or not getattr(operation, "reduces_to_sql", False):
            yield True


def _apply(brand: Brand, steps: Sequence[Step]) -> None:
    """Apply steps to one schema: neighbours that are SQL in one transaction and round trip."""
    batch: list[Step] = []
    for step in steps:
        if step.sql:
            batch.append(step)
            continue
        _replay(brand.schema_name, batch)
        batch = []
        app, name = step.key
        call_command(
            "migrate_schemas",
            app,
            name,
            schema_name=brand.schema_name,
            verbosity=0,
            interactive=False,
            skip_checks=True,
        )
    _replay(brand.schema_name, batch)


def _replay(schema: str, steps: Sequence[Step]) -> None:
    if not steps:
        return
    keys = [key for step in steps for key in (*step.replaces, step.key)]
    records = ", ".join(f"('{app}', '{name}', now())" for app, name in keys)
    _execute(
        schema,
        "\n".join(step.sql for step in steps)
        + f"\nINSERT INTO django_migrations (app, name, applied) VALUES {records};",
    )


def _finish(schema: str) -> None:
    _execute(schema, content_types.render())


def _execute(schema: str, script: str) -> None:
    """Run a script in a schema and a transaction; try again when a lock is not free in time."""
    quoted = connection.ops.quote_name(schema)
    for attempt in range(_LOCK_RETRIES):
        try:
            with platform_context(), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    f"SET LOCAL search_path = {quoted}, {PUBLIC};"
                    f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';"
                    "SET LOCAL statement_timeout = 0;"
                    "SET LOCAL check_function_bodies = off;" + script
                )
        except OperationalError as error:
            last = attempt == _LOCK_RETRIES - 1
            if last or getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            time.sleep(0.5 * 2**attempt)
        else:
            return
