"""Having the embedded servers for a while: attach to the keeper, or start one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.services.errors import ServicesError
from config.services.places import CHECKOUT, Profile, inherit_owner, make_folder, profile_root
from config.services.processes import send, wait_until
from config.services.servers import SERVICE_NAMES, ServiceName
from config.services.state import FileLock, State, Wanted, read_state, read_wanted, write_wanted

VARIABLES: Mapping[ServiceName, str] = {
    "database": "DATABASE_URL",
    "broker": "BROKER_URL",
    "cache": "CACHE_URL",
}
_START_LIMIT = 150.0
_STOP_LIMIT = 40.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """Addresses of the servers in use, ours or those the environment named."""

    database_url: str = ""
    broker_url: str = ""
    cache_url: str = ""
    # The superuser's address; empty when the database is not ours.
    database_admin_url: str = ""
    # Process ids of the servers that are ours, by service.
    pids: Mapping[str, int] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return what to add to the environment of a program that uses the servers."""
        found = {
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "CACHE_URL": self.cache_url,
            "DATABASE_ADMIN_URL": self.database_admin_url,
        }
        return {name: value for name, value in found.items() if value}


@contextlib.contextmanager
def services(
    *,
    profile: Profile = "demo",
    only: tuple[ServiceName, ...] = SERVICE_NAMES,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Services]:
    """Have the servers for the time of the block; the last user to leave stops them.

    A server whose address the environment gives is not started. Raises ServicesError.
    """
    environ = os.environ if environ is None else environ
    missing = [name for name in only if not environ.get(VARIABLES[name])]
    given = {VARIABLES[name]: environ.get(VARIABLES[name], "") for name in only}
    if not missing:
        yield _services(given, {})
        return
    client = Client(profile=profile, environ=environ)
    state = client.attach(missing)
    try:
        yield _services({name: url for name, url in given.items() if url}, state)
    finally:
        client.leave()


def _services(given: Mapping[str, str], state: State | dict[str, str]) -> Services:
    urls = dict(state.urls) if isinstance(state, State) else {}
    urls |= given
    return Services(
        database_url=urls.get("DATABASE_URL", ""),
        broker_url=urls.get("BROKER_URL", ""),
        cache_url=urls.get("CACHE_URL", ""),
        database_admin_url="" if given.get("DATABASE_URL") else urls.get("DATABASE_ADMIN_URL", ""),
        pids=dict(state.pids) if isinstance(state, State) else {},
    )


def get_running_urls(
    *, profile: Profile = "demo", environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the addresses of servers that run already, without starting or holding any."""
    root = profile_root(profile, os.environ if environ is None else environ)
    state = read_state(root)
    if state is None or not keeper_is_alive(root):
        return {}
    return dict(state.urls)


def keeper_is_alive(root: Path) -> bool:
    """Tell whether a keeper is at work: it holds its lock."""
    return FileLock(root / "keeper.lock").is_held_elsewhere()


class Client:
    """One user of the servers; its lease ends with its process, however that ends."""

    def __init__(self, *, profile: Profile, environ: Mapping[str, str]) -> None:
        self.profile = profile
        self.environ = dict(environ)
        self.root = profile_root(profile, environ)
        self.lease = FileLock(self.root / "lease.lock")
        self.start_lock = FileLock(self.root / "start.lock")
        self._keeper: subprocess.Popen[bytes] | None = None

    def attach(self, names: list[ServiceName], *, pin: bool = False) -> State:
        """Make the services run and hold them. Raises ServicesError.

        pin: they stay when all clients have left, until `stop`.
        """
        make_folder(self.root)
        self._check_writable()
        with self._start_lock():
            # Waits out a keeper that is just stopping: it holds the lease exclusively.
            if not self.lease.acquire(shared=True, seconds=_STOP_LIMIT):
                raise ServicesError(f"the {self.profile} servers do not stop; see {self._log}")
            try:
                if pin:
                    (self.root / "pinned").touch()
                    inherit_owner(self.root / "pinned")
                return self._have(names)
            except BaseException:
                self.lease.release()
                raise

    def leave(self) -> None:
        """End the lease; when it was the last one, stop the servers and wait for that."""
        self.lease.release()
        with self._start_lock():
            if (self.root / "pinned").exists():
                return
            if not self.lease.acquire():
                return  # others are still here
            self.lease.release()
            self._stop_keeper()

    def stop(self, *, now: bool) -> bool:
        """Undo `pin`; stop the servers unless others use them; tell whether they are stopped."""
        if not self.root.is_dir():
            return True
        with self._start_lock():
            (self.root / "pinned").unlink(missing_ok=True)
            if not now:
                if not self.lease.acquire():
                    return not keeper_is_alive(self.root)
                self.lease.release()
            self._stop_keeper()
        return True

    @property
    def _log(self) -> Path:
        return self.root / "keeper.log"

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        if not self.start_lock.acquire(seconds=_START_LIMIT):
            raise ServicesError(f"another start of the {self.profile} servers hangs")
        try:
            yield
        finally:
            self.start_lock.release()

    def _check_writable(self) -> None:
        for path in (self.root, self.root / "start.lock", self.root / "state.json"):
            if path.exists() and not os.access(path, os.W_OK):
                raise ServicesError(
                    f"{path} belongs to another user: run as that user, remove it, "
                    "or set TESSERA_DATA"
                )

    def _have(self, names: list[ServiceName]) -> State:
        """Ask the keeper for the services and wait until it has them."""
        for _ in range(2):  # a keeper may be giving up at this very moment
            alive = keeper_is_alive(self.root)
            before = read_wanted(self.root).names if alive else ()
            wanted = Wanted(
                ticket=uuid.uuid4().hex,
                names=tuple(name for name in SERVICE_NAMES if name in before or name in names),
            )
            write_wanted(self.root, wanted)
            running = read_state(self.root)
            if not alive:
                self._spawn_keeper()
            elif running is not None:
                send(running.keeper, signal.SIGUSR1)
            state = self._wait_for(wanted.ticket)
            if state is not None:
                failures = [state.errors[n] for n in ("all", *names) if n in state.errors]
                if failures:
                    raise ServicesError(failures[0])
                return state
        raise ServicesError(f"the keeper of the servers ended at once: {self._last_words()}")

    def _wait_for(self, ticket: str) -> State | None:
        """Return the keeper's answer; None when there is no keeper any more."""
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            ended = self._keeper is not None and self._keeper.poll() is not None
            gone = ended or (self._keeper is None and not keeper_is_alive(self.root))
            state = read_state(self.root)
            if state is not None and state.ticket == ticket:
                return state
            if gone:
                return None
            time.sleep(0.01)
        raise ServicesError(f"the {self.profile} servers do not start; see {self._log}")

    def _spawn_keeper(self) -> None:
        with self._log.open("ab") as log:
            inherit_owner(self._log)
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "config.services.keeper", self.profile],
                cwd=CHECKOUT,
                env=self.environ | {"TESSERA_DATA": str(self.root.parent.parent)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _stop_keeper(self) -> None:
        state = read_state(self.root)
        if state is None or not keeper_is_alive(self.root):
            return
        send(state.keeper, signal.SIGTERM)
        if not wait_until(lambda: not keeper_is_alive(self.root), seconds=_STOP_LIMIT):
            raise ServicesError(f"the {self.profile} servers do not stop; see {self._log}")
        if self._keeper is not None:
            self._keeper.wait(5)

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else f"no reason given (log: {self._log})"
