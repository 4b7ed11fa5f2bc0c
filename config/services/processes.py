"""Child processes that never outlive us.

Three layers, each for the case the one above can not handle:

1. Our own stop: signals, an order, deadlines, then SIGKILL.
2. We are the *subreaper*: grandchildren whose parent died become our children, so that
   `stop_descendants` finds them by walking the process tree.
3. The kernel's parent-death signal: set in the child between fork and exec, sent when we are
   killed without a chance to act (SIGKILL, out of memory).

Layers 2 and 3 exist on Linux only; elsewhere layer 1 alone works.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ENDED_WITH_PARENT = 120

# Loaded now: after fork only async-signal-safe work is allowed, and dlopen is not.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` after which the child gets `death_signal` when this process dies.

    Must be called, and the child started, from the main thread: the kernel watches the thread
    that forked. A change of user clears the setting, so `subprocess` must apply `user=` before
    it runs this (it does).
    """
    parent = os.getpid()

    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # died between fork and prctl
                os._exit(_ENDED_WITH_PARENT)

    return in_child


def become_subreaper() -> None:
    """Make orphaned descendants children of this process instead of process 1."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def process_is_alive(pid: int) -> bool:
    """Tell whether the process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def list_processes_working_in(folder: Path, *, names: tuple[str, ...]) -> list[int]:
    """Return the processes of these names whose current folder is `folder`, ascending.

    PostgreSQL (with all its back ends) and Valkey work in their data folder, so this names
    exactly those that still use it, which a recorded process id can not. The name keeps a
    person's shell out of it.
    """
    folder = folder.resolve()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            works_there = (entry / "cwd").readlink() == folder
            if works_there and (entry / "comm").read_text().strip() in names:
                found.append(int(entry.name))
    return sorted(pid for pid in found if _state(pid) != "Z")


def list_descendants() -> list[int]:
    """Return all living processes below this one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; none when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may be gone by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.02) -> bool:
    """Poll until the condition holds; False when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def stop_descendants(*, grace: float) -> None:
    """End whatever still runs below this process: SIGTERM, `grace` seconds, SIGKILL."""

    def all_gone() -> bool:
        reap()
        return not list_descendants()

    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if all_gone():
            return
        for pid in list_descendants():
            send(pid, number)
        wait_until(all_gone, seconds=seconds)


def reap() -> dict[int, int]:
    """Collect ended children; return their exit codes (negative: the signal) by process id."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended


class SignalInbox:
    """Signals as data: handlers only note them, and `wait` returns what came in.

    The wake-up pipe makes `wait` return at once, so that no loop has to poll quickly.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self._read, self._write = os.pipe()  # closed on exec, as all of Python's descriptors
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._before = {number: signal.getsignal(number) for number in signals}
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> list[signal.Signals]:
        """Return the signals received, after at most `seconds`."""
        ready, _, _ = select.select([self._read], [], [], max(seconds, 0))
        if not ready:
            return []
        return [signal.Signals(number) for number in os.read(self._read, 512)]

    def close(self) -> None:
        """Restore the handlers that were there before."""
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def signal_inbox(*signals: signal.Signals) -> Iterator[SignalInbox]:
    """Turn the named signals into data for the time of the block."""
    inbox = SignalInbox(*signals)
    try:
        yield inbox
    finally:
        inbox.close()


def run_guarded(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    grace: float = 30.0,
    new_session: bool = False,
) -> int:
    """Run a command to its end; return its exit code; leave nothing of it behind.

    SIGINT, SIGTERM and SIGHUP are passed on; the third one kills. A Ctrl-C at the terminal
    reaches the command directly, as it shares our foreground group, unless `new_session`.
    """
    become_subreaper()
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    with signal_inbox(*watched) as inbox:
        try:
            child = subprocess.Popen(
                command,
                env=dict(env),
                start_new_session=new_session,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see die_with_parent
            )
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            return 127
        code = _attend(child.pid, inbox, grace=grace, shares_terminal=not new_session)
        child.returncode = code
        stop_descendants(grace=3.0)
    return code


def _attend(pid: int, inbox: SignalInbox, *, grace: float, shares_terminal: bool) -> int:
    """Pass signals on until the child ends; kill it `grace` seconds after the first."""
    asked = 0
    deadline = float("inf")
    while True:
        received = inbox.wait(min(deadline - time.monotonic(), 3600.0))
        ended = reap()
        if pid in ended:
            return ended[pid]
        for number in received:
            if number is signal.SIGCHLD:
                continue
            asked += 1
            if asked == 1:
                deadline = time.monotonic() + grace
            if number is signal.SIGINT and shares_terminal and _from_terminal():
                continue
            send(pid, signal.SIGTERM if number is signal.SIGHUP else number)
        if asked > 2 or time.monotonic() > deadline:
            send(pid, signal.SIGKILL)


def _from_terminal() -> bool:
    """Guess that a SIGINT came from the keyboard: we own the terminal's foreground."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
