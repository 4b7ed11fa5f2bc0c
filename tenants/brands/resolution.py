"""From a host name to a brand, with a short memory in this process."""

import copy
import threading
import time
from dataclasses import dataclass

from tenants.brands.context import platform_context
from tenants.brands.models import Brand, Domain

# How long this process may serve a brand after another process suspended it.
REMEMBER_SECONDS = 30.0
# Unknown hosts are remembered too, so that scanners cost no queries; this bounds the memory.
_MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    brand: Brand | None
    until: float


_entries: dict[str, _Entry] = {}
_lock = threading.Lock()


def find_brand(host: str) -> Brand | None:
    """Return the brand that a host name without port leads to; none when there is none.

    Each call gives a copy, so that no request changes what another sees. Suspended brands and
    those being set up are returned as well: the caller looks at `status`.
    """
    name = host.lower().rstrip(".")
    now = time.monotonic()
    entry = _entries.get(name)
    if entry is None or entry.until < now:
        entry = _Entry(_look_up(name), now + REMEMBER_SECONDS)
        with _lock:
            if len(_entries) >= _MAX_ENTRIES:
                _entries.clear()
            _entries[name] = entry
    return copy.copy(entry.brand)


def forget_hosts() -> None:
    """Forget all that this process remembers; others follow within `REMEMBER_SECONDS`."""
    with _lock:
        _entries.clear()


def _look_up(name: str) -> Brand | None:
    if not name or len(name) > 253 or "\0" in name:
        return None
    with platform_context():
        domain = Domain.objects.select_related("tenant").filter(domain=name).first()
        return domain.tenant if domain is not None else None
