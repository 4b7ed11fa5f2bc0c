"""A partner's system on loopback that takes orders and, when told so, misbehaves.

`orders` holds what it believes to have taken, by our number: one entry too many is a second
order. `faults` are used up one a request for an order, then it behaves.
"""

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[["Handler"], bool]  # tells whether the order is taken all the same


class HostilePartner(ThreadingHTTPServer):
    """The fake, listening on a free port until `close`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if context is None else "https"
        self.orders: list[dict[str, Any]] = []
        self.keys: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.faults: deque[Fault] = deque()
        self.state = "confirmed"
        self.can_repeat = True
        self.extra: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def take(self, number: str, key: str) -> dict[str, Any]:
        """Take an order; the same key gives the same one, if this partner knows of keys."""
        if self.can_repeat and key in self.keys:
            return self.keys[key]
        order = {"order": number, "id": f"R{len(self.orders) + 1}", "state": self.state}
        self.orders.append(order)
        self.keys[key] = order
        return order

    def find(self, number: str) -> dict[str, Any] | None:
        return next((one for one in self.orders if one["order"] == number), None)

    def calls(self, method: str, path: str) -> int:
        return sum(1 for one in self.seen if one[:2] == (method, path))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of broken connections: they are the point."""


class Handler(BaseHTTPRequestHandler):
    server: HostilePartner
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = json.loads(self.rfile.read(length) or b"{}")
        self.server.seen.append(("POST", self.path, dict(self.headers), self.body))
        if self.path.endswith("/cancel"):
            found = self.server.find(self.path.split("/")[2])
            if found is None:
                self.answer(404, {})
                return
            found["state"] = "cancelled"
            self.answer(200, found)
            return
        if self.server.faults:
            fault = self.server.faults.popleft()
            fault(self)
            return
        self.answer(200, self.take())

    def do_GET(self) -> None:
        self.server.seen.append(("GET", self.path, dict(self.headers), None))
        found = self.server.find(self.path.rsplit("/", 1)[1])
        if found is None:
            self.answer(404, {"error": "unknown"})
        else:
            self.answer(200, {**found, **self.server.extra})

    def take(self) -> dict[str, Any]:
        return self.server.take(self.body["number"], self.headers["Idempotency-Key"])

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.raw(status, json.dumps(body).encode(), headers)

    def raw(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def takes_and_is_silent(handler: Handler) -> bool:
    handler.take()
    time.sleep(1.0)
    handler.close_connection = True
    return True


def fails(handler: Handler) -> bool:
    handler.answer(500, {"error": "down"})
    return False


def takes_and_fails(handler: Handler) -> bool:
    handler.take()
    handler.answer(500, {"error": "down"})
    return True


def asks_to_wait(handler: Handler) -> bool:
    handler.answer(429, {}, {"Retry-After": "120"})
    return False


def resets_in_the_body(handler: Handler) -> bool:
    handler.take()
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"order": "')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    return True


def answers_garbage(handler: Handler) -> bool:
    handler.take()
    handler.raw(200, b"<html>OK!</html>")
    return True


def answers_of_another(handler: Handler) -> bool:
    handler.take()
    handler.answer(200, {"order": "F000000000", "id": "R9", "state": "confirmed"})
    return True


def drips(handler: Handler) -> bool:
    handler.take()
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    with suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    handler.close_connection = True
    return True


def drips_headers(handler: Handler) -> bool:
    handler.take()
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(200):
            handler.wfile.write(b"X-A: b\r\n")
            handler.wfile.flush()
            time.sleep(0.05)
    handler.close_connection = True
    return True


def is_gone(handler: Handler) -> bool:
    handler.answer(410, {})
    return False


def redirects_home(handler: Handler) -> bool:
    where = handler.server.url("/orders?again=1")
    handler.answer(307, {}, {"Location": where})
    return False


def sends_100_mb(handler: Handler) -> bool:
    handler.take()
    handler.send_response(200)
    handler.send_header("Content-Length", str(100 * 2**20))
    handler.end_headers()
    with suppress(OSError):
        for _ in range(1600):
            handler.wfile.write(b" " * 65_536)
    handler.close_connection = True
    return True


@contextmanager
def hostile_partner(context: ssl.SSLContext | None = None) -> Iterator[HostilePartner]:
    """Run a fake for the length of a test."""
    fake = HostilePartner(context)
    try:
        yield fake
    finally:
        fake.shutdown()
        fake.server_close()
