"""Pages and redemptions over HTTP: a real server, 16 clients on loopback.

The latencies are absolute and only give a feeling; queries are counted.
"""

import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.harness import BENCH, Result
from benefits.grants.operations import grant
from config.demo.brands.beauty import BEAUTY
from config.demo.programme import begin, launch
from core import clock
from core.actors import SYSTEM
from core.ids import readable_code
from members.profiles.models import Member
from members.profiles.operations import enrol
from tenants.accounts.keys import create_api_key
from tenants.accounts.models import User
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand

CLIENTS = 16
RATE = 50
SECONDS = float(os.environ.get("TESSERA_BENCH_SECONDS", "10"))
MEMBERS = 400
UNITS = 200


@contextmanager
def server() -> Iterator[int]:
    """Run granian as production does, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2",
        "--blocking-threads", "4", "--backpressure", "512", "--no-access-log",
        "--log-level", "warning", "--host", "127.0.0.1", "--port", str(port),
        "config.wsgi:application",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=settings.BASE_DIR)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _load(
    port: int, call: Callable[[http.client.HTTPConnection, random.Random], int], *, rate: int
) -> list[float]:
    """Call `rate` times a second from all clients together; return the times in milliseconds.

    A client that falls behind calls at once, so that a slow server is seen as slow.
    """
    times: list[float] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        rng = random.Random(number)
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        mine = []
        begun = time.monotonic() + number / rate
        for turn in range(int(SECONDS * rate / CLIENTS)):
            time.sleep(max(begun + turn * CLIENTS / rate - time.monotonic(), 0))
            start = time.perf_counter()
            status = call(link, rng)
            mine.append((time.perf_counter() - start) * 1000)
            if status >= 500:
                raise RuntimeError(f"the server answered {status}")
        link.close()
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _rows(
    name: str, times: list[float], *, floor: float | None, goal: float | None
) -> list[Result]:
    cuts = statistics.quantiles(times, n=100)
    note = f"{CLIENTS} clients at {RATE}/s"
    return [
        Result("web", f"{name}, p50", cuts[49], "ms", None, None, "lower", len(times), note),
        Result("web", f"{name}, p95", cuts[94], "ms", floor, goal, "lower", len(times), note),
    ]


@contextmanager
def _brand() -> Iterator[Brand]:
    brand = create_brand(
        slug=f"bench-{readable_code(8).lower()}",
        name="Bench",
        locale="en",
        timezone="Asia/Shanghai",
        currency="CNY",
        by=SYSTEM,
    )
    try:
        with tenant_context(brand):
            yield brand
    finally:
        with platform_context(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA "{brand.schema_name}" CASCADE')
            brand.delete()


def _prepare(brand: Brand) -> tuple[list[str], str, list[str]]:
    at = clock.now() - timedelta(days=1)
    made = begin(BEAUTY, at=at)
    launch(BEAUTY, made, at=at)
    benefit = made.benefits["double-points"]
    names = []
    for number in range(MEMBERS):
        member = enrol(external_id=f"b{number}", at=at, by=SYSTEM, name=f"Member {number}")
        grant(member=member, benefit=benefit, period_key="bench", quantity=UNITS, by=SYSTEM, at=at)
        names.append(member.external_id)
    user = User.objects.create_user("bench@example.com")
    Member.objects.filter(external_id="b0").update(user=user)
    client = Client(HTTP_HOST=f"{brand.slug}.{settings.PLATFORM_HOST}")
    client.force_login(user)
    assert client.get("/").status_code == 200
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/").status_code == 200
    _counts["home"] = len(captured)
    keys = [
        create_api_key(kind="brand", name="B", scopes=["*"], is_live=True, by=SYSTEM, at=at)[1]
        for _n in range(CLIENTS)
    ]
    return keys, client.cookies[settings.SESSION_COOKIE_NAME].value, names


_counts: dict[str, int] = {}


@BENCH.register("web", "portal home and redemption over HTTP")
def over_http() -> Iterator[Result]:
    """Measure the first page of the portal and redemptions through the brand API."""
    with _brand() as brand:
        keys, session, names = _prepare(brand)
        host = f"{brand.slug}.{settings.PLATFORM_HOST}"
        with server() as port:

            def home(link: http.client.HTTPConnection, _rng: random.Random) -> int:
                cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
                link.request("GET", "/", headers={"Host": host, "Cookie": cookie})
                answer = link.getresponse()
                answer.read()
                return answer.status

            def redeem(link: http.client.HTTPConnection, rng: random.Random) -> int:
                body = json.dumps({"member": rng.choice(names), "benefit": "double-points"})
                headers = {
                    "Host": host,
                    "Authorization": f"Bearer {rng.choice(keys)}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"{rng.random()}",
                }
                link.request("POST", "/api/brand/v1/redemptions", body, headers)
                answer = link.getresponse()
                answer.read()
                return answer.status

            _load(port, home, rate=RATE)  # warm caches and connections
            first = _load(port, home, rate=RATE)
            yield from _rows("portal home", first, floor=None, goal=None)
            used = _load(port, redeem, rate=RATE)
            yield from _rows("redemption over HTTP", used, floor=150, goal=50)
        yield Result("web", "portal home: queries", _counts["home"], "queries", 10, 6, "lower", 1)
