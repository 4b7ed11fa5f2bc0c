"""What must work before this process should get traffic; higher rooms and config register checks."""

from collections.abc import Callable

# Returns a word on what was found ("ok", "12 s ago"); raises `NotReady` when it does not work.
Check = Callable[[], str]

_checks: dict[str, Check] = {}


class NotReady(Exception):  # noqa: N818 - reads as the state it reports
    """A check did not pass; the text says why, without secrets or addresses."""


def register_check(name: str, check: Check) -> None:
    """Register a check under a name; the last one of a name counts."""
    _checks[name] = check


def run_checks() -> tuple[bool, dict[str, str]]:
    """Run all checks; return whether all passed, and what each found."""
    results: dict[str, str] = {}
    ready = True
    for name, check in _checks.items():
        try:
            results[name] = check()
        except NotReady as problem:
            ready = False
            results[name] = f"failed: {problem}"
    return ready, results
