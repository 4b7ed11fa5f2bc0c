"""The arithmetic of the hash chain. Pure: rows in, digests out."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# What the first link builds on.
START = "0" * 64
FIELDS = (
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_label",
    "address",
    "action",
    "target_type",
    "target_id",
    "reason",
    "changes",
)


def canonical(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as JSON with sorted keys: the same bytes for the same content, for ever."""
    content = {name: _plain(entry[name]) for name in FIELDS}
    return json.dumps(
        content, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    ).encode()


def link(*, number: int, previous: str, entry: Mapping[str, Any]) -> str:
    """Return the digest of link `number`: over its number, the previous digest and the entry."""
    digest = hashlib.sha256(f"{number}\n{previous}\n".encode())
    digest.update(canonical(entry))
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
