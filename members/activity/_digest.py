"""What makes two purchases the same: one canonical text, made here and, equal to it, in SQL.

The fields are joined by separators that no field may contain (control characters are refused on
the way in). Times count microseconds since 1970, so that the zone they were sent in is no matter.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELD = "\x1f"
_LINE = "\x1e"

# The same text for a row `{p}` with the columns of a purchase, `{lines}` being the text of all
# its lines in order, each begun by LINE_SQL.
PURCHASE_SQL = (
    "sha256(convert_to(concat_ws(E'\\x1f', {p}.member_id, "
    "(extract(epoch FROM {p}.occurred_at) * 1000000)::bigint, {p}.amount_minor, {p}.currency, "
    "{p}.channel, {p}.store_code, {p}.associate) || {lines}, 'UTF8'))"
)
LINE_SQL = (
    "E'\\x1e' || concat_ws(E'\\x1f', {line}.sku, {line}.category, {line}.quantity, "
    "{line}.amount_minor, coalesce({line}.cost_minor::text, ''))"
)


class LineLike(Protocol):
    """The fields of a line that count."""

    @property
    def sku(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def cost_minor(self) -> int | None: ...


def microseconds(instant: datetime) -> int:
    """Return the microseconds from 1970 to an aware instant, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def purchase_digest(
    *,
    member_id: int,
    occurred_at: datetime,
    amount_minor: int,
    currency: str,
    channel: str,
    store_code: str,
    associate: str,
    lines: Iterable[LineLike],
) -> bytes:
    """Return the SHA-256 of everything that was sent about a purchase except its id."""
    head = _FIELD.join(
        (
            str(member_id),
            str(microseconds(occurred_at)),
            str(amount_minor),
            currency,
            channel,
            store_code,
            associate,
        )
    )
    tail = "".join(
        _LINE
        + _FIELD.join(
            (
                line.sku,
                line.category,
                str(line.quantity),
                str(line.amount_minor),
                "" if line.cost_minor is None else str(line.cost_minor),
            )
        )
        for line in lines
    )
    return hashlib.sha256(f"{head}{tail}".encode()).digest()


def event_digest(
    *, member_id: int, name: str, at: datetime, properties: Mapping[str, Any]
) -> bytes:
    """Return the SHA-256 of everything that was sent about an event except its id."""
    body = json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = _FIELD.join((str(member_id), name, str(microseconds(at)), body))
    return hashlib.sha256(text.encode()).digest()
