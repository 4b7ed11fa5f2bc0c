"""The kinds of jobs that the rooms can do; filled in `AppConfig.ready`."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise

from tenants.jobs.errors import UnknownKindError
from tenants.jobs.runs import JobRun
from tenants.jobs.schedules import Schedule, daily, every, monthly

__all__ = [
    "Handler",
    "JobKind",
    "JobRun",
    "Schedule",
    "daily",
    "every",
    "get_kind",
    "list_kinds",
    "monthly",
    "register_job",
]

# Runs inside the brand, outside any transaction; calls `run.complete(…)` in the transaction of
# its last effect. May be run again from the start after a crash.
Handler = Callable[[JobRun], None]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: what people call it, what does it, and when it falls due by itself."""

    kind: str
    title: str | Promise
    handler: Handler
    schedule: Schedule | None


_kinds: dict[str, JobKind] = {}


def register_job(
    kind: str, *, title: str | Promise, handler: Handler, schedule: Schedule | None = None
) -> None:
    """Register a kind such as `points.expire`; a kind belongs to one handler for ever."""
    known = _kinds.get(kind)
    if known is not None and known.handler is not handler:
        raise ValueError(f"The kind {kind!r} is registered twice.")
    _kinds[kind] = JobKind(kind=kind, title=title, handler=handler, schedule=schedule)


def get_kind(kind: str) -> JobKind:
    """Return a registered kind.

    :raises UnknownKindError: if no room has registered it.
    """
    try:
        return _kinds[kind]
    except KeyError:
        raise UnknownKindError(kind) from None


def list_kinds() -> list[JobKind]:
    """Return all registered kinds by name."""
    return [_kinds[kind] for kind in sorted(_kinds)]
