"""The process runner behind `manage.py run`: order, restarts, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from config.services.places import CHECKOUT
from tests.integration.services.conftest import Popen, Sandbox, read_line

pytestmark = pytest.mark.services

SCRIPT = """
import os, sys
from config.services import runner
from config.services.runner import Program, Runner
runner.MAX_RESTARTS = 2
programs = [
    Program(name=word.split("=")[0], command=["sh", "-c", word.split("=", 1)[1]], stop_seconds=2)
    for word in sys.argv[1:]
]
sys.exit(Runner(programs=programs, env=os.environ).run())
"""
# Says so when it is asked to end, and ends; has a child of its own, in a session of its own.
WELL_BEHAVED = (
    "trap 'echo bye; exit 0' TERM; setsid sleep 300 & echo up; while :; do sleep 0.1; done"
)
STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.1; done"


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Callable[..., Popen]]:
    """Return a starter of runners; the sandbox sees to it that nothing of them is left."""
    started: list[Popen] = []

    def start(*programs: str) -> Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *programs],
            cwd=CHECKOUT,
            env=sandbox.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def rest_of(process: Popen) -> list[str]:
    """Return the lines printed from now to the end."""
    return process.communicate(timeout=20)[0].splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_all_in_order_and_leaves_nothing(
    run: Callable[..., Popen], sandbox: Sandbox, number: signal.Signals
) -> None:
    runner = run(f"web={WELL_BEHAVED}", f"beat={WELL_BEHAVED}", f"worker={WELL_BEHAVED}")
    up = sorted(read_line(runner) for _ in range(3))
    assert up == ["beat   | up", "web    | up", "worker | up"]

    runner.send_signal(number)

    assert rest_of(runner) == ["web    | bye", "beat   | bye", "worker | bye"]
    assert runner.returncode == 0
    assert sandbox.list_processes() == []


def test_program_that_does_not_listen_is_killed(
    run: Callable[..., Popen], sandbox: Sandbox
) -> None:
    runner = run(f"web={STUBBORN}")
    assert read_line(runner) == "web | up"

    runner.terminate()

    assert rest_of(runner) == []
    assert runner.returncode == 0
    assert sandbox.list_processes() == []


def test_crashed_program_is_started_again_and_given_up_after_too_many(
    run: Callable[..., Popen], sandbox: Sandbox
) -> None:
    runner = run("bad=echo oops; exit 4", f"good={WELL_BEHAVED}")

    lines = [line for line in rest_of(runner) if not line.startswith("good")]

    assert lines == [
        "bad  | oops",
        "bad ended with status 4; starting it again in 0.5 s",
        "bad  | oops",
        "bad ended with status 4; starting it again in 1 s",
        "bad  | oops",
        "bad ended with status 4 3 times: giving up",
    ]
    assert runner.returncode == 1
    assert sandbox.list_processes() == []


def test_killed_runner_takes_its_programs_along(
    run: Callable[..., Popen], sandbox: Sandbox
) -> None:
    runner = run("web=echo up; exec sleep 300", "worker=echo up; exec sleep 301")
    assert {read_line(runner), read_line(runner)} == {"web    | up", "worker | up"}

    runner.kill()

    assert sandbox.wait_until_gone() == []


def test_killed_runner_under_exec_leaves_no_grandchildren_either(
    sandbox: Sandbox, users: list[Popen]
) -> None:
    command = [sys.executable, "-c", SCRIPT, f"web={WELL_BEHAVED}"]
    guard = sandbox.start("exec", "--profile", "test", "--only", "cache", "--", *command)
    users.append(guard)
    assert read_line(guard) == "web | up"
    (runner,) = (int(line.split()[0]) for line in sandbox.list_processes() if " -c \nimport" in line
                 and "config.services exec" not in line)  # fmt: skip

    os.kill(runner, signal.SIGKILL)

    assert guard.wait(20) == 128 + signal.SIGKILL
    assert sandbox.list_processes() == []


def test_taken_port_is_one_clear_line_with_the_way_out(sandbox: Sandbox) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        given = {
            "DATABASE_URL": "postgresql://a@/b",
            "BROKER_URL": "redis://c",
            "CACHE_URL": "redis://d",
            "TESSERA_MODE": "demo",
            "PORT": str(port),
        }
        done = subprocess.run(
            [sys.executable, "manage.py", "run"],
            cwd=CHECKOUT,
            env=sandbox.env | given,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: Port {port} can not be used (Address already in use); "
        f"choose another: make demo PORT={port + 1}\n"
    )
