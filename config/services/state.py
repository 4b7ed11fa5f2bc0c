"""What keeper and clients tell each other: locks and two small files in the profile's folder.

- `start.lock`, exclusive: one client at a time starts, attaches or leaves.
- `lease.lock`, shared by every client for as long as it lives. The kernel drops it when the
  client ends, however it ends; a keeper that can get it exclusively has no clients left.
- `keeper.lock`, exclusive: held by the keeper while it lives.
- `wanted.json`, by clients: services to have, and a ticket. `state.json`, by the keeper: what runs,
  where, and the ticket that this answers; so nobody takes an old answer for a new one.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from config.services.places import inherit_owner
from config.services.processes import wait_until
from config.services.servers import SERVICE_NAMES, ServiceName


@dataclasses.dataclass(kw_only=True)
class State:
    """The keeper's account of itself; holds passwords, so the file is for the owner only."""

    keeper: int
    ticket: str = ""
    account: str = ""
    home: str = ""
    sockets: str = ""
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    pids: dict[str, int] = dataclasses.field(default_factory=dict)
    urls: dict[str, str] = dataclasses.field(default_factory=dict)
    errors: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


class FileLock:
    """An advisory lock on a file, dropped by the kernel when its holder ends.

    The descriptor is closed on exec, so programs that we start do not prolong it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, *, shared: bool = False, seconds: float = 0.0) -> bool:
        """Take the lock, waiting at most `seconds`; tell whether we have it."""
        if self._descriptor < 0:
            new = not self.path.exists()
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            if new:
                inherit_owner(self.path)
        kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB

        def locked() -> bool:
            try:
                fcntl.flock(self._descriptor, kind)
            except BlockingIOError:
                return False
            return True

        if wait_until(locked, seconds=seconds):
            return True
        self.release()
        return False

    def release(self) -> None:
        """Give the lock up; without effect when it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def is_held_elsewhere(self) -> bool:
        """Tell whether another process holds it exclusively, without waiting."""
        if not self.path.exists():
            return False
        free = self.acquire(shared=True)
        self.release()
        return not free

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def read_state(root: Path) -> State | None:
    """Return what the keeper wrote last; it may be dead."""
    try:
        return State(**json.loads((root / "state.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_state(root: Path, state: State) -> None:
    """Replace the state file in one step."""
    _write(root / "state.json", dataclasses.asdict(state))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """Services that clients asked for since the keeper started."""

    ticket: str = ""
    names: tuple[ServiceName, ...] = ()


def read_wanted(root: Path) -> Wanted:
    """Return what clients asked for; nothing when none did."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((root / "wanted.json").read_text())
        return Wanted(
            ticket=content["ticket"],
            names=tuple(name for name in SERVICE_NAMES if name in content["names"]),
        )
    return Wanted()


def write_wanted(root: Path, wanted: Wanted) -> None:
    """Replace what is wanted. The caller holds `start.lock`."""
    _write(root / "wanted.json", dataclasses.asdict(wanted))


def _write(path: Path, content: object) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
    inherit_owner(temporary)
    temporary.replace(path)
