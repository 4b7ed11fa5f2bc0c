"""`manage.py run`: web server, Celery worker and Celery beat on one machine, until Ctrl-C."""

import hashlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config.services.runner import Program, Runner

_READY_LIMIT = 120.0


class Command(BaseCommand):
    help = "Run the web server, a Celery worker and Celery beat until Ctrl-C."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N",
                            help="web processes (default: one per core)")  # fmt: skip
        parser.add_argument("--threads", type=int, default=4, metavar="N",
                            help="requests at a time in each web process")  # fmt: skip
        parser.add_argument("--concurrency", type=int, default=os.cpu_count() or 1, metavar="N",
                            help="Celery processes (default: one per core)")  # fmt: skip
        parser.add_argument("--prepare", action="store_true",
                            help="first migrate, collect static files, seed the demo")  # fmt: skip

    def handle(self, *, host: str, prepare: bool, **options: Any) -> None:
        port = settings.PUBLIC_PORT
        _refuse_taken_port(host, port)
        if prepare:
            try:
                self._prepare()
            except KeyboardInterrupt:
                raise CommandError(
                    "stopped before the start was complete", returncode=130
                ) from None
        for connection in connections.all(initialized_only=True):
            connection.close()
            getattr(connection, "close_pool", lambda: None)()  # ends its threads before we fork
        ready = ReadyCheck(host=host, port=port)
        runner = Runner(
            programs=_programs(host=host, port=port, options=options),
            env=os.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "config.settings"},
        )
        runner.on_tick = lambda: ready.announce(runner)
        ready.start()
        code = runner.run()
        if code:
            raise CommandError("stopped: see the lines above", returncode=code)

    def _prepare(self) -> None:
        for title, step in (
            ("Migrating", _migrate),
            ("Collecting static files", _collect_static),
            ("Preparing the demo brands", _seed),
        ):
            begun = time.monotonic()
            self.stdout.write(f"{title} …")
            self.stdout.flush()
            step()
            self.stdout.write(f"{title}: {time.monotonic() - begun:.1f} s")


def _migrate() -> None:
    call_command("migrate_fleet", verbosity=0)


def _collect_static() -> None:
    """Collect and compress what pages link to, unless nothing changed since."""
    stamp = Path(settings.DATA_DIR) / "static.stamp"
    present = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: str(found[0])):
            facts = Path(storage.path(name)).stat()
            present.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    done = Path(settings.STATIC_ROOT).is_dir() and stamp.exists()
    if done and stamp.read_text() == present.hexdigest():
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(present.hexdigest())


def _seed() -> None:
    """Make the demo brands, unless they are there."""
    call_command("seed_demo")


def _refuse_taken_port(host: str, port: int) -> None:
    """Raise CommandError with the way out when the port is in use."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise CommandError(
                f"Port {port} is reserved for root; choose one above 1023: make demo PORT=8001"
            ) from None
        except OSError as error:
            raise CommandError(
                f"Port {port} can not be used ({error.strerror}); choose another: "
                f"make demo PORT={port + 1 if port < 65535 else 8000}"
            ) from None


def _programs(*, host: str, port: int, options: Mapping[str, Any]) -> list[Program]:
    """Return what to run, in the order of stopping: who asks for work first, who does it last."""
    python = sys.executable
    run_folder = Path(settings.DATA_DIR) / "run"
    run_folder.mkdir(parents=True, exist_ok=True)
    return [
        Program(
            name="web",
            command=[
                python, "-m", "granian", "--interface", "wsgi", "--no-ws",
                "--host", host, "--port", str(port),
                "--workers", str(options["workers"]),
                "--blocking-threads", str(options["threads"]),
                # Granian counts open connections here, idle ones too: a low figure would let a
                # few browsers that keep theirs open shut everybody else out.
                "--backpressure", "512",
                "--respawn-failed-workers", "--respawn-interval", "1",
                "--workers-kill-timeout", "5",
                "--log-level", "warning",
                "config.wsgi:application",
            ],
        ),
        Program(
            name="beat",
            command=[
                python, "-m", "celery", "--app", "config.celery:app", "beat",
                "--loglevel", "warning", "--schedule", str(run_folder / "beat-schedule"),
                "--pidfile", "",
            ],
        ),
        Program(
            name="worker",
            command=[
                python, "-m", "celery", "--app", "config.celery:app", "worker",
                "--loglevel", "warning", "--concurrency", str(options["concurrency"]),
                "--without-gossip", "--without-mingle",
            ],
            # Warm: finish the tasks at hand. Cold: leave them, unacknowledged, to the next worker.
            stop_signals=(signal.SIGTERM, signal.SIGQUIT),
        ),
        Program(
            name="relay",
            # Takes nothing but events, so that they never wait until a long job is done.
            command=[
                python, "-m", "celery", "--app", "config.celery:app", "worker",
                "--hostname", "relay@%h", "--queues", "events", "--concurrency", "1",
                "--loglevel", "warning", "--without-gossip", "--without-mingle",
            ],
            stop_signals=(signal.SIGTERM, signal.SIGQUIT),
        ),
    ]  # fmt: skip


class ReadyCheck:
    """Asks /readyz in a thread of its own until it answers 200."""

    def __init__(self, *, host: str, port: int) -> None:
        self.host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
        self.port = port
        self.begun = time.monotonic()
        self.last = "no answer yet"
        self._ready = threading.Event()
        self._announced = False

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._ask, name="readyz", daemon=True).start()

    def announce(self, runner: Runner) -> None:
        """Print the banner once, when it is true; or, once, that it is late."""
        if self._announced:
            return
        if self._ready.is_set():
            self._announced = True
            runner.say(_banner(time.monotonic() - self.begun))
        elif time.monotonic() - self.begun > _READY_LIMIT:
            self._announced = True
            runner.say(f"/readyz is not 200 after {_READY_LIMIT:.0f} s: {self.last}")

    def _ask(self) -> None:
        while not self._ready.wait(0.25):
            try:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
                connection.request("GET", "/readyz", headers={"Host": settings.PLATFORM_HOST})
                answer = connection.getresponse()
                body = answer.read(2000).decode(errors="replace").strip()
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.last = str(error)
                continue
            if answer.status == 200:
                self._ready.set()
            self.last = f"{answer.status} {body[:200]}"


def _banner(seconds: float) -> str:
    """Return what a person needs next: addresses and one sign-in per role."""
    base = f"{settings.PUBLIC_SCHEME}://{settings.PLATFORM_HOST}:{settings.PUBLIC_PORT}"
    lines = ["", f"Tessera is ready ({seconds:.1f} s): {base}/", ""]
    try:
        demo = json.loads((Path(settings.DATA_DIR) / "demo.json").read_text())
    except (OSError, ValueError):
        return "\n".join([*lines, "Stop with Ctrl-C.", ""])
    for brand in demo.get("brands", []):
        people = [*brand.get("staff", []), *[m | {"role": "member"} for m in brand["members"][:1]]]
        lines += [
            f"  {brand['slug']}",
            f"    portal   {brand['portal']}",
            f"    console  {brand['console']}",
            *[f"      {person['role']:18} {person['email']}" for person in people],
        ]
    operator = demo.get("operator", {})
    lines += [
        f"  operator  {base}/operator/  {operator.get('email', '')}" if operator else "",
        "",
        f"Sign-in codes arrive at {demo.get('outbox', 'the outbox page')}",
        f"Keys and all of the above: {Path(settings.DATA_DIR) / 'demo.json'}",
        "Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)
