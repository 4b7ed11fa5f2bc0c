"""Runs a handful of programs side by side: their output prefixed, crashes restarted, one stop."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from config.services.processes import (
    SignalInbox,
    become_subreaper,
    die_with_parent,
    signal_inbox,
    stop_descendants,
)

MAX_RESTARTS = 5
_CALM_AFTER = 60.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_COLOURS = (36, 32, 35, 33, 34)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to keep running. Programs are stopped in the order in which they are given."""

    name: str
    command: Sequence[str]
    # Asked in turn to end; the first is the gentle way. SIGKILL follows by itself.
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM,)
    stop_seconds: float = 10.0


@dataclass(kw_only=True)
class _Running:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    restarts: int = 0
    rest: bytes = b""
    colour: int = 0


@dataclass(kw_only=True)
class Runner:
    """Keeps programs running until a signal, or until one can not be kept running.

    Each program leads a session of its own, so Ctrl-C reaches us alone and the order of
    stopping is ours. All methods run in the main thread (`processes.die_with_parent`).
    """

    programs: Sequence[Program]
    env: Mapping[str, str]
    out: TextIO = sys.stdout
    # Called some five times a second; it must not block.
    on_tick: Callable[[], None] = lambda: None
    _running: list[_Running] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> int:
        """Run until stopped; 0 after a signal, 1 when a program kept crashing."""
        become_subreaper()
        colours = self.out.isatty() and "NO_COLOR" not in os.environ
        self._running = [
            _Running(program=program, colour=_COLOURS[n % len(_COLOURS)] if colours else 0)
            for n, program in enumerate(self.programs)
        ]
        with signal_inbox(*_STOP_SIGNALS, signal.SIGCHLD) as inbox:
            try:
                for one in self._running:
                    self._start(one)
                return self._watch(inbox)
            finally:
                self._stop_all(inbox)

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def _watch(self, inbox: SignalInbox) -> int:
        while True:
            if any(number in _STOP_SIGNALS for number in inbox.wait(0)):
                return 0
            self._pump(0.2)
            self.on_tick()
            for one in self._running:
                if one.process is None:
                    if time.monotonic() >= one.start_again_at:
                        self._start(one)
                elif one.process.poll() is not None and not self._note_crash(one):
                    return 1

    def _start(self, one: _Running) -> None:
        one.process = subprocess.Popen(
            one.program.command,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - see die_with_parent
        )
        one.started_at = time.monotonic()
        if one.process.stdout is not None:
            os.set_blocking(one.process.stdout.fileno(), False)
            self._selector.register(one.process.stdout, selectors.EVENT_READ, one)

    def _note_crash(self, one: _Running) -> bool:
        """Plan the next start; False when there were too many."""
        if one.process is None:
            return True
        self._drain(one)
        code = one.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        self._clear_group(one.process.pid)
        one.process = None
        if time.monotonic() - one.started_at > _CALM_AFTER:
            one.restarts = 0
        if one.restarts >= MAX_RESTARTS:
            self.say(f"{one.program.name} ended with {how} {MAX_RESTARTS + 1} times: giving up")
            return False
        pause = 0.5 * 2**one.restarts
        one.restarts += 1
        one.start_again_at = time.monotonic() + pause
        self.say(f"{one.program.name} ended with {how}; starting it again in {pause:g} s")
        return True

    def _pump(self, seconds: float) -> None:
        """Print what the programs say, waiting at most `seconds` for something."""
        for key, _ in self._selector.select(seconds):
            one: _Running = key.data
            self._read(one)

    def _read(self, one: _Running) -> bool:
        """Print what is there to read; False at the end of the output or when none is there."""
        if one.process is None or one.process.stdout is None or one.process.stdout.closed:
            return False
        try:
            data = os.read(one.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(one.process.stdout)
            one.process.stdout.close()
        *lines, one.rest = (one.rest + data).split(b"\n")
        if not data and one.rest:
            lines, one.rest = [one.rest], b""
        for line in lines:
            self._print(one, line.decode(errors="replace"))
        return bool(data)

    def _print(self, one: _Running, line: str) -> None:
        width = max(len(program.name) for program in self.programs)
        prefix = f"{one.program.name:{width}} |"
        if one.colour:
            prefix = f"\x1b[{one.colour}m{prefix}\x1b[0m"
        self.say(f"{prefix} {line}")

    def _drain(self, one: _Running) -> None:
        """Print the last words of an ended program, and let go of its pipe."""
        while self._read(one):
            pass
        if one.process is not None and one.process.stdout and not one.process.stdout.closed:
            self._selector.unregister(one.process.stdout)
            one.process.stdout.close()

    def _stop_all(self, inbox: SignalInbox) -> None:
        """Stop the programs in order; a further signal on the way makes it quick."""
        hurry = False
        for one in self._running:
            hurry = self._stop(one, inbox, hurry=hurry)
        stop_descendants(grace=2.0)
        self._selector.close()

    def _stop(self, one: _Running, inbox: SignalInbox, *, hurry: bool) -> bool:
        if one.process is None:
            return hurry
        for number in (*one.program.stop_signals, signal.SIGKILL):
            if one.process.poll() is not None:
                break
            one.process.send_signal(number)
            deadline = time.monotonic() + one.program.stop_seconds
            while one.process.poll() is None and time.monotonic() < deadline:
                self._pump(0.05)
                hurry = hurry or any(number in _STOP_SIGNALS for number in inbox.wait(0))
                if hurry:
                    deadline = min(deadline, time.monotonic() + 1.0)
        one.process.wait()
        self._drain(one)
        self._clear_group(one.process.pid)
        return hurry

    @staticmethod
    def _clear_group(leader: int) -> None:
        """End what an ended program left in its process group."""
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
