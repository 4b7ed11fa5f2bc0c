"""Fixtures of the whole suite: two brands, a transaction per test, clients, staff.

- `brand`: the test runs inside this brand; everything is rolled back.
- `other_brand`: a second one, to show that nothing crosses over.
- `committed_brand`: a fresh brand of its own for tests with threads; removed afterwards.
"""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from core.actors import SYSTEM
from tenants.accounts.models import StaffMember, User
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand
from tenants.brands.queries import get_brand
from tenants.brands.resolution import forget_hosts
from tenants.jobs import publishing
from tests.database import BRAND, OTHER_BRAND, close_pool, copy_database, drop_database

pytest_plugins = ["tests.unordered"]
_numbers = itertools.count(1)
# A busy machine is no fault of the code: examples are not timed one by one.
hypothesis.settings.register_profile("tessera", deadline=None)
hypothesis.settings.load_profile("tessera")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Start this worker on a copy of the template database."""
    if settings.MODE != "test":
        pytest.exit("Set TESSERA_MODE=test for the tests.", returncode=2)
    name = connection.settings_dict["TEST"]["NAME"]
    # Races hold a connection per thread.
    connection.settings_dict["OPTIONS"]["pool"]["max_size"] = 24
    with django_db_blocker.unblock():
        copy_database(name)
    yield
    with django_db_blocker.unblock():
        drop_database(name)


@pytest.fixture(autouse=True)
def _no_memory_between_tests() -> None:
    """Give each test an empty cache of its own and no remembered hosts."""
    prefix = f"{settings.DATABASES['default']['NAME']}-{next(_numbers)}"
    settings.CACHES["default"]["KEY_PREFIX"] = prefix
    caches["default"].key_prefix = prefix
    forget_hosts()


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Catch what would go to the broker: one dict per message, with task, schema, parameters."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(
        publishing, "_send", lambda task, **facts: messages.append({"task": task} | facts)
    )
    monkeypatch.setattr(publishing, "_silent_until", 0.0)
    return messages


@pytest.fixture
def transactional_db() -> None:
    """Refuse what would empty every table, the two brands included."""
    pytest.fail("Use `committed_brand`: it commits, and removes what it made.")


@pytest.fixture
def at() -> datetime:
    """Return a fixed instant: Sunday 15 March 2026, 12:00 in Shanghai, 00:00 in New York."""
    return datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def brand(db: None) -> Iterator[Brand]:
    """Run the test inside a brand (CNY, Asia/Shanghai, English) and roll back."""
    found = get_brand(slug=BRAND["slug"])
    with tenant_context(found):
        yield found


@pytest.fixture
def other_brand(db: None) -> Brand:
    """Return a second brand (USD, America/New_York, zh-hant); the test does not run inside it."""
    return get_brand(slug=OTHER_BRAND["slug"])


@pytest.fixture
def committed_brand(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Brand]:
    """Run the test inside a fresh brand where everything is committed, for threads to see."""
    if "db" in request.fixturenames:
        pytest.fail("`committed_brand` does not go together with fixtures that roll back.")
    with django_db_blocker.unblock():
        made = create_brand(**{**BRAND, "slug": f"race-{next(_numbers)}"}, by=SYSTEM)
        try:
            with tenant_context(made):
                yield made
        finally:
            drop_brand(made)


def drop_brand(made: Brand) -> None:
    """Remove a brand with its schema; the product itself never does."""
    with platform_context(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{made.schema_name}" CASCADE')
        made.delete()
    forget_hosts()


@pytest.fixture
def client_for() -> Callable[[Brand], Client]:
    """Return a maker of test clients that talk to a brand's host."""

    def make(brand: Brand, **options: Any) -> Client:
        return Client(HTTP_HOST=f"{brand.slug}.{settings.PLATFORM_HOST}", **options)

    return make


@pytest.fixture
def platform_client(db: None) -> Client:
    """Return a test client that talks to the platform's host."""
    return Client(HTTP_HOST=settings.PLATFORM_HOST)


@pytest.fixture
def staff() -> Callable[..., StaffMember]:
    """Return a maker of staff with a role, in the brand that the test runs inside."""

    def make(role: str = "owner", *, email: str = "", name: str = "") -> StaffMember:
        address = email or f"{role}-{next(_numbers)}@example.com"
        user = User.objects.create_user(address, name=name or role.title())
        return StaffMember.objects.create(user=user, role=role)

    return make


@pytest.fixture
def staff_client(
    brand: Brand, client_for: Callable[..., Client], staff: Callable[..., StaffMember]
) -> Callable[..., Client]:
    """Return a maker of clients signed in as staff with a role in `brand`."""

    def make(role: str = "owner") -> Client:
        client = client_for(brand)
        client.force_login(staff(role).user)
        return client

    return make


@pytest.fixture(scope="session", autouse=True)
def _close_connections(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        close_pool()
