"""CSV for people and their spreadsheets: streamed, and no cell is taken for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

# A cell that begins with one of these is run as a formula by spreadsheets.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any) -> str:
    """Return one cell as text; what a spreadsheet would run gets an apostrophe before it.

    Numbers, days and times of ours are written as they are; source of the rule: OWASP, CSV
    injection.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case list() | tuple():
            return cell("; ".join(map(str, value)))
    text = str(value)
    return f"'{text}" if text.startswith(_RISKY) else text


def encode(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows as lines of CSV in UTF-8."""
    out = StringIO()
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def stream(head: Sequence[str], chunks: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """Give a file piece by piece: a byte order mark for Excel, the head, the rows."""
    yield b"\xef\xbb\xbf" + encode([head])
    for chunk in chunks:
        yield encode(chunk)
