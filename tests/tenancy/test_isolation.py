"""Eight threads on a small pool hop between two brands: none ever sees the other's row."""

import random
import threading
import time
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction

from core.actors import SYSTEM
from tenants.accounts.models import User
from tenants.audit.models import BrandIdentity
from tenants.audit.operations import record, verify_identity
from tenants.brands.context import current_schema, platform_context, tenant_context
from tenants.brands.operations import create_brand
from tests.conftest import drop_brand
from tests.database import OTHER_BRAND

SECONDS = 4.0
THREADS = 8


class Refused(Exception):  # noqa: N818 - rolls back, nothing more
    pass


@pytest.fixture
def two_brands(committed_brand):
    second = create_brand(**{**OTHER_BRAND, "slug": "race-second"}, by=SYSTEM)
    yield committed_brand, second
    drop_brand(second)


@pytest.fixture
def small_pool():
    """Fewer connections than threads, so that each connection serves both brands."""
    pool = connection.settings_dict["OPTIONS"]["pool"]
    before = dict(pool)
    connection.close()
    connection.close_pool()
    pool |= {"max_size": 3, "timeout": 30}
    yield
    connection.close()
    connection.close_pool()
    pool.update(before)


def _identity() -> str:
    return BrandIdentity.objects.get().schema_name


def _read(_brand, _other, at):
    assert BrandIdentity.objects.get().schema_name == current_schema()


def _write(_brand, _other, at):
    with transaction.atomic():
        record(by=SYSTEM, at=at, action=f"in.{current_schema()}", target_type="test")
        verify_identity()


def _roll_back(brand, _other, at):
    with suppress(Refused), transaction.atomic():
        record(by=SYSTEM, at=at, action="rolled.back", target_type="test")
        raise Refused
    assert _identity() == brand.schema_name


def _roll_back_inside(brand, _other, at):
    with transaction.atomic():
        with suppress(Refused), transaction.atomic():
            assert _identity() == brand.schema_name
            raise Refused
        assert _identity() == brand.schema_name


def _fail(brand, _other, at):
    with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert _identity() == brand.schema_name


def _hop(brand, other, at):
    with tenant_context(other):
        assert _identity() == other.schema_name
        with platform_context():
            assert connection.schema_name == "public"
        assert _identity() == other.schema_name
    assert _identity() == brand.schema_name


def _hop_inside_a_transaction(brand, other, at):
    with transaction.atomic():
        with tenant_context(other):
            assert _identity() == other.schema_name
        assert _identity() == brand.schema_name


def _iterate(brand, _other, at):
    for _user in User.objects.iterator(chunk_size=2):
        pass
    assert _identity() == brand.schema_name


STEPS = [
    _read, _write, _roll_back, _roll_back_inside, _fail, _hop, _hop_inside_a_transaction, _iterate,
]  # fmt: skip


@pytest.mark.race
@pytest.mark.slow
def test_no_thread_ever_sees_the_other_brand(two_brands, small_pool, at):
    until = time.monotonic() + SECONDS
    loops: list[int] = []
    wrong: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        count = 0
        try:
            while time.monotonic() < until and not wrong:
                brand, other = chance.sample(two_brands, 2)
                with tenant_context(brand):
                    for step in chance.sample(STEPS, 3):
                        step(brand, other, at)
                if chance.random() < 0.5:
                    connection.close()  # as at the end of a request
                count += 1
        except BaseException as error:  # noqa: BLE001 - shown by the test
            wrong.append(error)
        finally:
            connection.close()
            loops.append(count)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 60)

    assert wrong == []
    assert len(loops) == THREADS
    assert min(loops) > 5, loops
    for brand in two_brands:
        with tenant_context(brand), connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT action FROM audit_auditentry WHERE action <> 'brand.created'"
            )
            assert cursor.fetchall() == [(f"in.{brand.schema_name}",)]


@pytest.mark.race
def test_negative_control_a_shared_search_path_is_noticed(two_brands, at):
    """The check above can fail: a connection that is on the wrong schema is found out."""
    brand, other = two_brands
    with tenant_context(brand), transaction.atomic():
        BrandIdentity.objects.get()
        with connection.cursor() as cursor:
            cursor.execute(f'SET LOCAL search_path = "{other.schema_name}", public')
        with pytest.raises(AssertionError):
            _read(brand, other, at)
