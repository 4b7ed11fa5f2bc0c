"""Webhooks while a tenth of the endpoints is dead: the living must not wait for them.

Receivers are real servers on loopback; dead endpoints accept connections and never answer, which
costs a sender the most.
"""

import os
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.harness import BENCH, Result, interleaved, median_ratio
from bench.platform_brands import new_bench_brand, remove_brands
from core.actors import SYSTEM
from tenants.brands.context import tenant_context
from tenants.events.models import WebhookDelivery, WebhookEndpoint
from tenants.events.operations import deliver_pending, emit
from tenants.events.webhooks import create_endpoint, deliver_due

ENDPOINTS = 20
EVENTS = int(os.environ.get("TESSERA_BENCH_WEBHOOKS", "100"))
ROUNDS = int(os.environ.get("TESSERA_BENCH_ROUNDS", "3"))


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrivals.append(time.perf_counter())  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


@contextmanager
def _receiver() -> Iterator[ThreadingHTTPServer]:
    server = _Server(("127.0.0.1", 0), _Receiver)
    server.arrivals = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _silent() -> Iterator[int]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield int(listener.getsockname()[1])


@BENCH.register("partners", "webhooks with 10 % dead endpoints")
def dead_endpoints() -> Iterator[Result]:
    """Rate at which the living get theirs, with and without dead ones beside them."""
    brand = new_bench_brand()
    rates: dict[str, list[float]] = {}
    try:
        with tenant_context(brand), _receiver() as server, _silent() as silent:
            live = f"http://127.0.0.1:{server.server_port}/hook"
            dead = f"http://127.0.0.1:{silent}/hook"
            rates = interleaved(
                {
                    "none dead": lambda: _rate(server, [live] * ENDPOINTS),
                    "some dead": lambda: _rate(
                        server, [live] * (ENDPOINTS - ENDPOINTS // 10) + [dead] * (ENDPOINTS // 10)
                    ),
                },
                rounds=ROUNDS,
            )
    finally:
        remove_brands([brand])
    yield Result(
        "partners",
        "webhooks with 10 % dead endpoints: rate to the live ones against no dead ones",
        median_ratio(rates, "some dead", "none dead"),
        "of its rate",
        0.9,
        0.97,
        "higher",
        ROUNDS,
        f"{statistics.median(rates['none dead']):,.0f} calls/s; {ENDPOINTS} endpoints, "
        f"{EVENTS} events",
    )


def _rate(server: ThreadingHTTPServer, urls: list[str]) -> float:
    """Return arrivals per second, from the start of sending to the last arrival."""
    at = datetime.now(tz=UTC)
    for url in urls:
        create_endpoint(owner_id=None, url=url, by=SYSTEM, at=at)
    for number in range(EVENTS):
        emit(type="bench.done", subject=f"bench:{number}", data={"n": number}, at=at)
    deliver_pending(at=at)
    arrivals: list[float] = server.arrivals  # type: ignore[attr-defined]
    arrivals.clear()
    begun = time.perf_counter()
    deliver_due(at=at + timedelta(seconds=1), limit=10**6)
    WebhookDelivery.objects.all().delete()
    WebhookEndpoint.objects.all().delete()
    return len(arrivals) / (arrivals[-1] - begun)
