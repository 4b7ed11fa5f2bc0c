"""What must work before this process should get traffic; higher rooms and config register checks."""

from collections.abc import Callable

# Returns a word on what was found ("ok", "12 s ago"); raises `NotReady` when it does not work.
Check = Callable[[], str]

_checks: dict[str, tuple[Check, str]] = {}


class NotReady(Exception):  # noqa: N818 - reads as the state it reports
    """A check did not pass; the text says why, without secrets or addresses."""


def register_check(name: str, check: Check, *, needs: str = "") -> None:
    """Register a check under a name; it is not run when the one that it needs has failed."""
    _checks[name] = (check, needs)


def run_checks() -> tuple[bool, dict[str, str]]:
    """Run all checks; return whether all passed, and what each found."""
    results: dict[str, str] = {}
    failed: set[str] = set()
    for name, (check, needs) in _checks.items():
        if needs in failed:
            failed.add(name)
            results[name] = f"failed: needs {needs}"
            continue
        try:
            results[name] = check()
        except NotReady as problem:
            failed.add(name)
            results[name] = f"failed: {problem}"
    return not failed, results
