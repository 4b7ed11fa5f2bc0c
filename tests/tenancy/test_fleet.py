"""The fleet is migrated brand by brand: quick, resumable, canaries first."""

import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from core.actors import SYSTEM
from tenants.brands import fleet, template
from tenants.brands.connections import connect_directly
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.fleet import CanaryFailedError, migrate_fleet, missing_migrations
from tenants.brands.models import SchemaTemplate
from tenants.brands.operations import create_brand
from tests.conftest import drop_brand
from tests.database import BRAND
from tests.tenancy.test_template import _lines

NEW = {
    "0901_note": """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [
        migrations.AddField("event", "note", models.CharField(max_length=20, null=True)),
        migrations.AddIndex("event", models.Index(fields=["note"], name="event_note")),
        migrations.RunSQL("CREATE VIEW event_notes AS SELECT note, '100%' AS share FROM events_event"),
    ]
""",
    "0902_fill": """
from django.db import migrations

def fill(apps, schema_editor):
    apps.get_model("events", "Event").objects.update(note="filled")

class Migration(migrations.Migration):
    dependencies = [("events", "0901_note")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
""",
    "0903_rename": """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("events", "0902_fill")]
    operations = [
        migrations.RunSQL("DROP VIEW event_notes"),
        migrations.RenameField("event", "note", "remark"),
    ]
""",
}


@pytest.fixture
def three_brands(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        made = [create_brand(**{**BRAND, "slug": f"fleet-{n}"}, by=SYSTEM) for n in range(3)]
        for brand in made:
            with tenant_context(brand), connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO events_event (uuid, type, subject, data, at) "
                    "VALUES (gen_random_uuid(), 'a.b', 'c', '{}', now())"
                )
        yield made
        for brand in made:
            drop_brand(brand)


@pytest.fixture
def new_release(three_brands, tmp_path, settings, monkeypatch):
    """Code with three migrations more, in the app `events`; taken back afterwards."""
    package = tmp_path / "events_of_new_release"
    shutil.copytree(Path("tenants/events/migrations"), package)
    for name, source in NEW.items():
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"events": package.name}
    template.current_digest.cache_clear()
    old_templates = set(SchemaTemplate.objects.values_list("pk", flat=True))
    yield
    settings.MIGRATION_MODULES = {}
    template.current_digest.cache_clear()
    for module in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[module]
    with platform_context():
        SchemaTemplate.objects.exclude(pk__in=old_templates).delete()
        MigrationRecorder.Migration.objects.filter(app="events", name__startswith="09").delete()


@pytest.fixture
def only_brands(monkeypatch):
    """Leave `public` and the template out, which take seconds: one test does the whole."""
    monkeypatch.setattr(fleet, "_migrate_public", lambda: None)
    monkeypatch.setattr(fleet, "ensure_template", lambda: None)


def _remarks(brand) -> list[str]:
    with tenant_context(brand), connection.cursor() as cursor:
        cursor.execute("SELECT remark FROM events_event")
        return [row[0] for row in cursor.fetchall()]


def _has_table(brand, name: str) -> bool:
    with tenant_context(brand), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"{brand.schema_name}.{name}"])
        return cursor.fetchone()[0] is not None


def _missing(brand) -> set[str]:
    return {name for _, name in missing_migrations([brand.schema_name])[brand.schema_name]}


def test_fleet_is_brought_to_the_new_release(three_brands, new_release, only_brands):
    assert _missing(three_brands[0]) == set(NEW)
    steps = []

    report = migrate_fleet(
        choose=lambda: three_brands, progress=lambda _, done, total: steps.append((done, total))
    )

    assert report.migrated == [brand.schema_name for brand in three_brands]
    assert (report.current, report.failed) == ([], {})
    assert steps == [(1, 3), (2, 3), (3, 3)]
    for brand in three_brands:
        assert _missing(brand) == set()
        assert _remarks(brand) == ["filled"]
        assert not _has_table(brand, "event_notes")

    again = migrate_fleet(choose=lambda: three_brands)
    assert (again.migrated, len(again.current)) == ([], 3)


