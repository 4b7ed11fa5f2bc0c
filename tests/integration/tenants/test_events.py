"""Events are delivered at least once; each handler has its effect at most once."""

import threading
from datetime import timedelta

import pytest
from django.db import transaction

from core.actors import SYSTEM
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record
from tenants.brands.context import NoBrandError, tenant_context
from tenants.events import registry
from tenants.events.errors import InvalidEventError
from tenants.events.models import Event, EventHandling, IdempotencyKey
from tenants.events.operations import MAX_ATTEMPTS, RELAY_TASK, deliver_pending, emit, purge
from tenants.events.queries import list_events, list_given_up
from tenants.jobs import publishing
from tests.integration.tenants.threads import run_in_threads


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    """Start without handlers: those of the product would do real work."""
    monkeypatch.setattr(registry, "_handlers", {})
    monkeypatch.setattr(registry, "_audiences", [])


def _note(event: Event) -> None:
    record(by=SYSTEM, at=event.at, action="handled", target_type="event", target_id=event.subject)


def _handled() -> int:
    return AuditEntry.objects.filter(action="handled").count()


def _emit(at, *, subject="thing:1", **data):
    return emit(type="thing.done", subject=subject, data=data, at=at)


def test_event_reaches_its_handlers_once(brand, at):
    registry.on_event("thing.done", name="first")(_note)
    registry.on_event("thing.done", "thing.undone", name="second")(_note)
    registry.on_event("other.done", name="other")(_note)
    event = _emit(at)

    assert [deliver_pending(at=at) for _ in range(3)] == [1, 0, 0]

    event.refresh_from_db()
    assert event.delivered_at == at
    assert _handled() == 2


def test_event_without_handlers_is_done(brand, at):
    _emit(at)

    assert deliver_pending(at=at) == 1


@pytest.mark.parametrize(
    ("type_", "subject"),
    [("Thing.done", "a"), ("thing", "a"), ("thing.done.twice", "a"), ("thing.done", ""),
     ("thing.done", "x" * 81), ("thing." + "x" * 60, "a")],
)  # fmt: skip
def test_event_of_another_form_is_refused(brand, at, type_, subject):
    with pytest.raises(InvalidEventError):
        emit(type=type_, subject=subject, data={}, at=at)

    assert Event.objects.count() == 0


def test_event_needs_a_brand(db, at):
    with pytest.raises(NoBrandError):
        _emit(at)


def test_event_is_rolled_back_with_its_transaction(brand, at):
    with transaction.atomic():
        _emit(at)
        transaction.set_rollback(True)

    assert Event.objects.count() == 0


