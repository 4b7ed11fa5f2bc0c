"""A brand is made whole from the template, or not at all."""

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from core.actors import SYSTEM, Actor
from tenants.audit.models import AuditEntry, BrandIdentity
from tenants.audit.operations import record
from tenants.brands.context import tenant_context
from tenants.brands.errors import InvalidBrandError, SlugTakenError
from tenants.brands.models import Brand, Domain
from tenants.brands.operations import create_brand

FACTS = {
    "slug": "music-shop",
    "name": "Music Shop",
    "locale": "en",
    "timezone": "America/New_York",
    "currency": "USD",
}


def test_create_brand_makes_schema_domain_and_identity(db, at):
    operator = Actor(kind="operator", id=7, label="ops")

    made = create_brand(**FACTS, by=operator, at=at)

    assert Domain.objects.get(tenant=made).domain == f"music-shop.{settings.PLATFORM_HOST}"
    with tenant_context(made):
        identity = BrandIdentity.objects.get()
        assert (identity.schema_name, identity.brand_id) == (made.schema_name, made.pk)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor_kind, entry.actor_id) == ("brand.created", "operator", 7)
        assert entry.at == at


def test_create_brand_refuses_a_taken_slug_and_leaves_nothing(db):
    create_brand(**FACTS, by=SYSTEM)
    before = (Brand.objects.count(), _schemas())

    with pytest.raises(SlugTakenError):
        create_brand(**FACTS, by=SYSTEM)

    assert (Brand.objects.count(), _schemas()) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Ab c"),
        ("slug", "9lives"),
        ("slug", "a" * 41),
        ("slug", "with_underscore"),
        ("name", "  "),
        ("locale", "fr"),
        ("timezone", "Mars/Olympus"),
        ("currency", "XXX"),
        ("brand_colour", "red"),
    ],
)
def test_create_brand_refuses_what_can_not_be(db, field, value):
    before = (Brand.objects.count(), _schemas())

    with pytest.raises(InvalidBrandError) as refusal:
        create_brand(**{**FACTS, field: value}, by=SYSTEM)

    assert refusal.value.data["pointer"] == f"/{field}"
    assert (Brand.objects.count(), _schemas()) == before


@pytest.mark.parametrize("slug", ["operator", "www", "api"])
def test_create_brand_refuses_addresses_of_the_platform(db, slug):
    with pytest.raises(SlugTakenError):
        create_brand(**{**FACTS, "slug": slug}, by=SYSTEM)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditentry SET action = 'x'",
        "DELETE FROM audit_auditentry",
        "TRUNCATE audit_auditentry CASCADE",
    ],
)
def test_audit_table_refuses_change(brand, at, statement):
    entry = record(by=SYSTEM, at=at, action="test.done", target_type="test", target_id=1)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)

    assert AuditEntry.objects.get(pk=entry.pk).action == "test.done"


def test_committed_brand_is_seen_by_another_connection(committed_brand):
    assert BrandIdentity.objects.get().schema_name == committed_brand.schema_name


def _schemas() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace")
        return cursor.fetchone()[0]
