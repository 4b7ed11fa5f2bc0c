"""Reading a file of codes: encoding, head line, lines that cannot be. Pure."""

import codecs
import csv
from dataclasses import dataclass

from benefits.catalogue.errors import BadCodeFileError

MAX_LENGTH = 120
MAX_CODES = 200_000
MAX_BYTES = 16 * 1024 * 1024
_HEADS = {"code", "codes", "coupon", "coupon_code", "券码", "卡券码", "兑换码", "券碼", "兌換碼"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A bad line of a file; `code` says why: `empty`, `too_long`, `control`, `twice`, `in_pool`, `handed_out`.

    `first_line` is where a code that comes twice was first.
    """

    line: int
    code: str
    first_line: int | None = None


def read_lines(content: bytes) -> tuple[list[tuple[int, str]], list[LineProblem]]:
    """Return the codes with their lines from 1, and the lines that are bad by themselves.

    One code a line, in the first column of a CSV; a head line is known by its word. Empty lines
    at the end do not count.

    :raises BadCodeFileError: if it is empty, too large, or in no encoding that we read.
    """
    if len(content) > MAX_BYTES:
        raise BadCodeFileError(reason="too_large", most_bytes=MAX_BYTES)
    text = _decode(content)
    rows = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n \t").split("\n")
    if rows == [""]:
        raise BadCodeFileError(reason="empty")
    start = 1 if _first(rows[0]).lower() in _HEADS else 0
    if len(rows) - start > MAX_CODES:
        raise BadCodeFileError(reason="too_many", most=MAX_CODES)
    if len(rows) == start:
        raise BadCodeFileError(reason="empty")
    good: list[tuple[int, str]] = []
    problems: list[LineProblem] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[start:], start=start + 1):
        code = _first(row)
        if not code:
            problems.append(LineProblem(number, "empty"))
        elif len(code) > MAX_LENGTH:
            problems.append(LineProblem(number, "too_long"))
        elif not code.isprintable():
            problems.append(LineProblem(number, "control"))
        elif code in seen:
            problems.append(LineProblem(number, "twice", seen[code]))
        else:
            seen[code] = number
            good.append((number, code))
    return good, problems


def _first(row: str) -> str:
    try:
        cells = next(csv.reader([row]), [""])
    except csv.Error:
        cells = [row]
    return cells[0].strip() if cells else ""


def _decode(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            candidates = [encoding]
            break
    else:
        candidates = ["utf-8", "gb18030"]
    for encoding in candidates:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadCodeFileError(reason="encoding")