def test_many_events_of_a_transaction_poke_once(
    brand, at, published, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(5):
            _emit(at, subject=f"thing:{number}")

    assert [message["task"] for message in published] == ["events.relay"]
    assert published[0]["schema"] == brand.schema_name


def test_failing_handler_is_tried_again_and_holds_up_nobody(brand, at):
    fails = [True, True, False]

    def unlucky(event):
        _note(event)
        if fails.pop(0):
            raise ValueError("no luck")

    registry.on_event("thing.done", name="unlucky")(unlucky)
    registry.on_event("thing.done", name="lucky")(_note)
    event = _emit(at)

    assert deliver_pending(at=at) == 0
    assert _handled() == 1  # the effect of the unlucky one was rolled back
    waiting = EventHandling.objects.get(handler="unlucky")
    assert (waiting.done, waiting.attempts, waiting.error) == (False, 1, "ValueError: no luck")
    assert waiting.retry_at == at + timedelta(seconds=10)

    assert deliver_pending(at=at + timedelta(seconds=9)) == 0
    assert deliver_pending(at=at + timedelta(seconds=10)) == 0
    assert deliver_pending(at=at + timedelta(seconds=30)) == 1
    event.refresh_from_db()
    assert event.delivered_at is not None
    assert EventHandling.objects.get(handler="unlucky").attempts == 3
    assert _handled() == 2


@pytest.mark.race
def test_failure_seen_by_another_relay_does_not_lose_the_event(committed_brand, at):
    """Two relays have read the same event; the second finds the first one's failure on record."""
    inside, second_has_read = threading.Event(), threading.Event()
    calls = []

    def fail_first(event):
        calls.append(event.pk)
        if len(calls) == 1:
            inside.set()
            second_has_read.wait(10)
            raise ValueError("no luck")
        _note(event)

    registry.on_event("thing.done", name="fails")(fail_first)
    _emit(at)
    first = threading.Thread(
        target=run_in_threads, args=(1, committed_brand, lambda: deliver_pending(at=at))
    )
    first.start()
    assert inside.wait(10)
    second = threading.Thread(
        target=run_in_threads, args=(1, committed_brand, lambda: deliver_pending(at=at))
    )
    second.start()
    threading.Event().wait(0.3)  # it now waits for the first one's note
    second_has_read.set()
    first.join(10)
    second.join(10)

    deliver_pending(at=at + timedelta(seconds=10))

    assert Event.objects.get().delivered_at is not None
    assert _handled() == 1


def test_handler_is_given_up_after_ten_tries_and_shown(brand, at):
    def hopeless(event):
        raise ValueError("never")

    registry.on_event("thing.done", name="hopeless")(hopeless)
    event = _emit(at)
    moment = at
    for _ in range(MAX_ATTEMPTS):
        deliver_pending(at=moment)
        moment = EventHandling.objects.get().retry_at or moment

    event.refresh_from_db()
    assert event.delivered_at is not None
    (given_up,) = list_given_up()
    assert (given_up.attempts, given_up.retry_at) == (MAX_ATTEMPTS, None)


def test_events_made_by_handlers_are_delivered_too(brand, at):
    def chain(event):
        if event.data["left"]:
            _emit(at, left=event.data["left"] - 1)

    registry.on_event("thing.done", name="chain")(chain)
    _emit(at, left=3)

    assert deliver_pending(at=at) == 4


def test_a_name_belongs_to_one_handler(brand):
    registry.on_event("thing.done", name="mine")(_note)
    registry.on_event("thing.done", name="mine")(_note)

    with pytest.raises(ValueError, match="twice"):
        registry.on_event("thing.done", name="mine")(lambda event: None)


def test_events_of_another_brand_are_not_delivered(brand, other_brand, at):
    with tenant_context(other_brand):
        _emit(at)

    assert deliver_pending(at=at) == 0
    with tenant_context(other_brand):
        assert deliver_pending(at=at) == 1


@pytest.mark.race
def test_four_relays_have_one_effect_per_event(committed_brand, at):
    registry.on_event("thing.done", name="note")(_note)
    for number in range(25):
        _emit(at, subject=f"thing:{number}")

    run_in_threads(4, committed_brand, lambda: deliver_pending(at=at))

    assert _handled() == 25
    assert Event.objects.filter(delivered_at__isnull=True).count() == 0


@pytest.mark.race
def test_relay_that_dies_half_way_leaves_the_rest_to_the_next(committed_brand, at):
    class Killed(BaseException):
        pass

    alive = threading.Event()

    def fragile(event):
        _note(event)
        if event.subject == "thing:2" and not alive.is_set():
            raise Killed

    registry.on_event("thing.done", name="fragile")(fragile)
    for number in range(4):
        _emit(at, subject=f"thing:{number}")

    with pytest.raises(Killed):
        deliver_pending(at=at)
    alive.set()
    deliver_pending(at=at)

    subjects = AuditEntry.objects.filter(action="handled").values_list("target_id", flat=True)
    assert sorted(subjects) == ["thing:0", "thing:1", "thing:2", "thing:3"]


def test_purge_deletes_what_is_old_and_done(brand, at):
    old = at - timedelta(days=31)
    _emit(old)
    deliver_pending(at=old)
    undelivered = _emit(old, subject="thing:2")
    young = _emit(at - timedelta(days=29), subject="thing:3")
    IdempotencyKey.objects.create(
        scope="key:1", key="k", digest="d", status=200, content_type="", body=b"", created_at=old
    )

    assert purge(at=at) == 2

    assert set(Event.objects.all()) == {undelivered, young}
    assert IdempotencyKey.objects.count() == 0


def test_list_events_pages_and_limits_to_an_owners(brand, at):
    registry.register_audience(lambda event: [event.data["owner"]])
    events = [_emit(at, subject=f"thing:{n}", owner=n % 2) for n in range(6)]

    assert list_events(limit=2) == events[:2]
    assert list_events(after=events[1].pk, limit=2) == events[2:4]
    assert list_events(owner_id=1) == events[1::2]
    assert list_events(subject="thing:4") == [events[4]]
    assert list_events(types=["other.done"]) == []


def test_one_poke_waits_however_many_events_come(brand, at, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(publishing, "publish", lambda task, *, schema, queue: sent.append(schema))
    with tenant_context(brand):
        publishing.take_up(RELAY_TASK, schema=brand.schema_name)
        for number in range(3):
            publishing.poke(RELAY_TASK, schema=brand.schema_name)
            assert len(sent) == 1, number
        publishing.take_up(RELAY_TASK, schema=brand.schema_name)
        publishing.poke(RELAY_TASK, schema=brand.schema_name)
    assert sent == [brand.schema_name] * 2
