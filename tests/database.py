"""The test database: made once per state of the code, then copied for each worker.

A database `tessera_tpl_<digest>` holds the migrated public schema, the schema template and two
brands. Each worker starts on a copy of it, which takes a fraction of a second.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from config.env import BASE_DIR
from core.actors import SYSTEM
from tenants.brands.connections import connect_directly
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand

BRAND: dict[str, Any] = {
    "slug": "bloom",
    "name": "Bloom",
    "locale": "en",
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
}
OTHER_BRAND: dict[str, Any] = {
    "slug": "motor",
    "name": "Motor",
    "locale": "zh-hant",
    "timezone": "America/New_York",
    "currency": "USD",
}
_KEEP_TEMPLATES = 6
_RECIPES = (
    "tests/database.py",
    "tenants/brands/operations.py",
    "tenants/brands/template.py",
    "tenants/brands/content_types.py",
    "tenants/audit/operations.py",
)


def copy_database(name: str) -> None:
    """Make the database `name` as a copy of the template; drop an older one of that name."""
    with _server() as server:
        # One builder or copier at a time: a template that is in use can not be copied.
        server.execute("SELECT pg_advisory_lock(hashtext('tessera tests'))")
        template = f"tessera_tpl_{_digest()[:12]}"
        if not _exists(server, template):
            _build(server, template)
            _prune(server)
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    _point_at(name)


def drop_database(name: str) -> None:
    """Drop a worker's database, whoever is still connected."""
    close_pool()
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def close_pool() -> None:
    """Close this thread's connection and the pool behind it."""
    connection.close()
    connection.close_pool()


def _build(server: psycopg.Connection[Any], template: str) -> None:
    building = f"{template}_building"
    server.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
    server.execute(f"CREATE DATABASE \"{building}\" ENCODING 'UTF8' TEMPLATE template0")
    _point_at(building)
    call_command("migrate_schemas", shared=True, verbosity=0, interactive=False, skip_checks=True)
    for facts in (BRAND, OTHER_BRAND):
        create_brand(**facts, by=SYSTEM)
    assert Brand.objects.count() == 2
    close_pool()
    server.execute(f'ALTER DATABASE "{building}" RENAME TO "{template}"')


def _prune(server: psycopg.Connection[Any]) -> None:
    rows = server.execute(
        "SELECT datname FROM pg_database WHERE datname ~ '^tessera_tpl_[0-9a-f]{12}$' "
        "ORDER BY oid DESC"
    ).fetchall()
    for (name,) in rows[_KEEP_TEMPLATES:]:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')


def _exists(server: psycopg.Connection[Any], name: str) -> bool:
    found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return found is not None


def _digest() -> str:
    digest = hashlib.sha256(repr((settings.INSTALLED_APPS, settings.PLATFORM_HOST)).encode())
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        digest.update(f"{app}.{name}\0".encode())
        digest.update(Path(str(import_module(migration.__module__).__file__)).read_bytes())
    for recipe in _RECIPES:
        digest.update((BASE_DIR / recipe).read_bytes())
    return digest.hexdigest()


def _point_at(name: str) -> None:
    close_pool()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    server = connect_directly(
        database="postgres", settings="-c lock_timeout=0 -c statement_timeout=0"
    )
    try:
        yield server
    finally:
        server.close()