def test_migrated_brand_equals_a_new_one(three_brands, new_release):
    migrate_fleet(choose=lambda: three_brands)
    born_later = create_brand(**{**BRAND, "slug": "fleet-later"}, by=SYSTEM)
    try:
        for brand in three_brands[:2]:  # the one that was rendered on, and one that was replayed
            assert _lines(
                template.dump_schema(brand.schema_name, data=False), brand.schema_name
            ) == _lines(
                template.dump_schema(born_later.schema_name, data=False), born_later.schema_name
            )
    finally:
        drop_brand(born_later)


def test_failing_brand_is_left_as_it_was_and_resumed(three_brands, new_release, only_brands):
    broken = three_brands[1]
    with tenant_context(broken), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE event_notes (id int PRIMARY KEY)")

    report = migrate_fleet(choose=lambda: three_brands)

    assert list(report.failed) == [broken.schema_name]
    assert "event_notes" in report.failed[broken.schema_name]
    assert len(report.migrated) == 2
    assert _missing(broken) == set(NEW)

    with tenant_context(broken), connection.cursor() as cursor:
        cursor.execute("DROP TABLE event_notes")
    resumed = migrate_fleet(choose=lambda: three_brands)
    assert (resumed.migrated, resumed.failed) == ([broken.schema_name], {})
    assert _remarks(broken) == ["filled"]


def test_failing_canary_stops_everything(three_brands, new_release, only_brands):
    with tenant_context(three_brands[0]), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE event_notes (id int PRIMARY KEY)")

    with pytest.raises(CanaryFailedError, match="event_notes"):
        migrate_fleet(choose=lambda: three_brands)

    for brand in three_brands:
        assert _missing(brand) == set(NEW)


def test_command_checks_and_migrates(three_brands, new_release, only_brands, capsys):
    slugs = [brand.slug for brand in three_brands]
    with pytest.raises(CommandError, match="3 of 3 brands are behind"):
        call_command("migrate_fleet", *slugs, check=True)
    assert "events.0902_fill" in capsys.readouterr().out

    call_command("migrate_fleet", *slugs, canary=["fleet-2"])

    assert capsys.readouterr().out.startswith("3 brands migrated, 0 were current, 0 failed")
    call_command("migrate_fleet", *slugs, check=True)


def test_command_names_the_failing_canary(three_brands, new_release, only_brands):
    with tenant_context(three_brands[2]), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE event_notes (id int PRIMARY KEY)")

    with pytest.raises(CommandError, match="canary fleet-2"):
        call_command("migrate_fleet", "fleet-0", "fleet-1", "fleet-2", canary=["fleet-2"])

    assert _missing(three_brands[0]) == set(NEW)


@pytest.mark.race
def test_busy_table_is_waited_for(three_brands, new_release, only_brands, monkeypatch):
    monkeypatch.setattr(fleet, "LOCK_TIMEOUT", "100ms")
    brand = three_brands[0]
    held, released = threading.Event(), []

    def hold():
        with connect_directly() as own, own.transaction():
            own.execute(f'LOCK TABLE "{brand.schema_name}".events_event IN SHARE MODE')
            held.set()
            time.sleep(0.4)
            released.append(time.monotonic())
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)

    report = migrate_fleet(choose=lambda: [brand])

    thread.join(5)
    assert report.failed == {}
    assert time.monotonic() > released[0]
    assert _missing(brand) == set()


def test_replaying_is_atomic(three_brands):
    schema = three_brands[0].schema_name
    with pytest.raises(Exception, match="nosuch"), transaction.atomic():
        fleet._execute(schema, "CREATE TABLE made (id int PRIMARY KEY); SELECT * FROM nosuch;")

    assert not _has_table(three_brands[0], "made")
