"""The keeper: the process that owns the embedded servers of one profile.

A client starts it when there is none. It starts what is wanted, restarts what crashes, and stops
everything when the last client is gone. It is in a session of its own, so a terminal's Ctrl-C
ends the clients, never the servers under them. Should the keeper itself be killed, the kernel
tells the servers to stop (`processes.die_with_parent`).
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from config.services.errors import ServicesError
from config.services.places import (
    PROFILES,
    Place,
    Profile,
    choose_place,
    make_socket_folder,
    profile_root,
    remove_abandoned,
)
from config.services.postgresql import PostgreSQL
from config.services.processes import SignalInbox, signal_inbox
from config.services.servers import Listening, Server, ServiceName
from config.services.state import FileLock, State, read_state, read_wanted, write_state
from config.services.valkey import Broker, Cache

SERVERS: dict[ServiceName, type[Server]] = {
    "database": PostgreSQL,
    "broker": Broker,
    "cache": Cache,
}
MAX_RESTARTS = 5
_LOOK_EVERY = 0.5


class Keeper:
    """Runs until it is told to stop or has no clients left."""

    def __init__(self, place: Place) -> None:
        self.place = place
        before = read_state(place.root)
        if before is not None and before.sockets:
            _remove_sockets(Path(before.sockets))
        by_port = os.environ.get("TESSERA_TCP", "") == "1"
        self.listening = Listening(
            sockets=None if by_port else make_socket_folder(place),
            ports=before.ports if before is not None else {},
        )
        self.servers: dict[ServiceName, Server] = {}
        self.restarts: list[float] = []
        self.lease = FileLock(place.root / "lease.lock")
        self.pinned = place.root / "pinned"
        self.state = State(
            keeper=os.getpid(),
            account="" if place.account is None else place.account.name,
            home=str(place.home),
            sockets=str(self.listening.sockets or ""),
            ports=self.listening.ports,
        )

    def run(self, inbox: SignalInbox) -> int:
        """Serve until there is nothing to serve for; return the exit code."""
        try:
            while True:
                self._start_missing()
                if not self.servers:
                    return 1
                received = inbox.wait(_LOOK_EVERY)
                if signal.SIGTERM in received or signal.SIGINT in received:
                    return 0
                if not self.pinned.exists() and self.lease.acquire():
                    return 0
                if not self._restart_crashed():
                    return 1
        finally:
            self._stop()

    def _start_missing(self) -> None:
        """Start what clients want and is not there; a failure is noted for them."""
        wanted = read_wanted(self.place.root)
        if wanted.ticket == self.state.ticket:
            return
        missing = [name for name in wanted.names if name not in self.servers]
        for name in missing:
            self.state.errors.pop(name, None)
        begun = time.monotonic()
        starting: list[Server] = []
        for name in reversed(missing):  # the database last: it may have to wait for initdb
            server = SERVERS[name](place=self.place, listening=self.listening)
            try:
                server.start()
            except (ServicesError, OSError) as error:
                self.state.errors[name] = str(error)
                server.stop()
            else:
                starting.append(server)
        for server in starting:
            self._await(server)
            self.state.seconds[server.name] = round(time.monotonic() - begun, 3)
        self.state.ticket = wanted.ticket
        write_state(self.place.root, self.state)

    def _await(self, server: Server) -> None:
        try:
            try:
                server.wait()
            except ServicesError as error:
                if not self._may_forget(server):
                    raise
                _say(f"{error}; starting afresh")
                server.stop()
                server.forget()
                server.start()
                server.wait()
        except (ServicesError, OSError) as error:
            self.state.errors[server.name] = str(error)
            server.stop()
            return
        self._note(server)

    def _may_forget(self, server: Server) -> bool:
        """Tell whether the data may be thrown away to get going again.

        The test profile writes without fsync, so a power cut may spoil it; and the broker is
        disposable everywhere, as all work that must happen is a row in the database.
        """
        return self.place.profile == "test" or server.name == "broker"

    def _note(self, server: Server) -> None:
        self.servers[server.name] = server
        self.state.urls |= server.urls()
        if server.process is not None:
            self.state.pids[server.name] = server.process.pid

    def _restart_crashed(self) -> bool:
        """Start again what ended by itself; False once that happened too often in a minute."""
        for server in list(self.servers.values()):
            if server.process is None or server.process.poll() is None:
                continue
            _say(f"{server.label} ended with {server.process.returncode}: {server.last_words()}")
            now = time.monotonic()
            self.restarts = [moment for moment in self.restarts if now - moment < 60]
            if len(self.restarts) >= MAX_RESTARTS:
                self.state.errors[server.name] = f"{server.label} crashed {MAX_RESTARTS + 1} times"
                write_state(self.place.root, self.state)
                return False
            time.sleep(0.5 * len(self.restarts))
            self.restarts.append(now)
            server.process = None
            try:
                server.start()
                server.wait()
            except (ServicesError, OSError) as error:
                self.state.errors[server.name] = str(error)
                write_state(self.place.root, self.state)
                return False
            self._note(server)
            write_state(self.place.root, self.state)
        return True

    def _stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        if self.listening.sockets is not None:
            _remove_sockets(self.listening.sockets)
        self.state.urls, self.state.pids = {}, {}
        write_state(self.place.root, self.state)
        (self.place.root / "wanted.json").unlink(missing_ok=True)
        self.pinned.unlink(missing_ok=True)


def _remove_sockets(folder: Path) -> None:
    """Remove a folder of sockets of this or an earlier run."""
    if folder.name == "run" or folder.name.startswith("tessera-"):
        shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Keep the servers of the profile named by the only argument."""
    profile: Profile = next(name for name in PROFILES if name == arguments[0])
    os.umask(0o022)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    root = profile_root(profile, os.environ)
    watched = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1)
    with FileLock(root / "keeper.lock") as lock, signal_inbox(*watched) as inbox:
        if not lock.acquire(seconds=5.0):
            _say("another keeper is at work")
            return 1
        try:
            place = choose_place(profile, os.environ)
            if place.account is not None:
                remove_abandoned()
            return Keeper(place).run(inbox)
        except (ServicesError, OSError) as error:
            ticket = read_wanted(root).ticket
            write_state(root, State(keeper=os.getpid(), ticket=ticket, errors={"all": str(error)}))
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
