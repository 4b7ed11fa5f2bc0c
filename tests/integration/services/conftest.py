"""A data folder per test, and the proof afterwards that no process of it is left."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.services.places import CHECKOUT

Popen = subprocess.Popen[str]


@dataclass(frozen=True)
class Sandbox:
    """A data folder of its own and the environment that points there."""

    data: Path
    env: dict[str, str]

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Popen:
        """Start `python -m config.services …`."""
        return subprocess.Popen(
            [sys.executable, "-m", "config.services", *words],
            cwd=CHECKOUT,
            env=self.env | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m config.services …` to its end."""
        process = self.start(*words, env=env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def list_processes(self) -> list[str]:
        """Return whatever runs with this data folder in its command line or environment."""
        needle = os.fsencode(self.data)
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
                surroundings = (entry / "environ").read_bytes()
            except OSError:
                continue
            if int(entry.name) != os.getpid() and needle in command + b"\0" + surroundings:
                words = command.decode().replace("\0", " ")
                found.append(f"{entry.name} {words}")
        return found

    def wait_until_gone(self, *, seconds: float = 8.0) -> list[str]:
        """Wait until no process is left; return those that are left all the same."""
        wait_for(lambda: not self.list_processes(), seconds=seconds)
        return self.list_processes()


def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Poll until the condition holds; False when the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def read_line(process: Popen) -> str:
    """Return the next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _sandbox(base: Path, *parts: str) -> Sandbox:
    data = base.joinpath(*parts)
    hidden = {"DATABASE_URL", "BROKER_URL", "CACHE_URL", "TESSERA_TCP", "DATABASE_ADMIN_URL"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    return Sandbox(data=data, env=env | {"TESSERA_DATA": str(data)})


def _base(mode: int = 0o755) -> Path:
    base = Path(tempfile.mkdtemp(prefix="ts-", dir="/tmp"))  # short: sockets lie below
    base.chmod(mode)
    return base


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Return a maker of fresh sandboxes, each cleaned away with all that still runs in it."""
    made: list[tuple[Path, Sandbox]] = []

    def make(*parts: str, mode: int = 0o755) -> Sandbox:
        base = _base(mode)
        made.append((base, _sandbox(base, *parts)))
        return made[-1][1]

    yield make
    for base, sandbox in made:
        cleaned = sandbox.run("clean", "--now")
        left = sandbox.wait_until_gone()
        shutil.rmtree(base)
        assert cleaned.returncode == 0, cleaned.stderr
        assert left == []


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that keeps its data from test to test: making a database takes a second."""
    base = _base()
    yield _sandbox(base)
    shutil.rmtree(base)


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return a sandbox where nothing runs, and see to it that nothing is left running."""
    yield shared_sandbox
    left = shared_sandbox.wait_until_gone()
    if left:  # the next test is to start clean all the same
        for profile in ("test", "demo"):
            shared_sandbox.run("stop", "--now", "--profile", profile)
    assert left == []


@pytest.fixture
def users() -> Iterator[list[Popen]]:
    """Return a list for started users; those still running at the end are killed."""
    started: list[Popen] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def asking(program: str, *, only: str = "database,broker,cache") -> Sequence[str]:
    """Return an `exec` of this Python with a program."""
    return ("exec", "--profile", "test", "--only", only, "--", sys.executable, "-c", program)
