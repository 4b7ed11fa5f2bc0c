"""Partners with systems of their own: whatever these do, never a second order."""

import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection as database
from standardwebhooks import Webhook

from core.actors import Actor
from partners.adapters import operations, sending
from partners.adapters.errors import (
    ConnectionDisabledError,
    InvalidConnectionError,
    InvalidSignatureError,
)
from partners.adapters.models import Connection, PartnerCall
from partners.adapters.queries import count_trouble
from partners.adapters.sending import make_calls
from partners.orders import operations as orders
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import FulfilmentOrder
from tenants.audit.models import AuditEntry
from tenants.events import outbound
from tenants.events.operations import deliver_pending
from tests.integration.partners import hostile
from tests.integration.partners.hostile import HostilePartner, hostile_partner
from tests.integration.partners.world import World

STAFF = Actor(kind="staff", id=7, label="Kim")
MINUTE = timedelta(minutes=1)
STATES = {
    "confirmed": "accepted",
    "planned": "scheduled",
    "running": "started",
    "done": "fulfilled",
    "cancelled": "cancelled",
    "no": "declined",
}
_CALL_POST = {"number": "{number}", "benefit": "{benefit}", "price": "{price_minor}"}


def settings(fake: HostilePartner, **changes: Any) -> dict[str, Any]:
    return {
        "auth": {"kind": "bearer"},
        "headers": {"X-Region": "{region}"},
        "request": {"method": "POST", "url": fake.url("/orders"), "body": _CALL_POST},
        "cancel": {"method": "POST", "url": fake.url("/orders/{number}/cancel"), "body": {}},
        "status": {"method": "GET", "url": fake.url("/orders/{number}")},
        "answer": {"order": "/order", "state": "/state", "reference": "/id", "when": "/when"},
        "states": STATES,
        "repeat": "idempotent",
        **changes,
    }


class Case:
    """One partner with a system, another without, and one order offered to the first."""

    def __init__(self, world: World, fake: HostilePartner, **changes: Any) -> None:
        self.world, self.fake, self.at = world, fake, world.at
        self.benefit = world.benefit()
        self.partner = world.partner()
        world.offering(self.benefit, self.partner, price_minor=4_000)
        self.other = world.partner()
        world.offering(self.benefit, self.other, price_minor=9_000)
        self.connection = operations.set_connection(
            partner=self.partner,
            settings=settings(fake, **changes),
            secret="s3cret",
            by=STAFF,
            at=self.at,
        )
        self.order = world.order(self.benefit)
        assert self.order.partner_id == self.partner.pk

    def go(self, after: timedelta = timedelta()) -> None:
        """Let the time pass, hear what has happened, make the due calls, hear again."""
        self.at += after
        for _ in range(2):
            deliver_pending(at=self.at)
            make_calls(at=self.at)

    def go_on(self, minutes: int) -> None:
        for _ in range(minutes):
            self.go(MINUTE)

    @property
    def state(self) -> tuple[str, int | None]:
        self.order.refresh_from_db()
        return self.order.state, self.order.partner_id

    def call(self, action: str = "request") -> PartnerCall:
        return PartnerCall.objects.get(order=self.order, action=action)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "READ_SECONDS", 0.4)
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 0.6)


@pytest.fixture
def fake() -> Iterator[HostilePartner]:
    with hostile_partner() as made:
        yield made


@pytest.fixture
def case(world: World, fake: HostilePartner) -> Callable[..., Case]:
    return lambda **changes: Case(world, fake, **changes)


