"""The first answer to a write is given again; its effect happens once."""

import threading

import pytest

from core.actors import SYSTEM
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record
from tenants.brands.context import tenant_context
from tenants.events.errors import IdempotencyInFlightError, IdempotencyMismatchError
from tenants.events.idempotency import StoredAnswer, idempotent
from tenants.events.models import IdempotencyKey
from tests.integration.tenants.threads import run_in_threads


def _write(at, *, key="k1", scope="key:1", digest="a" * 64, produce=None):
    def effect():
        entry = record(by=SYSTEM, at=at, action="effect", target_type="test")
        return StoredAnswer(201, "application/json", f'{{"id": {entry.pk}}}'.encode())

    return idempotent(scope=scope, key=key, digest=digest, at=at, produce=produce or effect)


def _effects():
    return AuditEntry.objects.filter(action="effect").count()


def test_replay_gives_the_same_bytes_and_has_no_effect(brand, at):
    first, replayed = _write(at)
    assert replayed is False

    for _ in range(3):
        again, replayed = _write(at)
        assert replayed is True
        assert (again.status, again.content_type, again.body) == (
            first.status,
            first.content_type,
            first.body,
        )
    assert _effects() == 1


def test_same_key_with_another_request_is_refused(brand, at):
    _write(at)

    with pytest.raises(IdempotencyMismatchError) as refusal:
        _write(at, digest="b" * 64)

    assert (refusal.value.status, refusal.value.code) == (422, "idempotency_mismatch")
    assert _effects() == 1


def test_keys_belong_to_credential_and_brand(brand, other_brand, at):
    _write(at)

    assert _write(at, scope="key:2")[1] is False
    with tenant_context(other_brand):
        assert _write(at)[1] is False
        assert _effects() == 1
    assert _effects() == 2


def test_failure_leaves_neither_effect_nor_key(brand, at):
    def fail():
        record(by=SYSTEM, at=at, action="effect", target_type="test")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _write(at, produce=fail)

    assert (_effects(), IdempotencyKey.objects.count()) == (0, 0)
    assert _write(at)[1] is False


@pytest.mark.race
def test_second_request_in_flight_is_refused_then_replayed(committed_brand, at):
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        entry = record(by=SYSTEM, at=at, action="effect", target_type="test")
        inside.set()
        go_on.wait(10)
        return StoredAnswer(200, "text/plain", str(entry.pk).encode())

    results = []
    thread = threading.Thread(
        target=lambda: results.extend(
            run_in_threads(1, committed_brand, lambda: _write(at, produce=slow))
        )
    )
    thread.start()
    assert inside.wait(10)

    with pytest.raises(IdempotencyInFlightError) as refusal:
        _write(at)
    assert refusal.value.status == 409
    assert _write(at, key="another")[1] is False

    go_on.set()
    thread.join(10)
    first, replayed = results[0]
    assert replayed is False
    assert _write(at)[0].body == first.body
    assert _effects() == 2


@pytest.mark.race
def test_eight_equal_requests_have_one_effect(committed_brand, at):
    results = run_in_threads(8, committed_brand, lambda: _write(at))

    refused = [one for one in results if isinstance(one, IdempotencyInFlightError)]
    answered = [one for one in results if isinstance(one, tuple)]
    assert len(refused) + len(answered) == 8
    assert [replayed for _, replayed in answered].count(False) == 1
    assert len({answer.body for answer, _ in answered}) == 1
    assert _effects() == 1
