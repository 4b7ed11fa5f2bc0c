"""Handlers that take many events at once: the same promises, also when one event fails them."""

import threading
from datetime import timedelta

import pytest

from core.actors import SYSTEM
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record
from tenants.events import _relay, registry
from tenants.events.models import Event, EventHandling
from tenants.events.operations import deliver_pending, emit
from tests.integration.tenants.threads import run_in_threads


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    """Start without handlers: those of the product would do real work."""
    monkeypatch.setattr(registry, "_handlers", {})
    monkeypatch.setattr(registry, "_audiences", [])


def _emit(at, number, kind="thing.done"):
    return emit(type=kind, subject=f"thing:{number}", data={"number": number}, at=at)


def _note_all(events):
    for event in events:
        record(
            by=SYSTEM, at=event.at, action="handled", target_type="event", target_id=event.subject
        )


def _handled():
    found = AuditEntry.objects.filter(action="handled").order_by("id")
    return list(found.values_list("target_id", flat=True))


def test_batch_handler_gets_all_that_wait_at_once_and_never_again(brand, at):
    batches = []
    registry.on_events("thing.done", "thing.undone", name="many")(
        lambda events: batches.append([event.data["number"] for event in events])
    )
    for number in range(4):
        _emit(at, number, "thing.undone" if number == 2 else "thing.done")
    _emit(at, 9, "other.done")

    assert [deliver_pending(at=at) for _ in range(3)] == [5, 0, 0]

    assert batches == [[0, 1, 2, 3]]
    assert EventHandling.objects.filter(handler="many", done=True).count() == 4


def test_what_takes_many_goes_before_what_takes_one(brand, at):
    order = []
    registry.on_event("thing.done", name="a-single")(lambda event: order.append("single"))
    registry.on_events("thing.done", name="z-many")(lambda events: order.append(len(events)))
    for number in range(3):
        _emit(at, number)

    assert deliver_pending(at=at) == 3

    assert order == [3, "single", "single", "single"]


def test_new_events_reach_batches_while_others_wait_one_by_one(brand, at, monkeypatch):
    monkeypatch.setattr(_relay, "_SLICE_SECONDS", 0.0)
    order = []

    def slow(event):
        order.append(("single", event.data["number"]))
        if event.data["number"] == 0:
            _emit(at, 7)

    registry.on_event("thing.done", name="slow")(slow)
    registry.on_events("thing.done", name="many")(
        lambda events: order.append(("many", [event.data["number"] for event in events]))
    )
    for number in range(2):
        _emit(at, number)

    assert deliver_pending(at=at) == 3

    assert order == [
        ("many", [0, 1]),
        ("single", 0),
        ("many", [7]),
        ("single", 1),
        ("single", 7),
    ]


def test_one_event_that_fails_neither_undoes_nor_holds_up_the_others(brand, at):
    fails = [True]

    def unlucky(events):
        _note_all(events)
        if fails[0] and any(event.data["number"] == 1 for event in events):
            raise ValueError("no luck")

    registry.on_events("thing.done", name="unlucky")(unlucky)
    events = [_emit(at, number) for number in range(3)]

    assert deliver_pending(at=at) == 2

    assert _handled() == ["thing:0", "thing:2"]
    waiting = EventHandling.objects.get(done=False)
    assert (waiting.event_uuid, waiting.error) == (events[1].uuid, "ValueError: no luck")
    assert waiting.retry_at == at + timedelta(seconds=10)
    assert deliver_pending(at=at + timedelta(seconds=9)) == 0

    fails[0] = False
    assert deliver_pending(at=at + timedelta(seconds=10)) == 1
    assert _handled() == ["thing:0", "thing:2", "thing:1"]
    assert not Event.objects.filter(delivered_at__isnull=True).exists()


def test_batches_are_bounded(brand, at, monkeypatch):
    monkeypatch.setattr(_relay, "_ROUND", 2)
    sizes = []
    registry.on_events("thing.done", name="many")(lambda events: sizes.append(len(events)))
    for number in range(5):
        _emit(at, number)

    assert deliver_pending(at=at) == 5
    assert sum(sizes) == 5
    assert max(sizes) == 2


def _race(committed_brand, at):
    barrier = threading.Barrier(3)

    def slow(events):
        _note_all(events)
        threading.Event().wait(0.05)

    registry.on_events("thing.done", name="many")(slow)
    for number in range(20):
        _emit(at, number)

    def relay():
        barrier.wait(10)
        return deliver_pending(at=at)

    return run_in_threads(3, committed_brand, relay)


@pytest.mark.race
def test_three_relays_have_each_effect_once(committed_brand, at):
    results = _race(committed_brand, at)

    assert not [result for result in results if isinstance(result, Exception)], results
    assert sorted(_handled()) == sorted(f"thing:{number}" for number in range(20))


@pytest.mark.race
def test_without_the_note_three_relays_have_it_thrice(committed_brand, at, monkeypatch):
    """Negative control: the same race when nobody notes what has run."""
    monkeypatch.setattr(_relay, "_take_all", lambda events, handler, at: list(events))

    _race(committed_brand, at)

    assert len(_handled()) == 60