def test_an_order_is_requested_accepted_followed_and_proved(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case(answer={**settings(fake)["answer"], "code": "/code"})
    one.go()
    assert one.state == ("accepted", one.partner.pk)
    (_method, _path, headers, body) = fake.seen[0]
    assert body == {"number": one.order.number, "benefit": one.benefit.code, "price": 4_000}
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Idempotency-Key"] == str(one.call().key)
    assert headers["X-Region"] == "cn/gd"
    assert one.call().reference == "R1"

    when = (one.at + timedelta(days=1)).replace(microsecond=0)
    fake.orders[0]["state"], fake.extra = "planned", {"when": when.isoformat()}
    one.go(15 * MINUTE)
    assert one.state[0] == "scheduled"
    assert one.order.scheduled_for == when

    fake.orders[0]["state"], fake.extra = "running", {}
    one.go(15 * MINUTE)
    assert one.state[0] == "in_progress"

    fake.orders[0]["state"] = "done"
    one.go(15 * MINUTE)
    assert one.state[0] == "in_progress"
    assert one.call("status").last_error.startswith("code_required")
    fake.extra = {"code": one.order.redemption.code}
    one.go(15 * MINUTE)
    assert one.state[0] == "fulfilled"
    one.go(60 * MINUTE)
    assert [call.state for call in PartnerCall.objects.order_by("pk")] == ["done", "done"]
    assert len(fake.orders) == 1


def test_a_partner_whose_word_is_enough_proves_with_its_number(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    fake.state = "done"
    one = case(proof="reference")
    one.go()
    assert one.state[0] == "fulfilled"
    assert one.order.evidence == {"reference": "R1", "proof": "override"}


def test_a_partner_that_declines_makes_room_for_the_next(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    fake.state = "no"
    one = case()
    one.go()
    assert one.state == ("offered", one.other.pk)
    one.go_on(3)
    assert fake.calls("POST", f"/orders/{one.order.number}/cancel") == 0


FAULTS = [
    ("accepts, then is silent", hostile.takes_and_is_silent, 1),
    ("500 three times, then 200", hostile.fails, 3),
    ("takes it and answers 500", hostile.takes_and_fails, 1),
    ("429", hostile.asks_to_wait, 1),
    ("reset in the body", hostile.resets_in_the_body, 1),
    ("200 with garbage", hostile.answers_garbage, 1),
    ("slow drip", hostile.drips, 1),
    ("slow drip of headers", hostile.drips_headers, 1),
    ("wrong id", hostile.answers_of_another, 1),
    ("100 MB body", hostile.sends_100_mb, 1),
]


@pytest.mark.parametrize(
    ("repeat", "knows_keys"), [("idempotent", True), ("ask", False)], ids=["key", "asked first"]
)
@pytest.mark.parametrize(("fault", "times"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_no_fault_makes_a_second_order(
    case: Callable[..., Case],
    fake: HostilePartner,
    fault: hostile.Fault,
    times: int,
    repeat: str,
    *,
    knows_keys: bool,
) -> None:
    fake.can_repeat = knows_keys
    fake.faults.extend([fault] * times)
    one = case(repeat=repeat)
    one.go()
    assert one.state == ("offered", one.partner.pk)
    one.go_on(10)
    assert one.state == ("accepted", one.partner.pk)
    assert len(fake.orders) == 1
    assert one.call().reference == "R1"


def test_the_control_a_blind_repetition_makes_a_second_order(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    fake.can_repeat = False
    fake.faults.append(hostile.answers_garbage)
    one = case(repeat="idempotent")  # which this partner is not
    one.go_on(10)
    assert len(fake.orders) == 2


def test_a_partner_that_knows_neither_key_nor_status_is_told_to_forget_it(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    fake.faults.append(hostile.takes_and_is_silent)
    one = case(repeat="never")
    one.go()
    one.go_on(2)
    assert one.state == ("offered", one.other.pk)
    assert [order["state"] for order in fake.orders] == ["cancelled"]


def test_429_is_waited_for(case: Callable[..., Case], fake: HostilePartner) -> None:
    fake.faults.append(hostile.asks_to_wait)
    one = case()
    one.go()
    one.go(MINUTE)
    assert fake.calls("POST", "/orders") == 1
    one.go(MINUTE)
    assert fake.calls("POST", "/orders") == 2
    assert one.state[0] == "accepted"


def test_410_switches_the_connection_off(case: Callable[..., Case], fake: HostilePartner) -> None:
    fake.faults.append(hostile.is_gone)
    one = case()
    one.go_on(5)
    assert one.state == ("offered", one.other.pk)
    one.connection.refresh_from_db()
    assert (one.connection.is_enabled, one.connection.disabled_reason) == (
        False,
        "answered 410 Gone",
    )
    assert len(fake.seen) == 1
    assert count_trouble(at=one.at) == (1, 0)
    operations.enable_connection(connection=one.connection, by=STAFF, at=one.at)
    assert count_trouble(at=one.at) == (0, 0)


def test_redirects_are_not_followed(case: Callable[..., Case], fake: HostilePartner) -> None:
    fake.faults.append(hostile.redirects_home)
    one = case()
    one.go_on(3)
    assert [each[1] for each in fake.seen] == ["/orders"]
    assert one.state == ("offered", one.other.pk)
    assert fake.orders == []
    assert one.call().last_error == "answered 307: redirects are never followed"


def test_an_expired_certificate_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days, expected in ((-1, "offered"), (30, "accepted")):
        context, authority = _certificate(tmp_path, ends_in=days)
        # Trusted as if a public authority had signed it: only its time tells the two apart.
        monkeypatch.setattr(outbound, "CA_BUNDLE", str(authority), raising=False)
        with hostile_partner(context) as fake:
            one = Case(world, fake)
            one.go_on(2)
            assert one.state[0] == expected
            if days < 0:
                assert one.call().last_error == "the certificate is not valid"
                assert fake.orders == []


def _certificate(folder: Path, *, ends_in: int) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=ends_in))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / f"cert{ends_in}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / f"key{ends_in}.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return context, path


# --- after the offer is over ---------------------------------------------------------------------


def test_a_late_acceptance_is_cancelled_at_the_partner(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    fake.faults.extend([hostile.takes_and_fails] + [hostile.fails] * 20)
    one = case()
    one.go_on(29)
    assert one.state == ("offered", one.partner.pk)
    one.at += 2 * MINUTE
    assert orders.time_out(order_id=one.order.pk, at=one.at)
    one.go()
    one.go_on(20)
    assert one.state == ("offered", one.other.pk)
    assert [order["state"] for order in fake.orders] == ["cancelled"]
    assert (one.call().state, one.call("cancel").state) == ("dropped", "done")


def test_a_cancelled_order_is_cancelled_at_the_partner(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case()
    one.go()
    orders.cancel(order=one.order, reason="changed plans", by=STAFF, at=one.at)
    one.go(MINUTE)
    assert fake.orders[0]["state"] == "cancelled"
    assert one.call("status").state == "dropped"


def test_what_was_never_sent_is_dropped_unsaid(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case()
    deliver_pending(at=one.at)
    orders.cancel(order=one.order, reason="changed plans", by=STAFF, at=one.at)
    one.go(MINUTE)
    assert fake.seen == []
    assert [(call.action, call.state) for call in PartnerCall.objects.order_by("pk")] == [
        ("request", "dropped")
    ]


def test_a_cancellation_that_can_not_be_told_is_for_staff(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case(cancel=None)
    one.go()
    orders.cancel(order=one.order, reason="changed plans", by=STAFF, at=one.at)
    one.go(MINUTE)
    assert one.call("cancel").state == "given_up"
    assert count_trouble(at=one.at) == (0, 1)


def test_a_dead_system_is_left_alone_and_holds_up_nobody(
    world: World, fake: HostilePartner
) -> None:
    with hostile_partner() as dead:
        dead.faults.extend([hostile.fails] * 1000)
        broken = Case(world, dead)
        for _ in range(5):
            world.redemption(broken.benefit)
        living = Case(world, fake)
        broken.go()
        living.go()
        assert living.state[0] == "accepted"
        calls = len(dead.seen)
        broken.connection.refresh_from_db()
        assert broken.connection.failures >= 3
        broken.go(timedelta(seconds=10))
        assert len(dead.seen) == calls
    assert broken.connection.resumes_at is not None


def test_a_pass_claims_nothing_after_its_time_and_no_claim_ends_before_its_call(
    case: Callable[..., Case], fake: HostilePartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = case()
    deliver_pending(at=one.at)
    monkeypatch.setattr(sending, "PASS_SECONDS", -1.0)
    assert make_calls(at=one.at) == 0
    assert (fake.seen, one.call().attempts) == ([], 0)
    monkeypatch.undo()
    assert make_calls(at=one.at) == 1
    slowest = 2 * (outbound.CONNECT_SECONDS + outbound.TOTAL_SECONDS)
    assert sending.CLAIM.total_seconds() > sending.PASS_SECONDS + slowest


# --- callbacks -----------------------------------------------------------------------------------


def _signed(one: Case, body: bytes, at: datetime, secret: str = "") -> dict[str, str]:
    signature = Webhook(secret or one.connection.callback_secret).sign("msg_1", at, body.decode())
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": signature,
    }


def test_callbacks_doubled_and_out_of_order_are_only_nudges(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case()
    one.go()
    body = json.dumps({"order": one.order.number, "state": "cancelled"}).encode()
    now = datetime.now(tz=dt.UTC)
    fake.orders[0]["state"] = "running"
    for _ in range(3):
        operations.hear_callback(
            partner_code=one.partner.code, body=body, headers=_signed(one, body, now), at=one.at
        )
    one.go(MINUTE)
    assert one.state[0] == "in_progress"  # what the callback says is not believed
    assert fake.calls("GET", f"/orders/{one.order.number}") == 1


def test_callbacks_that_prove_nothing_change_nothing(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case()
    one.go()
    body = json.dumps({"order": one.order.number}).encode()
    now = datetime.now(tz=dt.UTC)
    good = _signed(one, body, now)
    other = operations.signing_secret()
    code = one.partner.code
    refused = [
        (code, body, _signed(one, body, now, other)),
        (code, body + b" ", good),
        (code, body, _signed(one, body, now - timedelta(minutes=6))),
        (code, body, _signed(one, body, now + timedelta(minutes=6))),
        (code, body, {**good, "Webhook-Signature": "v1,%%%"}),
        (code, body, {}),
        ("nobody", body, good),
        (one.other.code, body, good),
    ]
    for partner_code, text, headers in refused:
        with pytest.raises(InvalidSignatureError):
            operations.hear_callback(
                partner_code=partner_code, body=text, headers=headers, at=one.at
            )
    due = one.call("status").due_at
    assert due > one.at
    strange = json.dumps({"order": "F22222222"}).encode()
    with pytest.raises(OrderNotFoundError):
        operations.hear_callback(
            partner_code=code, body=strange, headers=_signed(one, strange, now), at=one.at
        )
    old = one.connection.callback_secret
    operations.rotate_callback_secret(connection=one.connection, by=STAFF, at=one.at)
    with pytest.raises(InvalidSignatureError):
        operations.hear_callback(
            partner_code=code, body=body, headers=_signed(one, body, now, old), at=one.at
        )
    operations.disable_connection(connection=one.connection, reason="test", by=STAFF, at=one.at)
    with pytest.raises(ConnectionDisabledError):
        operations.hear_callback(
            partner_code=code, body=body, headers=_signed(one, body, now), at=one.at
        )


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"nonsense": 1}, "/settings/nonsense"),
        ({"auth": {"kind": "magic"}}, "/settings/auth/kind"),
        ({"auth": {"kind": "header", "name": "Host"}}, "/settings/auth/name"),
        ({"headers": {"Content-Length": "5"}}, "/settings/headers/Content-Length"),
        ({"headers": {"X-A": "{secret}"}}, "/settings/headers/X-A"),
        ({"request": None}, "/settings/request"),
        ({"request": {"url": "http://10.0.0.8/x"}}, "/settings/request/url"),
        ({"request": {"url": "https://{region}.example.com/"}}, "/settings/request/url"),
        (
            {"request": {"url": "https://a.example.com/", "body": {"a": ["{x}"]}}},
            "/settings/request/body",
        ),
        (
            {"status": {"method": "GET", "url": "https://a.example.com/", "body": {}}},
            "/settings/status/body",
        ),
        ({"answer": {"state": "state"}}, "/settings/answer/state"),
        ({"answer": {}}, "/settings/answer/state"),
        ({"states": {"ok": "fine"}}, "/settings/states/ok"),
        ({"states": {}}, "/settings/states"),
        ({"repeat": "often"}, "/settings/repeat"),
        ({"repeat": "ask", "status": None}, "/settings/status"),
        ({"proof": "none"}, "/settings/proof"),
        ({"poll_minutes": 0}, "/settings/poll_minutes"),
    ],
    ids=str,
)
def test_wrong_settings_are_named_and_nothing_changes(
    case: Callable[..., Case], fake: HostilePartner, changes: dict[str, Any], pointer: str
) -> None:
    one = case()
    with pytest.raises(InvalidConnectionError) as caught:
        operations.set_connection(
            partner=one.partner, settings=settings(fake, **changes), by=STAFF, at=one.at
        )
    assert caught.value.data["pointer"] == pointer
    assert Connection.objects.get().settings == one.connection.settings


def test_secrets_are_sealed_kept_and_never_audited(
    case: Callable[..., Case], fake: HostilePartner
) -> None:
    one = case()
    operations.set_connection(
        partner=one.partner, settings=settings(fake, poll_minutes=5), by=STAFF, at=one.at
    )
    assert Connection.objects.get().secret == "s3cret"
    with database.cursor() as cursor:
        cursor.execute("SELECT secret, callback_secret FROM partners_connection")
        assert all(text.startswith("gAAAA") for text in cursor.fetchone())
    entries = AuditEntry.objects.filter(action="partner_connection.set").order_by("pk")
    assert "s3cret" not in json.dumps([entry.changes for entry in entries])
    assert set(entries[1].changes) == {"settings"}


def test_a_way_to_sign_in_needs_its_secret(case: Callable[..., Case], fake: HostilePartner) -> None:
    one = case()
    for auth, secret in (({"kind": "bearer"}, ""), ({"kind": "signature"}, "nonsense")):
        with pytest.raises(InvalidConnectionError) as caught:
            operations.set_connection(
                partner=one.other,
                settings=settings(fake, auth=auth),
                secret=secret,
                by=STAFF,
                at=one.at,
            )
        assert caught.value.data["pointer"] == "/secret"
    assert FulfilmentOrder.objects.count() == 1
