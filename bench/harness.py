"""Runs the benchmarks and prints one table: what, size, median, ratio, target.

A measure is a ratio within one run: the thing and its yardstick are timed in turn, several
rounds, and the medians are divided. Absolute times only give a feeling.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

SECTIONS = ("members", "benefits", "partners", "insights", "growth", "web", "platform")
Better = Literal["higher", "lower"]
RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; `value` is the figure that floor and goal speak of."""

    section: str
    name: str
    value: float | None
    unit: str
    floor: float | None
    goal: float | None
    better: Better
    runs: int
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return `goal`, `floor`, `below` or `-` where nothing is asked or nothing was run."""
        if self.value is None or self.floor is None:
            return "-"
        sign = 1 if self.better == "higher" else -1
        if self.goal is not None and sign * self.value >= sign * self.goal:
            return "goal"
        return "floor" if sign * self.value >= sign * self.floor else "below"


Measure = Callable[[], Iterable[Result]]


@dataclass(slots=True)
class Registry:
    """The measures by section, in the order in which they were registered."""

    measures: list[tuple[str, str, Measure]] = field(default_factory=list)

    def register(self, section: str, name: str) -> Callable[[Measure], Measure]:
        """Add a function that returns results; it makes and removes what it needs."""
        if section not in SECTIONS:
            raise ValueError(f"unknown section {section!r}")

        def add(measure: Measure) -> Measure:
            self.measures.append((section, name, measure))
            return measure

        return add


BENCH = Registry()


def interleaved(
    contestants: dict[str, Callable[[], float]], *, rounds: int
) -> dict[str, list[float]]:
    """Run each contestant once a round, the order turned round every time; return the figures."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            figures[name].append(contestants[name]())
    return figures


def median_ratio(figures: dict[str, list[float]], over: str, under: str) -> float:
    """Return the median of one contestant over the median of another."""
    return statistics.median(figures[over]) / statistics.median(figures[under])


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@dataclass(slots=True)
class Memory:
    """The memory of this process in MB: at its peak, and how much that was more than before."""

    peak: float = 0
    more: float = 0


@contextmanager
def peak_memory() -> Iterator[Memory]:
    """Measure how much memory this process takes at most; Linux only."""
    found = Memory()
    # Forgets the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    yield found
    found.peak = _memory("VmHWM")
    found.more = max(found.peak - before, 0)


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def run(section: str | None = None) -> int:
    """Run all measures (or one section), print the table, write the JSON; 1 if one failed."""
    console = Console()
    results: list[Result] = []
    failed = 0
    for where, name, measure in BENCH.measures:
        if section and where != section:
            continue
        console.print(f"[dim]{where}: {name} …[/dim]")
        try:
            results += list(measure())
        except Exception as error:  # noqa: BLE001  (a row that cannot be run says why)
            failed += 1
            console.print_exception(max_frames=4)
            results.append(Result(where, name, None, "", None, None, "higher", 0, repr(error)))
    table = Table(title="Tessera benchmarks: ratios within this run")
    for heading in ("section", "what", "value", "unit", "floor", "goal", "verdict", "runs", "note"):
        table.add_column(heading, overflow="fold")
    for r in results:
        table.add_row(
            r.section, r.name, _shown(r.value), r.unit, _shown(r.floor), _shown(r.goal),
            r.verdict, str(r.runs), r.note,
        )  # fmt: skip
    console.print(table)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    return 1 if failed else 0
