"""Brands by the hundred: making one, finding nothing to migrate, one small migration over all.

The schemas of the fleet are made by the product itself. The yardstick of a new brand is the same
brand by Django's migrations, in turn with ours.
"""

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from bench.harness import BENCH, Result, interleaved, median_ratio, seconds
from config.env import BASE_DIR
from core import ids
from core.actors import SYSTEM
from tenants.brands import template
from tenants.brands.context import platform_context
from tenants.brands.fleet import migrate_fleet
from tenants.brands.models import Brand, SchemaTemplate
from tenants.brands.operations import create_brand, ensure_template

# 500 is what the targets speak of; each brand needs about 5 MB and 700 files.
BRANDS = int(os.environ.get("TESSERA_BENCH_BRANDS", "60"))
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))
_MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("events", "{last}")]
    operations = [migrations.AddField("event", "note", models.CharField(max_length=20, null=True))]
"""


def new_bench_brand() -> Brand:
    slug = f"bench-{ids.readable_code(10).lower()}"
    return create_brand(
        slug=slug, name=slug, locale="en", timezone="UTC", currency="USD", by=SYSTEM
    )


def _drop(schema: str) -> None:
    with platform_context(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')


def remove_brands(brands: list[Brand]) -> None:
    for brand in brands:
        _drop(brand.schema_name)
        with platform_context():
            brand.delete()


@BENCH.register("platform", "new brand against the same by migrations")
def new_brand() -> Iterator[Result]:
    """Template SQL and Django's migrations in turn."""
    ensure_template()
    made: list[Brand] = []

    def by_migrations() -> float:
        schema = f"t_{ids.readable_code(10).lower()}"
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        with platform_context():
            took = seconds(
                lambda: call_command(
                    "migrate_schemas",
                    schema_name=schema,
                    verbosity=0,
                    interactive=False,
                    skip_checks=True,
                )
            )
        _drop(schema)
        return took

    try:
        figures = interleaved(
            {
                "template": lambda: seconds(lambda: made.append(new_bench_brand())),
                "migrations": by_migrations,
            },
            rounds=ROUNDS,
        )
    finally:
        remove_brands(made)
    yield Result(
        "platform",
        "new brand against the same by migrations",
        median_ratio(figures, "migrations", "template"),
        "× faster",
        10,
        20,
        "higher",
        ROUNDS,
        f"{statistics.median(figures['template']) * 1000:.0f} ms against "
        f"{statistics.median(figures['migrations']) * 1000:.0f} ms",
    )


@BENCH.register("platform", "many brands")
def many_brands() -> Iterator[Result]:
    """Growth, a deploy with nothing to do, and one small migration."""
    brands: list[Brand] = []
    try:
        took = [seconds(lambda: brands.append(new_bench_brand())) for _ in range(BRANDS)]
        early, late = statistics.median(took[:10]), statistics.median(took[-10:])
        yield Result(
            "platform", f"brand {BRANDS} against the tenth", late / early, "× its time",
            1.5, 1.2, "lower", 10, f"{late * 1000:.0f} ms",
        )  # fmt: skip
        idle = statistics.median(
            [seconds(lambda: migrate_fleet(choose=lambda: brands)) for _ in range(ROUNDS)]
        )
        yield Result(
            "platform", f"deploy with nothing to migrate, {BRANDS} brands", idle, "s",
            5, 1, "lower", ROUNDS, f"{idle / BRANDS * 1000:.1f} ms a brand",
        )  # fmt: skip
        with _one_more_migration():
            ensure_template()  # its own row above
            once = seconds(lambda: migrate_fleet(choose=lambda: brands))
        yield Result(
            "platform", f"one small migration over {BRANDS} brands", once, "s",
            30, 5, "lower", 1, f"{once / BRANDS * 1000:.1f} ms a brand",
        )  # fmt: skip
    finally:
        remove_brands(brands)


@contextmanager
def _one_more_migration() -> Iterator[None]:
    """Add a migration to the app `events` for the time of the block."""
    known = {template.pk for template in SchemaTemplate.objects.only("pk")}
    with tempfile.TemporaryDirectory() as folder:
        name = f"events_{ids.readable_code(6).lower()}"
        package = Path(folder) / name
        shutil.copytree(BASE_DIR / "tenants" / "events" / "migrations", package)
        last = max(path.stem for path in package.glob("0*.py"))
        (package / "0901_note.py").write_text(_MIGRATION.format(last=last))
        sys.path.insert(0, folder)
        template.current_digest.cache_clear()
        try:
            with override_settings(MIGRATION_MODULES={"events": name}):
                yield
        finally:
            sys.path.remove(folder)
            template.current_digest.cache_clear()
            with platform_context():
                SchemaTemplate.objects.exclude(pk__in=known).delete()
                MigrationRecorder.Migration.objects.filter(app="events", name="0901_note").delete()
