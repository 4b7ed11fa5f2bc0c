"""Event to grant: a worker and a broker as they run in service, and how long a member waits."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from bench.benefits_grants import AT, CONDITIONS, MEMBERS_SQL, benefits_of, execute, paying_line
from bench.harness import BENCH, Result
from bench.partners_dispatch import fresh_brand
from benefits.grants.models import Grant
from benefits.rules.operations import create_rule, publish_rule
from core import clock
from core.actors import SYSTEM
from members.activity.operations import record_event
from members.profiles.models import Member
from tenants.brands.context import tenant_context
from tenants.brands.models import Brand

EVENTS = int(os.environ.get("TESSERA_BENCH_EVENTS", "500"))
RATE = 50
RULES = 5


@BENCH.register("benefits", "event to grant")
def event_to_grant() -> Iterator[Result]:
    """Record 50 events a second; time each from its commit until its grants can be seen.

    The worker is the one of the running service, in a process of its own, poked through the
    broker. Somebody else looks for grants every 5 ms.
    """
    with fresh_brand() as brand:
        execute(MEMBERS_SQL, [AT, 5_000])
        line = paying_line()
        for number, benefit in enumerate(benefits_of(RULES)):
            rule = create_rule(
                code=f"event-{number}",
                name="On an event",
                cadence="on_event",
                event_name="check_in",
                benefit=benefit,
                condition=CONDITIONS[number],
                budget_line=line,
                by=SYSTEM,
                at=AT,
            )
            publish_rule(rule=rule, by=SYSTEM, at=AT)
        # Those whom all five rules grant to.
        members = list(Member.objects.exclude(region__in=["r7", "r3"]).order_by("pk"))
        with _relay():
            _waits(brand, members[-RATE:])
            taken = sorted(_waits(brand, members[:EVENTS]))
    yield Result(
        "benefits",
        "event → grant visible, at 50 events/s, p95",
        taken[int(len(taken) * 0.95)] * 1000,
        "ms",
        1_000,
        300,
        "lower",
        len(taken),
        f"{RULES} rules per event, worker and broker; median {statistics.median(taken) * 1000:.0f} ms"
        f", longest {taken[-1] * 1000:.0f} ms",
    )


@contextmanager
def _relay() -> Iterator[None]:
    """Run the worker of events, as `manage.py run` does."""
    worker = subprocess.Popen(
        [
            sys.executable, "-m", "celery", "--app", "config.celery:app", "worker",
            "--hostname", "relay@%h", "--queues", "events", "--concurrency", "1",
            "--loglevel", "error", "--without-gossip", "--without-mingle",
        ],
        start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _waits(brand: Brand, members: list[Member]) -> list[float]:
    """Return the seconds from each event's commit until all its grants were seen."""
    seen: dict[int, float] = {}
    done = threading.Event()

    def look() -> None:
        counts = dict.fromkeys((member.pk for member in members), 0)
        with tenant_context(brand):
            last = Grant.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            while not done.is_set():
                rows = list(
                    Grant.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "member_id")
                )
                now = time.perf_counter()
                for key, member_id in rows:
                    last = key
                    counts[member_id] += 1
                    if counts[member_id] == RULES:
                        seen[member_id] = now
                time.sleep(0.005)
            connection.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    sent: dict[int, float] = {}
    began = time.perf_counter()
    for number, member in enumerate(members):
        time.sleep(max(began + number / RATE - time.perf_counter(), 0))
        now = clock.now()
        record_event(member=member, name="check_in", occurred_at=now, at=now)
        sent[member.pk] = time.perf_counter()
    while len(seen) < len(members) and time.perf_counter() < began + 120:
        time.sleep(0.05)
    done.set()
    watcher.join()
    return [seen.get(key, float("inf")) - at for key, at in sent.items()]
