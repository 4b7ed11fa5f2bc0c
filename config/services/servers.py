"""One embedded server: how it is prepared, started, asked whether it is ready, and stopped."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, get_args

from config.services.errors import ServicesError
from config.services.places import Account, Place, inherit_owner, make_private_folder
from config.services.processes import (
    die_with_parent,
    list_processes_working_in,
    send,
    wait_until,
)

ServiceName = Literal["database", "broker", "cache"]
SERVICE_NAMES: tuple[ServiceName, ...] = get_args(ServiceName)

_LOG_LIMIT = 5_000_000
LOOPBACK = "127.0.0.1"


@dataclass(kw_only=True)
class Listening:
    """Where the servers of one profile listen: in a folder of sockets, or on loopback ports."""

    sockets: Path | None
    ports: dict[str, int] = field(default_factory=dict)

    def choose_port(self, name: str, default: int) -> int:
        """Return the port used last time, else the default, else a free one."""
        for port in (self.ports.get(name, default), default, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOOPBACK, port))
                except OSError:
                    continue
                self.ports[name] = probe.getsockname()[1]
                return self.ports[name]
        raise ServicesError(f"no free port on {LOOPBACK} for the {name}")


class Server(ABC):
    """A child process with a data folder of its own, in which it works."""

    name: ServiceName
    label: str
    process_names: tuple[str, ...]
    gentle: signal.Signals  # ends it in good order
    start_limit = 60.0
    stop_limit = 15.0

    def __init__(self, *, place: Place, listening: Listening) -> None:
        self.place = place
        self.listening = listening
        self.folder = place.home / self.name
        self.log = place.root / f"{self.name}.log"
        self.password = _read_password(place.root)
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make data folder and configuration; nothing of an earlier run is alive."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the server's command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether clients are served."""

    @abstractmethod
    def finish(self) -> None:
        """Do what is needed once after the first start."""

    @abstractmethod
    def urls(self) -> dict[str, str]:
        """Return the environment variables that point at this server."""

    def start(self) -> None:
        """Start the server and return without waiting. Raises ServicesError."""
        self.clear_leftovers()
        make_private_folder(self.folder, self.place.account)
        self.prepare()
        self.process = self.spawn(self.command())

    def wait(self) -> None:
        """Wait until clients are served. Raises ServicesError with the log's last word."""
        deadline = time.monotonic() + self.start_limit
        while not self.is_ready():
            if self.process is None or self.process.poll() is not None:
                raise ServicesError(f"{self.label} did not start: {self.last_words()}")
            if time.monotonic() > deadline:
                raise ServicesError(
                    f"{self.label} was not ready after {self.start_limit:.0f} s; see {self.log}"
                )
            time.sleep(0.01)
        self.finish()

    def stop(self) -> None:
        """Stop the server: in good order, else by force."""
        process, self.process = self.process, None
        if process is None:
            return
        for number, seconds in ((self.gentle, self.stop_limit), (signal.SIGQUIT, 5.0)):
            if process.poll() is None:
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
        if process.poll() is None:
            process.kill()
            process.wait()
        self.clear_leftovers()

    def forget(self) -> None:
        """Remove all data of the server."""
        self.clear_leftovers()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(
        self, command: Sequence[str], *, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program as the account, logging to our file, bound to our own life."""
        account = self.place.account
        _turn_over(self.log)
        with self.log.open("ab") as log:
            inherit_owner(self.log)
            return _popen(
                command, account=account, folder=folder or self.folder, log=log, death=self.gentle
            )

    def clear_leftovers(self) -> None:
        """End whatever an earlier run left in the data folder.

        A killed keeper's servers stop by themselves (`die_with_parent`), which may take a moment.
        """

        def gone() -> bool:
            return not self._leftovers()

        if wait_until(gone, seconds=5.0):
            return
        for number in (signal.SIGQUIT, signal.SIGKILL):
            for pid in self._leftovers():
                send(pid, number)
            if wait_until(gone, seconds=5.0):
                return
        raise ServicesError(f"an earlier {self.label} in {self.folder} can not be ended")

    def _leftovers(self) -> list[int]:
        return list_processes_working_in(self.folder, names=self.process_names)

    def last_words(self) -> str:
        """Return the log's last line that looks like a reason."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-30:]
        except OSError:
            lines = []
        telling = [line for line in lines if "FATAL" in line or "rror" in line] or lines
        reason = telling[-1] if telling else "no reason given"
        return f"{reason.rpartition('FATAL:')[2].strip()} (log: {self.log})"

    def write_private(self, path: Path, text: str) -> None:
        """Write a file that only the server's user reads."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        if self.place.account is not None:
            os.chown(path, self.place.account.uid, self.place.account.gid)


def _popen(
    command: Sequence[str],
    *,
    account: Account | None,
    folder: Path,
    log: IO[bytes],
    death: signal.Signals,
) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # a terminal's signals are for us alone
        preexec_fn=die_with_parent(death),  # noqa: PLW1509 - the keeper has one thread
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
    )


def _read_password(root: Path) -> str:
    """Return the password of this profile's servers, made at the first start."""
    path = root / "password"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    password = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    inherit_owner(path)
    return password


def _turn_over(log: Path) -> None:
    """Keep one old log once this one is large."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
