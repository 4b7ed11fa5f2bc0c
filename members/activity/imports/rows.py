"""From lines to purchases: header, columns, times, amounts. Pure: no database, clock, settings.

One physical line is one row: no field of ours may hold a line end, so a lone quote spoils its own
line only and every bad row is told by its line.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from core.money import MAX_MINOR
from members.activity._fields import EARLIEST_YEAR, GRACE, LENGTHS, MAX_QUANTITY
from members.activity.imports.sources import MAX_LINE, BadFileError

Delimiter = Literal["comma", "tab", "blank"]
_Value = TypeVar("_Value")

PURCHASE_COLUMNS = (
    "external_id", "member", "occurred_at", "amount", "currency", "channel", "store", "associate",
)  # fmt: skip
PURCHASE_REQUIRED = ("member", "occurred_at", "amount")
LINE_COLUMNS = ("purchase", "sku", "category", "quantity", "amount")
LINE_REQUIRED = ("purchase", "sku", "quantity", "amount")

_LENGTHS = {
    **{name: LENGTHS[name] for name in ("channel", "store", "associate", "sku", "category")},
    "external_id": LENGTHS["external_id"],
    "purchase": LENGTHS["external_id"],
    "member": 64,
}
# Everything `_fields.UNSAFE` refuses but the tab, which may be the separator.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_AMOUNT = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?")
_COUNT = re.compile(r"[0-9]{1,9}")
_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2})|/([0-9]{1,2})/([0-9]{1,2}))"
    r"(?:[T ]\s*([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6}))?)?"
    r"\s*(Z|z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


class Problem(NamedTuple):
    """Why one row is refused: its line, the column where one is to blame, and a code."""

    line: int
    column: str
    code: str
    value: str = ""


class Moment(NamedTuple):
    """An instant, its brand day, and both in writing; made once for each text of a file."""

    occurred_at: datetime
    local_date: date
    written: str


class PurchaseRow(NamedTuple):
    """One purchase of a file. `external_id` is empty when the file has no such column."""

    line: int
    external_id: str
    member: str
    moment: Moment
    amount_minor: int
    currency: str
    channel: str
    store: str
    associate: str


class LineRow(NamedTuple):
    """One line of a purchase of a file."""

    line: int
    purchase: str
    sku: str
    category: str
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the caller knows: the brand's currency and zone, the present, names of columns.

    `names` maps our name of a column to the file's. Times without an offset are in `zone`;
    `brand_zone` decides the day a purchase counts for.
    """

    currency: str
    currency_digits: int
    zone: ZoneInfo
    brand_zone: ZoneInfo
    at: datetime
    names: Mapping[str, str] = field(default_factory=dict)
    delimiter: Delimiter | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file: where each of ours is, how many there are, what is not used."""

    delimiter: Delimiter
    width: int
    positions: Mapping[str, int]
    unused: tuple[str, ...]


class _BadRowError(Exception):
    def __init__(self, column: str, code: str, value: str = "") -> None:
        self.column, self.code, self.value = column, code, value
        super().__init__(code)


def read_header(
    text: str, *, columns: tuple[str, ...], required: tuple[str, ...], reading: Reading
) -> Header:
    """Find our columns in the first line of a file.

    :raises BadFileError: `unknown_mapping`, `missing_columns`, `repeated_column`,
        `broken_header`.
    """
    unknown = sorted(set(reading.names) - set(columns))
    if unknown:
        raise BadFileError("unknown_mapping", columns=unknown, possible=list(columns))
    if _UNSAFE.search(text):
        raise BadFileError("broken_header")
    delimiter = reading.delimiter or _guess(text)
    try:
        names = [_fold(name) for name in _split(text, delimiter)]
    except csv.Error:
        raise BadFileError("broken_header") from None
    positions: dict[str, int] = {}
    missing: list[str] = []
    for column in columns:
        wanted = _fold(reading.names.get(column, column))
        if names.count(wanted) > 1:
            raise BadFileError("repeated_column", column=wanted)
        if wanted in names:
            positions[column] = names.index(wanted)
        elif column in required or column in reading.names:
            missing.append(reading.names.get(column, column))
    if missing:
        raise BadFileError("missing_columns", columns=missing, found=names[:40])
    used = set(positions.values())
    unused = tuple(name for index, name in enumerate(names) if index not in used)
    return Header(delimiter, len(names), positions, unused)


def read_purchases(
    lines: Iterable[tuple[int, str | None]], reading: Reading
) -> tuple[Header, Iterator[PurchaseRow | Problem]]:
    """Read the header now and the rows as they are asked for; blank lines are passed over.

    :raises BadFileError: see `read_header`; `empty_file` without a header.
    """
    rest = iter(lines)
    header = read_header(
        _first(rest), columns=PURCHASE_COLUMNS, required=PURCHASE_REQUIRED, reading=reading
    )
    return header, _purchases(rest, header, reading)


def read_lines(
    lines: Iterable[tuple[int, str | None]], reading: Reading
) -> tuple[Header, Iterator[LineRow | Problem]]:
    """Do the same for a file of purchase lines.

    :raises BadFileError: see `read_purchases`.
    """
    rest = iter(lines)
    header = read_header(
        _first(rest), columns=LINE_COLUMNS, required=LINE_REQUIRED, reading=reading
    )
    return header, _lines(rest, header, reading)


def read_rows(
    lines: Iterable[tuple[int, str | None]],
    *,
    columns: tuple[str, ...],
    required: tuple[str, ...],
    reading: Reading,
) -> tuple[Header, Iterator[tuple[int, list[str]] | Problem]]:
    """Read the header now and the cells of each row as they are asked for, for other kinds of file.

    :raises BadFileError: see `read_purchases`.
    """
    rest = iter(lines)
    header = read_header(_first(rest), columns=columns, required=required, reading=reading)
    return header, _cells(rest, header)


def read_names(line: str, delimiter: Delimiter | None = None) -> list[str]:
    """Return the names of the columns in the first line of a file, as they are written.

    :raises BadFileError: `broken_header`.
    """
    try:
        return [name.strip() for name in _split(line, delimiter or _guess(line))]
    except csv.Error:
        raise BadFileError("broken_header") from None


def _cells(
    lines: Iterable[tuple[int, str | None]], header: Header
) -> Iterator[tuple[int, list[str]] | Problem]:
    split = _splitter(header)
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        try:
            yield number, split(line)
        except _BadRowError as bad:
            yield Problem(number, bad.column, bad.code, bad.value)


def parse_time(text: str, zone: ZoneInfo) -> datetime:
    """Turn `2026-03-05`, `20260305`, `2026/3/5`, each with or without a time, into an instant.

    Without an offset the time is in `zone`; without a time it is the day's first instant there.
    An hour that the clock skips or repeats is read with the offset in force before the change.

    :raises ValueError: if it is none of these, or no such day or time exists.
    """
    if len(text) >= 19 and text[4] == "-" and text[10] in "T " and text[16] == ":":
        # The form most systems write, and the quickest to read.
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return found if found.tzinfo else found.replace(tzinfo=zone).astimezone(UTC)
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    (year, m1, d1, m2, d2, m3, d3, hour, minute, second, fraction, offset) = match.groups()
    wall = datetime(
        int(year),
        int(m1 or m2 or m3),
        int(d1 or d2 or d3),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "0").ljust(6, "0")),
        tzinfo=UTC,
    )
    if offset is None:
        return wall.replace(tzinfo=zone).astimezone(UTC)
    return wall - _offset(offset)


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    size = timedelta(hours=hours, minutes=minutes)
    return -size if text[0] == "-" else size


def parse_amount(text: str, *, digits: int) -> int:
    """Turn a plain decimal such as `19.99` into minor units.

    :raises ValueError: naming the code: `not_a_number`, `negative`, `too_many_decimals`,
        `too_large`.
    """
    whole, point, decimals = text.partition(".")
    plain = whole + decimals
    # The form most systems write, and the quickest to read.
    is_usual = len(decimals) == digits and bool(point) == bool(digits) and 0 < len(whole) < 16
    if is_usual and plain.isascii() and plain.isdigit():
        minor = int(plain)
    else:
        minor = _any_amount(text, digits)
    if minor > MAX_MINOR:
        raise ValueError("too_large")
    return minor


def _any_amount(text: str, digits: int) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("not_a_number")
    sign, whole, decimals = match.groups("")
    if len(decimals) > digits:
        if decimals[digits:].strip("0"):
            raise ValueError("too_many_decimals")
        decimals = decimals[:digits]
    minor = int(whole + decimals.ljust(digits, "0"))
    if sign and minor:
        raise ValueError("negative")
    return minor


class _Memo(dict[str, _Value]):
    """Remembers what a text meant: times, amounts, shops repeat themselves in a file."""

    _MOST = 20_000

    def __init__(self, make: Callable[[str], _Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> _Value:
        value = self._make(text.strip())
        if len(self) < self._MOST:
            self[text] = value
        return value


def _purchases(
    lines: Iterable[tuple[int, str | None]], header: Header, reading: Reading
) -> Iterator[PurchaseRow | Problem]:
    latest = reading.at + GRACE
    moments = _Memo(lambda text: _moment(text, reading, latest))
    amounts = _Memo(lambda text: _amount(text, reading))
    currencies = _Memo(lambda text: _currency(text, reading))
    channels = _Memo(lambda text: _limited("channel", text))
    stores = _Memo(lambda text: _limited("store", text))
    associates = _Memo(lambda text: _limited("associate", text))
    at = _positions(header, PURCHASE_COLUMNS)
    identified = "external_id" in header.positions
    split = _splitter(header)
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        try:
            fields = split(line)
            yield PurchaseRow(
                number,
                _key("external_id", fields[at.external_id]) if identified else "",
                _key("member", fields[at.member]),
                moments[fields[at.occurred_at]],
                amounts[fields[at.amount]],
                currencies[fields[at.currency]],
                channels[fields[at.channel]],
                stores[fields[at.store]],
                associates[fields[at.associate]],
            )
        except _BadRowError as bad:
            yield Problem(number, bad.column, bad.code, bad.value)


def _lines(
    lines: Iterable[tuple[int, str | None]], header: Header, reading: Reading
) -> Iterator[LineRow | Problem]:
    amounts = _Memo(lambda text: _amount(text, reading))
    quantities = _Memo(_quantity)
    categories = _Memo(lambda text: _limited("category", text))
    at = _positions(header, LINE_COLUMNS)
    split = _splitter(header)
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        try:
            fields = split(line)
            yield LineRow(
                number,
                _key("purchase", fields[at.purchase]),
                _key("sku", fields[at.sku]),
                categories[fields[at.category]],
                quantities[fields[at.quantity]],
                amounts[fields[at.amount]],
            )
        except _BadRowError as bad:
            yield Problem(number, bad.column, bad.code, bad.value)


def _positions(header: Header, columns: tuple[str, ...]) -> SimpleNamespace:
    """Return where each column is; one that is missing is in the empty field put at the end."""
    return SimpleNamespace(
        **{column: header.positions.get(column, header.width) for column in columns}
    )


def _splitter(header: Header) -> Callable[[str | None], list[str]]:
    """Return what makes the fields of a line, followed by one empty field."""
    delimiter, width = header.delimiter, header.width
    separator = {"comma": ",", "tab": "\t", "blank": None}[delimiter]

    def split(line: str | None) -> list[str]:
        if line is None:
            raise _BadRowError("", "line_too_long", str(MAX_LINE))
        # What is printable has none of the characters looked for, and is told much sooner.
        if not line.isprintable() and (
            _UNSAFE.search(line) or (delimiter == "comma" and "\t" in line)
        ):
            raise _BadRowError("", "control_characters")
        if '"' in line:
            try:
                fields = _split(line, delimiter)
            except csv.Error:
                raise _BadRowError("", "lone_quote") from None
        else:
            fields = line.split(separator)
        if len(fields) != width:
            raise _BadRowError("", "wrong_width", f"{len(fields)}/{width}")
        fields.append("")
        return fields

    return split


def _limited(column: str, text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if len(text) > _LENGTHS[column]:
        raise _BadRowError(column, "too_long", str(_LENGTHS[column]))
    return text


def _key(column: str, text: str) -> str:
    text = text.strip()
    if not text:
        raise _BadRowError(column, "empty")
    return _limited(column, text)


def _moment(text: str, reading: Reading, latest: datetime) -> Moment:
    try:
        moment = parse_time(text, reading.zone)
        local = moment.astimezone(reading.brand_zone).date()
    except (ValueError, OverflowError):
        raise _BadRowError("occurred_at", "not_a_time", text[:40]) from None
    if moment > latest:
        raise _BadRowError("occurred_at", "future", text[:40])
    if moment.year < EARLIEST_YEAR:
        raise _BadRowError("occurred_at", "not_a_time", text[:40])
    return Moment(moment, local, f"{moment.isoformat()}\t{local}")


def _amount(text: str, reading: Reading) -> int:
    try:
        return parse_amount(text, digits=reading.currency_digits)
    except ValueError as error:
        raise _BadRowError("amount", str(error), text[:40]) from None


def _currency(text: str, reading: Reading) -> str:
    if text and text.upper() != reading.currency:
        raise _BadRowError("currency", "unsupported_currency", text[:40])
    return reading.currency


def _quantity(text: str) -> int:
    quantity = int(text) if _COUNT.fullmatch(text) else 0
    if not 1 <= quantity <= MAX_QUANTITY:
        raise _BadRowError("quantity", "not_a_count", text[:40])
    return quantity


def _first(lines: Iterator[tuple[int, str | None]]) -> str:
    for _number, line in lines:
        if line is None:
            raise BadFileError("broken_header")
        if line.strip():
            return line
    raise BadFileError("empty_file")


def _guess(text: str) -> Delimiter:
    if "\t" in text:
        return "tab"
    return "comma" if "," in text else "blank"


def _split(line: str, delimiter: Delimiter) -> list[str]:
    if '"' not in line:
        if delimiter == "blank":
            return line.split()
        return line.split("," if delimiter == "comma" else "\t")
    if delimiter == "blank":
        # Runs of blanks separate; the standard reader knows single ones only.
        separator, line = " ", " ".join(line.split())
    else:
        separator = "," if delimiter == "comma" else "\t"
    if line.count('"') % 2:
        raise csv.Error("lone quote")
    rows = list(csv.reader([line], delimiter=separator, strict=True))
    return rows[0] if rows else []


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
