"""Webhooks reach a real receiver: signed, at least once, with tries, to public addresses only."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Response

from core.actors import SYSTEM, Actor
from tenants.audit.queries import list_entries
from tenants.brands.context import tenant_context
from tenants.events import outbound, registry, webhooks
from tenants.events.errors import (
    EndpointDisabledError,
    InvalidEndpointError,
    UnknownEndpointError,
)
from tenants.events.models import WebhookDelivery, WebhookEndpoint
from tenants.events.operations import deliver_pending, emit
from tenants.events.webhooks import (
    MAX_ATTEMPTS,
    RETRY_DELAYS,
    create_endpoint,
    deliver_due,
    disable_endpoint,
    enable_endpoint,
    get_delivery,
    get_endpoint,
    list_deliveries,
    list_endpoints,
    probe_failing,
    replay,
    rotate_secret,
    send_test,
    sending,
    update_endpoint,
)
from tests.integration.tenants.threads import run_in_threads

STAFF = Actor(kind="staff", id=1)


@pytest.fixture(autouse=True)
def _no_handlers(monkeypatch):
    monkeypatch.setattr(registry, "_handlers", {})
    monkeypatch.setattr(registry, "_audiences", [])


@pytest.fixture
def now():
    """Return the real time: receivers refuse old time stamps."""
    return datetime.now(tz=UTC)


@pytest.fixture
def receiver(httpserver):
    """A receiver on loopback that answers 204 and keeps what it got."""
    httpserver.expect_request("/hook").respond_with_data("", status=204)
    return httpserver


def _endpoint(server, at, **facts):
    return create_endpoint(
        **{"owner_id": None, "url": server.url_for("/hook"), **facts}, by=STAFF, at=at
    )


def _emit(at, **facts):
    event = emit(**{"type": "thing.done", "subject": "thing:1", "data": {"名": 1}, **facts}, at=at)
    deliver_pending(at=at)
    return event


def _requests(server):
    return [request for request, _ in server.log]


def test_event_arrives_signed(brand, receiver, now):
    endpoint = _endpoint(receiver, now)
    event = _emit(now)

    assert deliver_due(at=now) == 1

    (request,) = _requests(receiver)
    body = Webhook(endpoint.secret).verify(request.get_data(), dict(request.headers))
    assert body["type"] == "thing.done"
    assert (body["subject"], body["data"]) == ("thing:1", {"名": 1})
    assert datetime.fromisoformat(body["timestamp"]) == now
    assert request.headers["webhook-id"] == f"msg_{event.uuid.hex}"
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert deliver_due(at=now + timedelta(days=9)) == 0


def test_changed_body_old_time_and_other_secret_do_not_verify(brand, receiver, now):
    endpoint = _endpoint(receiver, now)
    other = _endpoint(receiver, now)
    _emit(now)
    deliver_due(at=now)
    request = _requests(receiver)[0]
    headers, body = dict(request.headers), request.get_data()
    mine = endpoint.secret if _verifies(endpoint.secret, body, headers) else other.secret
    theirs = other.secret if mine == endpoint.secret else endpoint.secret

    assert _verifies(mine, body, headers)
    assert not _verifies(theirs, body, headers)
    assert not _verifies(mine, body.replace(b"thing:1", b"thing:2"), headers)
    old = str(int(now.timestamp()) - 301)
    assert not _verifies(mine, body, {**headers, "Webhook-Timestamp": old})
    assert not _verifies(mine, body, {**headers, "Webhook-Id": "msg_other"})


def test_both_secrets_sign_for_a_day_after_rotation(brand, receiver, now):
    endpoint = _endpoint(receiver, now)
    before = endpoint.secret
    after = rotate_secret(endpoint=endpoint, by=STAFF, at=now)
    _emit(now)
    deliver_due(at=now)

    request = _requests(receiver)[0]
    headers, body = dict(request.headers), request.get_data()
    assert _verifies(before, body, headers)
    assert _verifies(after, body, headers)

    late = webhooks.build_headers(
        delivery=WebhookDelivery.objects.select_related("endpoint", "event").get(),
        body=body,
        at=now + timedelta(hours=25),
    )
    assert len(late["webhook-signature"].split(" ")) == 1


def test_failing_receiver_is_tried_again_until_it_works(brand, httpserver, now):
    for status in (500, 503, 302):
        httpserver.expect_ordered_request("/hook").respond_with_response(
            Response("", status=status, headers={"Location": "http://127.0.0.1:1/elsewhere"})
        )
    httpserver.expect_ordered_request("/hook").respond_with_data("", status=200)
    endpoint = _endpoint(httpserver, now)
    _emit(now)
    moment = now
    for number, status in enumerate((500, 503, 302), start=1):
        assert deliver_due(at=moment) + probe_failing(at=moment) == 1
        delivery = WebhookDelivery.objects.get()
        assert (delivery.state, delivery.attempts) == ("pending", number)
        assert delivery.last_status == status
        wait = delivery.due_at - moment
        assert RETRY_DELAYS[number - 1] * 0.8 <= wait <= RETRY_DELAYS[number - 1] * 1.2
        assert deliver_due(at=delivery.due_at - timedelta(seconds=1)) == 0
        moment = delivery.due_at
    endpoint.refresh_from_db()
    assert endpoint.failing_since == now

    assert probe_failing(at=moment) == 1

    endpoint.refresh_from_db()
    assert WebhookDelivery.objects.get().state == "delivered"
    assert endpoint.failing_since is None
    ids = {request.headers["webhook-id"] for request in _requests(httpserver)}
    bodies = {request.get_data() for request in _requests(httpserver)}
    assert (len(_requests(httpserver)), len(ids), len(bodies)) == (4, 1, 1)


def test_delivery_becomes_a_dead_letter_after_ten_tries_and_can_be_replayed(brand, httpserver, now):
    httpserver.expect_request("/hook").respond_with_data("", status=500)
    endpoint = _endpoint(httpserver, now)
    _emit(now)
    moment = now
    for number in range(MAX_ATTEMPTS):
        # The third try comes after five minutes of failing: from then on it is probed.
        call = deliver_due if number < 2 else probe_failing
        assert call(at=moment) == 1
        moment = WebhookDelivery.objects.get().due_at
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("dead", 10)
    assert deliver_due(at=moment + timedelta(days=30)) == 0
    assert timedelta(hours=60) < moment - now < timedelta(hours=91)

    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data("", status=200)
    replay(delivery=delivery, by=STAFF, at=moment)
    assert probe_failing(at=moment) == 1

    assert WebhookDelivery.objects.get().state == "delivered"
    assert list_deliveries(endpoint=endpoint, state="dead") == []


def test_gone_switches_the_endpoint_off(brand, httpserver, now):
    httpserver.expect_request("/hook").respond_with_data("", status=410)
    endpoint = _endpoint(httpserver, now)
    _emit(now)
    _emit(now, subject="thing:2")

    deliver_due(at=now, limit=1)

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "answered 410 Gone")
    assert deliver_due(at=now + timedelta(days=1)) == 0
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"dead"}
    assert len(_requests(httpserver)) == 1
    _emit(now, subject="thing:3")
    assert WebhookDelivery.objects.count() == 2
    assert list_entries(target_type="webhook_endpoint")[0].action == "webhook_endpoint.disabled"

    with pytest.raises(EndpointDisabledError):
        send_test(endpoint=endpoint, by=STAFF, at=now)
    with pytest.raises(EndpointDisabledError):
        replay(delivery=WebhookDelivery.objects.first(), by=STAFF, at=now)
    enable_endpoint(endpoint=endpoint, by=STAFF, at=now)
    assert endpoint.is_enabled


def test_endpoint_that_fails_for_five_days_is_switched_off(brand, httpserver, now):
    httpserver.expect_request("/hook").respond_with_data("", status=500)
    endpoint = _endpoint(httpserver, now)
    WebhookEndpoint.objects.update(failing_since=now - timedelta(days=5, seconds=1))
    _emit(now)

    probe_failing(at=now)

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "failing for five days")


def test_unreachable_receiver_is_noted(brand, now):
    create_endpoint(owner_id=None, url="http://127.0.0.1:9/hook", by=STAFF, at=now)
    _emit(now)

    deliver_due(at=now)

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.last_status) == ("pending", None)
    assert delivery.last_error == "no connection"


def test_long_answer_is_cut_and_counts_as_failure(brand, httpserver, now):
    httpserver.expect_request("/hook").respond_with_data("x" * 200_000, status=200)
    _endpoint(httpserver, now)
    _emit(now)

    deliver_due(at=now)

    assert "longer than 65536 bytes" in WebhookDelivery.objects.get().last_error


def test_slow_answer_is_given_up(brand, httpserver, now, monkeypatch):
    monkeypatch.setattr(outbound, "READ_SECONDS", 0.2)
    given_up, answered = threading.Event(), threading.Event()

    def slow(_request):
        given_up.wait(10)
        answered.set()
        return Response("")

    httpserver.expect_request("/hook").respond_with_handler(slow)
    _endpoint(httpserver, now)
    _emit(now)

    deliver_due(at=now)

    assert WebhookDelivery.objects.get().last_error == "no answer in time"
    given_up.set()
    assert answered.wait(10)
    while not httpserver.log:  # or it would show up in the next test
        time.sleep(0.01)


def test_answer_that_drips_is_cut_off(brand, httpserver, now, monkeypatch):
    """Each byte starts the time-out of reading anew; the whole call has one that does not."""
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 0.5)
    cut = threading.Event()

    def drip():
        for _ in range(200):
            yield b" "
            if cut.wait(0.05):
                return

    httpserver.expect_request("/hook").respond_with_handler(
        lambda _request: Response(drip(), headers={"Content-Length": "200"})
    )
    _endpoint(httpserver, now)
    _emit(now)
    begun = time.monotonic()

    deliver_due(at=now)

    assert time.monotonic() - begun < 5
    cut.set()
    assert WebhookDelivery.objects.get().last_error == "the answer took too long"


def test_endpoints_hear_only_what_they_asked_for(brand, receiver, now):
    everything = _endpoint(receiver, now)
    some = _endpoint(receiver, now, event_types=["thing.*"])
    one = _endpoint(receiver, now, event_types=["other.done"])

    _emit(now)
    _emit(now, type="other.done")

    counts = {
        endpoint.pk: WebhookDelivery.objects.filter(endpoint=endpoint).count()
        for endpoint in (everything, some, one)
    }
    assert counts == {everything.pk: 2, some.pk: 1, one.pk: 1}


def test_partners_hear_only_of_their_own(brand, receiver, now):
    registry.register_audience(lambda event: event.data.get("partners", []))
    mine = _endpoint(receiver, now, owner_id=1)
    theirs = _endpoint(receiver, now, owner_id=2)

    _emit(now, data={"partners": [1]})
    _emit(now, data={})

    assert [d.endpoint_id for d in WebhookDelivery.objects.all()] == [mine.pk]
    with pytest.raises(UnknownEndpointError):
        get_endpoint(endpoint_id=theirs.pk, owner_id=1)
    with pytest.raises(UnknownEndpointError):
        get_delivery(delivery_id=WebhookDelivery.objects.get().pk, owner_id=2)
    assert list_endpoints(owner_id=2) == [theirs]


def test_endpoints_of_another_brand_hear_nothing(brand, other_brand, receiver, now):
    with tenant_context(other_brand):
        _endpoint(receiver, now)

    _emit(now)

    assert deliver_due(at=now) == 0
    with tenant_context(other_brand):
        assert deliver_due(at=now) == 0
    assert _requests(receiver) == []


def test_test_call_goes_to_one_endpoint(brand, receiver, now):
    endpoint = _endpoint(receiver, now)
    _endpoint(receiver, now)

    send_test(endpoint=endpoint, by=STAFF, at=now)
    deliver_pending(at=now)

    assert deliver_due(at=now) == 1
    assert json.loads(_requests(receiver)[0].get_data())["type"] == "endpoint.test"


def test_update_checks_like_create(brand, receiver, now):
    endpoint = _endpoint(receiver, now)

    with pytest.raises(InvalidEndpointError):
        update_endpoint(endpoint=endpoint, url="https://10.0.0.1/", by=STAFF, at=now)
    endpoint.refresh_from_db()
    assert endpoint.url == receiver.url_for("/hook")

    update_endpoint(endpoint=endpoint, event_types=["a.b"], by=STAFF, at=now)
    endpoint.refresh_from_db()
    assert endpoint.event_types == ["a.b"]


@pytest.mark.parametrize("event_type", ["*", "Thing.done", "thing", "", 7])
def test_event_types_of_another_form_are_refused(brand, receiver, now, event_type):
    with pytest.raises(InvalidEndpointError) as refusal:
        _endpoint(receiver, now, event_types=["a.b", event_type])

    assert refusal.value.data["pointer"] == "/event_types/1"
    assert WebhookEndpoint.objects.count() == 0


def test_disabling_twice_notes_once(brand, receiver, now):
    endpoint = _endpoint(receiver, now)
    for _ in range(2):
        disable_endpoint(endpoint=endpoint, reason="by hand", by=STAFF, at=now)

    actions = [entry.action for entry in list_entries(target_type="webhook_endpoint")]
    assert actions == ["webhook_endpoint.disabled", "webhook_endpoint.created"]


@pytest.mark.race
def test_four_senders_send_each_delivery_once(committed_brand, receiver, now):
    _endpoint(receiver, now)
    for number in range(12):
        emit(type="thing.done", subject=f"thing:{number}", data={}, at=now)
    run_in_threads(3, committed_brand, lambda: deliver_pending(at=now))

    sent = run_in_threads(4, committed_brand, lambda: deliver_due(at=now, limit=5))

    assert sum(sent) == 12
    ids = [request.headers["webhook-id"] for request in _requests(receiver)]
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.race
def test_sender_that_died_after_its_claim_is_replaced(committed_brand, receiver, now):
    _endpoint(receiver, now)
    emit(type="thing.done", subject="thing:1", data={}, at=now)
    deliver_pending(at=now)
    assert len(sending._claim(now, 10)) == 1  # and then its process is killed

    assert deliver_due(at=now) == 0
    assert deliver_due(at=now + timedelta(seconds=121)) == 1
    assert WebhookDelivery.objects.get().state == "delivered"


def test_dead_endpoint_costs_one_call_and_holds_up_nobody(brand, receiver, now):
    dead = create_endpoint(owner_id=None, url="http://127.0.0.1:9/hook", by=STAFF, at=now)
    _endpoint(receiver, now)
    for number in range(40):
        _emit(now, subject=f"thing:{number}")

    calls = deliver_due(at=now)

    assert len(_requests(receiver)) == 40
    waiting = WebhookDelivery.objects.filter(endpoint=dead)
    assert set(waiting.values_list("state", flat=True)) == {"pending"}
    assert calls == 41
    assert sorted(waiting.values_list("attempts", flat=True)) == [0] * 39 + [1]


def test_failing_endpoint_is_probed_with_one_and_then_gets_all(brand, httpserver, now):
    httpserver.expect_request("/hook").respond_with_data("", status=500)
    endpoint = _endpoint(httpserver, now)
    for number in range(30):
        _emit(now, subject=f"thing:{number}")
    deliver_due(at=now)
    later = now + timedelta(minutes=30)
    assert deliver_due(at=later) == 0
    before = len(_requests(httpserver))

    assert probe_failing(at=later) == 1
    assert len(_requests(httpserver)) == before + 1
    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data("", status=200)
    assert probe_failing(at=later) == 1

    endpoint.refresh_from_db()
    assert endpoint.failing_since is None
    deliver_due(at=later)
    assert WebhookDelivery.objects.filter(state="pending").count() == 1  # the failed probe
    assert WebhookDelivery.objects.filter(state="delivered").count() == 29


def test_busy_endpoint_does_not_hide_the_others(brand, httpserver, now, monkeypatch):
    monkeypatch.setattr(sending, "PASS_SECONDS", 0.0)  # one claim, no more
    for path in ("/busy", "/quiet"):
        httpserver.expect_request(path).respond_with_data("", status=200)
    _endpoint(httpserver, now, url=httpserver.url_for("/busy"))
    for number in range(100):
        _emit(now, subject=f"thing:{number}")
    _endpoint(httpserver, now, url=httpserver.url_for("/quiet"))
    _emit(now, subject="thing:last")
    monkeypatch.setattr(sending.time, "monotonic", lambda: 0.0)

    deliver_due(at=now, limit=32)

    paths = [request.path for request in _requests(httpserver)]
    assert paths.count("/quiet") == 1


HOSTILE = [
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "javascript:alert(1)", "//example.com/", "example.com", "", "https://", "https:///path",
    "https://127.0.0.1/", "https://127.1/", "https://127.0.0.1:8000/", "https://0/",
    "https://0.0.0.0/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/",
    "https://0177.0.0.1/", "https://[::1]/", "https://[::]/", "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[fe80::1%25eth0]/",
    "https://[fe80::1]/", "https://[fc00::1]/", "https://[fec0::1]/", "https://[ff02::1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::]/",
    "https://[2001:db8::1]/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://192.0.2.1/",
    "https://198.18.0.1/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://localhost/", "https://localhost./", "https://api.localhost/", "https://intranet/",
    "https://printer.local/", "https://metadata.google.internal/", "https://user@example.com/",
    "https://user:pass@example.com/", "https://example.com\\@127.0.0.1/", "https://exa mple.com/",
    "https://example.com/\r\nX-Injected: 1", "https://example.com:0/", "https://example.com:99999/",
    "https://example.com:x/", "https://[::1", "https://①②⑦.⓪.⓪.①/", "https://" + "a" * 500,
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused(brand, at, url, monkeypatch):
    monkeypatch.setattr(settings, "WEBHOOKS_ALLOW_LOOPBACK", False)

    with pytest.raises(InvalidEndpointError) as refusal:
        create_endpoint(owner_id=None, url=url, by=SYSTEM, at=at)

    assert refusal.value.data["pointer"] == "/url"
    assert WebhookEndpoint.objects.count() == 0


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "https://8.8.8.8/", "https://[2606:4700::1]:8443/x?y=1"]
)
def test_public_addresses_are_accepted(brand, at, url, monkeypatch):
    monkeypatch.setattr(settings, "WEBHOOKS_ALLOW_LOOPBACK", False)

    assert create_endpoint(owner_id=None, url=url, by=SYSTEM, at=at).url == url


def test_loopback_switch_opens_nothing_else(brand, at):
    assert settings.WEBHOOKS_ALLOW_LOOPBACK is True
    for url in ("https://10.0.0.1/", "http://example.com/", "http://192.168.1.1/"):
        with pytest.raises(InvalidEndpointError):
            create_endpoint(owner_id=None, url=url, by=SYSTEM, at=at)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fec0::1", "::ffff:10.0.0.1", "fd00::1"],
)
def test_name_that_leads_inside_is_refused_when_it_is_called(monkeypatch, address):
    """DNS rebinding: the name looked fine when it was typed, and resolves to a private address."""
    import socket

    monkeypatch.setattr(settings, "WEBHOOKS_ALLOW_LOOPBACK", False)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 443))],
    )

    with pytest.raises(outbound.RefusedAddressError):
        outbound.post("https://rebound.example.com/", body=b"", headers={})


def _verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
